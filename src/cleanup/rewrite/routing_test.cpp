#include "cleanup/rewrite/routing.h"

#include <gtest/gtest.h>

namespace posthaste::rewrite {
namespace {

Routing opened(std::string_view settings) {
    Routing out;
    OpenReport report;
    const std::string all =
        "myhostname = mx.example\nmydestination = mx.example, here.example\n"
        "relay_domains = inside.example\n" +
        std::string(settings);
    EXPECT_TRUE(out.open(Settings::initial(all), {IpAddress::v4(192, 0, 2, 1)}, report))
        << report.error;
    return out;
}

std::string routed(const Routing& routing, std::string_view recipient) {
    const auto route = routing.route(recipient);
    if (!route) return "(error)";
    static constexpr const char* kClasses[] = {"local ", "relay ", "other "};
    return kClasses[static_cast<int>(route->address_class)] + route->transport + ":" +
           route->next_hop + (route->by_relayhost ? " relayhost" : "");
}

TEST(Routing, TellsTheClassesApart) {
    const auto routing = opened("");
    EXPECT_EQ(routed(routing, "joe@Here.example"), "local local:mx.example");
    EXPECT_EQ(routed(routing, "joe"), "local local:mx.example");
    EXPECT_EQ(routed(routing, "joe@[192.0.2.1]"), "local local:mx.example");
    EXPECT_EQ(routed(routing, "joe@[192.0.2.2]"), "other smtp:[192.0.2.2]");
    EXPECT_EQ(routed(routing, "joe@inside.example"), "relay relay:inside.example");
    EXPECT_EQ(routed(routing, "joe@sub.inside.example"), "relay relay:sub.inside.example");
    EXPECT_EQ(routed(routing, "joe@out.example"), "other smtp:out.example");
    EXPECT_EQ(routed(routing, "\"a@b\"@out.example"), "other smtp:out.example");
}

TEST(Routing, RelayhostTakesWhatIsNotLocal) {
    const auto routing = opened("relayhost = [gw.example]:587\n");
    EXPECT_EQ(routed(routing, "joe@here.example"), "local local:mx.example");
    EXPECT_EQ(routed(routing, "joe@inside.example"), "relay relay:[gw.example]:587 relayhost");
    EXPECT_EQ(routed(routing, "joe@out.example"), "other smtp:[gw.example]:587 relayhost");
}

TEST(Routing, ATransportsOwnNextHopGoesBeforeRelayhost) {
    const auto routing = opened(
        "relayhost = gw\nrelay_transport = relay:[in.example]\ndefault_transport = slow:[o]\n");
    EXPECT_EQ(routed(routing, "joe@inside.example"), "relay relay:[in.example]");
    EXPECT_EQ(routed(routing, "joe@out.example"), "other slow:[o]");
}

TEST(Routing, TransportMapsGoBeforeEverything) {
    const auto routing = opened(
        "relayhost = gw\ntransport_maps = inline:{ a.example=smtp:[x]:26, b.example=slow:, "
        "c.example=:[y], d.example=:, here.example=relay:[z], joe@e.example=discard:, "
        "f.example={error:5.7.1 not this one}, g.example=error:, h.example=slow }\n");
    EXPECT_EQ(routed(routing, "joe@a.example"), "other smtp:[x]:26");
    EXPECT_EQ(routed(routing, "joe@b.example"), "other slow:b.example");
    EXPECT_EQ(routed(routing, "joe@c.example"), "other smtp:[y]");
    EXPECT_EQ(routed(routing, "joe@d.example"), "other smtp:gw relayhost");
    EXPECT_EQ(routed(routing, "joe@here.example"), "local relay:[z]");
    EXPECT_EQ(routed(routing, "Joe@E.example"), "other discard:e.example");
    EXPECT_EQ(routed(routing, "ann@e.example"), "other smtp:gw relayhost");
    EXPECT_EQ(routed(routing, "joe@f.example"), "other error:5.7.1 not this one");
    EXPECT_EQ(routed(routing, "joe@g.example"), "other error:Address is undeliverable");
    EXPECT_EQ(routed(routing, "joe@h.example"), "other slow:h.example");
}

TEST(Routing, AnExtensionIsLeftOutWhenTheTableDoesNotKnowIt) {
    const auto routing = opened(
        "recipient_delimiter = +-\n"
        "transport_maps = inline:{ joe@e.example=slow:[o], joe+x@e.example=slow:[x] }\n");
    EXPECT_EQ(routed(routing, "joe+y@e.example"), "other slow:[o]");
    EXPECT_EQ(routed(routing, "joe-y@e.example"), "other slow:[o]");
    EXPECT_EQ(routed(routing, "joe+x@e.example"), "other slow:[x]");
    EXPECT_EQ(routed(routing, "jo@e.example"), "other smtp:e.example");
}

TEST(Routing, MydestinationNeverMatchesBelow) {
    const auto routing = opened("parent_domain_matches_subdomains = mydestination\n");
    EXPECT_EQ(routed(routing, "joe@sub.here.example"), "other smtp:sub.here.example");
}

TEST(Routing, SaysWhenAnAnswerHoldsForTheDomain) {
    const auto routing = opened("transport_maps = inline:{ joe@a.example=smtp:[x] }\n");
    EXPECT_FALSE(routing.route("ann@a.example")->per_domain);
    EXPECT_TRUE(routing.route("ann@b.example")->per_domain);
    EXPECT_FALSE(routing.route("ann")->per_domain);
}

TEST(Routing, AnErrorNamesTheSettingAndLeavesTheOldOne) {
    auto routing = opened("");
    OpenReport report;
    EXPECT_FALSE(
        routing.open(Settings::initial("transport_maps = texthash:/nonexistent\n"), {}, report));
    EXPECT_EQ(report.error,
              "transport_maps: texthash:/nonexistent: open: No such file or directory");
    EXPECT_EQ(routed(routing, "joe@here.example"), "local local:mx.example");
}

TEST(NeedsHosts, IsTrueForTheServicesOfMasterCf) {
    Routing routing;
    OpenReport report;
    ASSERT_TRUE(
        routing.open(Settings::initial("delivery_services = smtp relay slow\n"), {}, report));
    for (const char* const known : {"smtp", "relay", "slow"})
        EXPECT_TRUE(routing.needs_hosts(known)) << known;
    for (const char* const other : {"local", "error", "discard", "nosuch", "[127.0.0.1]"})
        EXPECT_FALSE(routing.needs_hosts(other)) << other;
}

TEST(Routing, AnAddressWithoutBracketsIsANextHopButNoDomain) {
    Routing routing;
    OpenReport report;
    ASSERT_TRUE(routing.open(Settings::initial("transport_maps = inline:{ b.example=smtp: }\n"), {},
                             report));
    EXPECT_EQ(routed(routing, "joe@192.0.2.1"), "other error:5.1.3 Bad recipient address syntax");
    ASSERT_TRUE(routing.open(Settings::initial("relayhost = 192.0.2.7:14000\n"), {}, report));
    EXPECT_EQ(routed(routing, "joe@a.example"), "other smtp:192.0.2.7:14000 relayhost");
}

}  // namespace
}  // namespace posthaste::rewrite
