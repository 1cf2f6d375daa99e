// cleanup between a foreign smtpd and a foreign store: steps {who, what it says}. Whatever they
// say, in whatever order they come and go: what cleanup says is sound, and in the end its arena is
// whole and it holds nothing.
#include "cleanup/cleanup/cleanup_service.h"
#include "tests/fuzz/foreign_peer.h"

using namespace posthaste;

namespace {

fuzz::ForeignPeer make_smtpd(uint32_t incarnation) {
    return {Role::smtpd,
            incarnation,
            {fuzz::say_record<wire::SubmitMessage>, fuzz::say_record<wire::SubmitMessage>,
             fuzz::say_record<wire::LeaseRequest>},
            fuzz::hear_records<wire::SubmitResult, wire::LeaseGrant, wire::NoMoreMail>};
}

fuzz::ForeignPeer make_store(uint32_t incarnation) {
    return {Role::store,
            incarnation,
            {fuzz::say_record<wire::CommitResult>, fuzz::say_record<wire::LeaseGrant>},
            fuzz::hear_records<wire::CommitRequest, wire::LeaseRequest>};
}

const cleanup::CleanupPolicy& policy() {
    static const cleanup::CleanupPolicy kPolicy = [] {
        OpenReport report;
        auto out = cleanup::CleanupPolicy::read(
            Settings::initial("myhostname = mx.example\nmyorigin = example\n"), {}, report);
        ASSERT(out);
        return std::move(*out);
    }();
    return kPolicy;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Settings kSettings = Settings::initial();
    static CounterPage page;
    fuzz::StillLoop loop;
    fuzz::CheckingLog log;
    Arena arena = Arena::create_private(1, 16 * kBlockBytes);
    World world{loop, log, page, kSettings, &arena, 0, 1, "cleanup"};
    cleanup::CleanupService service(world, {policy(), {}, [](int64_t) {
                                                return cleanup::LocalTime{0, "UTC"};
                                            }});
    {
        fuzz::Scene scene(loop, service, {make_smtpd, make_smtpd, make_store});
        if (size % 4 == 3) service.on_drain();
        scene.play(fuzz::text_of(data, size));
        scene.end();
        ASSERT(service.is_idle());
    }
    ASSERT(arena.blocks_free() == arena.blocks_total());
    return 0;
}
