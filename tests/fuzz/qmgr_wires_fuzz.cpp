// qmgr between a foreign store, foreign delivery agents and a foreign rewrite: steps {who, what it
// says}. Whatever they say, in whatever order they come and go, what qmgr says is sound: it reads,
// orders and forgets nothing that is not there.
#include "scheduler/qmgr_service.h"
#include "tests/fuzz/foreign_peer.h"

using namespace posthaste;

namespace {

fuzz::ForeignPeer make_store(uint32_t incarnation) {
    return {Role::store,
            incarnation,
            {fuzz::say_record<wire::QueuedMessage>, fuzz::say_record<wire::QueuedMessage>,
             fuzz::say_record<wire::ScanPage>, fuzz::say_record<wire::OutcomeRecorded>,
             fuzz::say_record<wire::MessageGone>, fuzz::say_record<wire::AnnounceGap>},
            fuzz::hear_records<wire::ScanRequest, wire::LoadMessage, wire::ReleaseContent,
                               wire::RecordOutcome, wire::HeldContent>};
}

fuzz::ForeignPeer make_agent(uint32_t incarnation) {
    return {
        Role::smtp,
        incarnation,
        {fuzz::say_record<wire::DeliveryReport>, fuzz::say_record<wire::DeliveryReport>,
         fuzz::say_record<wire::LaneClosed>, fuzz::say_record<wire::JobsHeld>},
        fuzz::hear_records<wire::LaneOpen, wire::DeliveryJob, wire::LaneClose, wire::ReportTaken>};
}

fuzz::ForeignPeer make_rewrite(uint32_t incarnation) {
    return {Role::rewrite,
            incarnation,
            {fuzz::say_record<wire::ResolveReply>},
            fuzz::hear_records<wire::ResolveRequest>};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Settings kSettings = Settings::initial();
    static CounterPage page;
    fuzz::StillLoop loop;
    fuzz::CheckingLog log;
    World world{loop, log, page, kSettings, nullptr, 0, 1, "qmgr"};
    QmgrService service(world);
    fuzz::Scene scene(loop, service, {make_store, make_agent, make_agent, make_rewrite});
    scene.play(fuzz::text_of(data, size));
    return 0;
}
