// The smtp agent between a foreign qmgr and a foreign store's arena: steps {who, what it says}; no
// server can be reached. Whatever lanes and jobs it is given, each job is reported once, in a
// record that is sound; when qmgr is gone nothing is left.
#include "egress/smtp/smtp_service.h"
#include "tests/fuzz/foreign_peer.h"

using namespace posthaste;

namespace {

fuzz::ForeignPeer make_qmgr(uint32_t incarnation) {
    return {Role::qmgr,
            incarnation,
            {fuzz::say_record<wire::LaneOpen>, fuzz::say_record<wire::DeliveryJob>,
             fuzz::say_record<wire::DeliveryJob>, fuzz::say_record<wire::LaneClose>,
             fuzz::say_record<wire::ReportTaken>},
            fuzz::hear_records<wire::DeliveryReport, wire::LaneClosed, wire::JobsHeld>};
}

fuzz::ForeignPeer make_store(uint32_t incarnation) {
    return {Role::store,
            incarnation,
            {[](fuzz::ForeignPeer&, std::string_view&) {}},
            fuzz::hear_records<wire::LaneOpen>};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Settings kSettings = Settings::initial("myhostname = mx.example\n");
    static CounterPage page;
    fuzz::StillLoop loop;
    fuzz::CheckingLog log;
    World world{loop, log, page, kSettings, nullptr, 0, 1, "smtp"};
    smtp::SmtpService service(world);
    {
        fuzz::Scene scene(loop, service, {make_qmgr, make_store});
        scene.play(fuzz::text_of(data, size));
        service.on_drain();
    }
    for (int i = 0; i < 100 && !service.is_idle(); ++i) loop.pass(kSecondUs);
    ASSERT(service.is_idle());
    return 0;
}
