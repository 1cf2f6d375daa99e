// rewrite between a foreign qmgr and a foreign smtpd: steps {who, what it asks}; the DNS answers at
// the end of each turn's questions or, when the input says so, late. Every answer is sound.
#include "cleanup/rewrite/rewrite_service.h"
#include "cleanup/rewrite/testing_resolver.h"
#include "tests/fuzz/foreign_peer.h"

using namespace posthaste;

namespace {

constexpr std::string_view kSettings =
    "myhostname = mx.example\nmydestination = b.example\n"
    "transport_maps = inline:{ bad.example={error:5.7.1 no}, via.example=smtp:[gw.example]:26 }\n";

// The resolver that the service owns; there is one service at a time.
rewrite::TestingResolver* resolver = nullptr;

void answer_questions(fuzz::ForeignPeer&, std::string_view&) { resolver->answer_all(); }

fuzz::ForeignPeer make_qmgr(uint32_t incarnation) {
    return {Role::qmgr,
            incarnation,
            {fuzz::say_record<wire::ResolveRequest>, fuzz::say_record<wire::ResolveRequest>,
             answer_questions},
            fuzz::hear_records<wire::ResolveReply>};
}

fuzz::ForeignPeer make_smtpd(uint32_t incarnation) {
    return {Role::smtpd,
            incarnation,
            {fuzz::say_record<wire::ResolveRequest>, fuzz::say_record<wire::ClientNameRequest>,
             answer_questions},
            fuzz::hear_records<wire::ResolveReply, wire::ClientNameReply>};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Settings settings = Settings::initial(kSettings);
    static CounterPage page;
    fuzz::StillLoop loop;
    fuzz::CheckingLog log;
    World world{loop, log, page, settings, nullptr, 0, 1, "rewrite"};
    auto owned = std::make_unique<rewrite::TestingResolver>();
    resolver = owned.get();
    resolver->has_mx("dest.example", {{10, "mx.example"}, {20, "b.example"}});
    resolver->has_address("mx.example", "192.0.2.1");
    resolver->fails("a.example");
    rewrite::Routing routing;
    OpenReport report;
    ASSERT(routing.open(settings, {}, report));
    rewrite::RewriteService service(world, {std::move(routing),
                                            rewrite::HostsFile::parse("127.0.0.1 localhost\n"),
                                            {IpAddress::v4(192, 0, 2, 9)},
                                            std::move(owned)});
    fuzz::Scene scene(loop, service, {make_qmgr, make_smtpd});
    scene.play(fuzz::text_of(data, size));
    resolver->answer_all();
    return 0;
}
