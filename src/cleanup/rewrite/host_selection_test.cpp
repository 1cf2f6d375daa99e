#include "cleanup/rewrite/host_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/random.h"

namespace posthaste::rewrite {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

HostAnswers host(uint16_t preference, std::string name, std::vector<IpAddress> v4,
                 std::vector<IpAddress> v6 = {}) {
    HostAnswers out;
    out.mx = {preference, std::move(name)};
    const auto answer = [](std::vector<IpAddress> addresses) {
        const auto status = addresses.empty() ? DnsStatus::no_data : DnsStatus::ok;
        return AddressAnswer{status, 300, std::move(addresses)};
    };
    out.v4 = answer(std::move(v4));
    out.v6 = answer(std::move(v6));
    return out;
}

MxAnswer mx_of(const std::vector<HostAnswers>& answers) {
    MxAnswer out{DnsStatus::ok, 600, {}, 0};
    for (const HostAnswers& each : answers) out.records.push_back(each.mx);
    return out;
}

FoundHosts found(const std::vector<HostAnswers>& answers, const HostPolicy& policy = {},
                 uint16_t port = 25) {
    return hosts_of_mx("a.example", mx_of(answers), answers, port, policy);
}

std::vector<std::string> names(const std::vector<FoundHost>& hosts) {
    std::vector<std::string> out;
    for (const FoundHost& each : hosts) out.push_back(each.name + " " + each.address.text());
    return out;
}

TEST(HostSelection, AsksForEachMxHostOnceInOrder) {
    MxAnswer answer{DnsStatus::ok, 60, {{20, "b"}, {10, "a"}, {30, "a"}, {5, ""}, {20, "c"}}, 0};
    std::vector<std::string> order;
    for (const MxRecord& record : usable_mx(answer)) order.push_back(record.host);
    EXPECT_THAT(order, ElementsAre("a", "b", "c"));
}

TEST(HostSelection, SaysWhyThereAreNoHosts) {
    const auto said = [](DnsStatus status, size_t unusable = 0) {
        const auto out = no_hosts("a.example", {status, 600, {{0, ""}}, unusable});
        return std::to_string(static_cast<int>(out.outcome)) + " " + out.dsn + " " + out.text;
    };
    EXPECT_EQ(said(DnsStatus::ok), "2 5.1.0 Domain a.example does not accept mail (nullMX)");
    EXPECT_EQ(said(DnsStatus::no_such_name),
              "2 5.4.4 Host or domain name not found. Name service error for name=a.example "
              "type=MX: Host not found");
    EXPECT_EQ(said(DnsStatus::failed),
              "1 4.4.3 Host or domain name not found. Name service error for name=a.example "
              "type=MX: Host not found, "
              "try again");
    EXPECT_EQ(said(DnsStatus::ok, 1).substr(0, 7), "2 5.4.4");
}

TEST(HostSelection, BelievesNoAbsenceForLong) {
    const auto ttl_s = [](DnsStatus status, uint32_t ttl) {
        return no_hosts("a.example", {status, ttl, {}, 0}).ttl_s;
    };
    EXPECT_EQ(ttl_s(DnsStatus::no_such_name, 100'000), 900U);
    EXPECT_EQ(ttl_s(DnsStatus::no_such_name, 600), 600U);
    EXPECT_EQ(ttl_s(DnsStatus::no_such_name, 0), 5U);
}

TEST(HostSelection, TakesAllHostsByPreference) {
    const auto out = found(
        {host(10, "a", {ip("192.0.2.1"), ip("192.0.2.2")}), host(20, "b", {ip("192.0.2.3")})});
    EXPECT_EQ(out.outcome, wire::ResolveOutcome::ok);
    EXPECT_THAT(names(out.hosts), ElementsAre("a 192.0.2.1", "a 192.0.2.2", "b 192.0.2.3"));
    EXPECT_EQ(out.ttl_s, 300U) << "the shortest of all";
    EXPECT_EQ(out.site, "");
}

TEST(HostSelection, SkipsHostsWithoutAddress) {
    EXPECT_THAT(names(found({host(10, "gone", {}), host(20, "b", {ip("192.0.2.3")})}).hosts),
                ElementsAre("b 192.0.2.3"));
}

TEST(HostSelection, WithoutAnyAddressItIsForGoodOnlyIfNoneMayYetCome) {
    auto gone = found({host(10, "a", {}), host(20, "b", {})});
    EXPECT_EQ(gone.outcome, wire::ResolveOutcome::bounced);
    EXPECT_EQ(gone.dsn, "5.4.4");
    EXPECT_EQ(gone.text,
              "Host or domain name not found. Name service error for name=a type=AAAA: Host found "
              "but no data record of "
              "requested type");
    auto answers = std::vector{host(10, "a", {}), host(20, "b", {})};
    answers[1].v4.status = DnsStatus::failed;
    const auto later = found(answers);
    EXPECT_EQ(later.outcome, wire::ResolveOutcome::deferred);
    EXPECT_EQ(later.dsn, "4.4.3");
    EXPECT_EQ(later.text,
              "Host or domain name not found. Name service error for name=b type=A: Host not "
              "found, try again");
    HostPolicy defer;
    defer.defer_if_no_address = true;
    EXPECT_EQ(found({host(10, "a", {})}, defer).outcome, wire::ResolveOutcome::deferred);
    EXPECT_EQ(found({host(10, "a", {})}, defer).dsn, "4.4.4");
}

TEST(HostSelection, CutsOffFromOurselvesOn) {
    HostPolicy policy;
    policy.own_addresses = {ip("192.0.2.2")};
    const std::vector answers{host(10, "a", {ip("192.0.2.1")}), host(20, "us", {ip("192.0.2.2")}),
                              host(20, "peer", {ip("192.0.2.3")}),
                              host(30, "c", {ip("192.0.2.4")})};
    const auto out = found(answers, policy);
    EXPECT_THAT(names(out.hosts), ElementsAre("a 192.0.2.1"));
    EXPECT_TRUE(out.we_are_mx);
    EXPECT_EQ(found(answers, policy, 26).hosts.size(), 4U) << "on another port it is not us";
}

TEST(HostSelection, BouncesWhatWouldLoop) {
    HostPolicy policy;
    policy.own_addresses = {ip("192.0.2.2")};
    const auto best =
        found({host(10, "us", {ip("192.0.2.2")}), host(20, "b", {ip("192.0.2.1")})}, policy);
    EXPECT_EQ(best.outcome, wire::ResolveOutcome::bounced);
    EXPECT_EQ(best.dsn, "5.4.6");
    EXPECT_EQ(best.text, "mail for a.example loops back to myself");
    const auto second = found({host(10, "gone", {}), host(20, "us", {ip("192.0.2.2")})}, policy);
    EXPECT_EQ(second.text, "unable to find primary relay for a.example");
    const auto alone = hosts_of_host(host(0, "us.example", {ip("192.0.2.2")}), 25, policy);
    EXPECT_EQ(alone.text, "mail for us.example loops back to myself");
    EXPECT_EQ(hosts_of_host(host(0, "us.example", {ip("192.0.2.2")}), 2525, policy).outcome,
              wire::ResolveOutcome::ok);
}

TEST(HostSelection, OrdersEqualHostsByChanceAndOthersByPreference) {
    const auto out = found({host(10, "a", {ip("192.0.2.1")}), host(10, "b", {ip("192.0.2.2")}),
                            host(20, "c", {ip("192.0.2.3")})});
    Random random(7);
    int a_first = 0;
    for (int round = 0; round < 1000; ++round) {
        const auto order = names(order_hosts(out.hosts, {}, [&] { return random.next(); }));
        EXPECT_EQ(order.back(), "c 192.0.2.3");
        a_first += order[0] == "a 192.0.2.1" ? 1 : 0;
    }
    EXPECT_GT(a_first, 400);
    EXPECT_LT(a_first, 600);
    HostPolicy steady;
    steady.randomize = false;
    EXPECT_EQ(names(order_hosts(out.hosts, steady, [&] { return random.next(); }))[0],
              "a 192.0.2.1");
}

TEST(HostSelection, EqualsHaveTheSameRank) {
    const auto host = [](uint8_t hop, uint16_t preference, bool v6) {
        FoundHost out;
        out.hop = hop;
        out.preference = preference;
        out.address.v6 = v6;
        return out;
    };
    const std::vector<FoundHost> hosts = {host(0, 10, true), host(0, 10, false), host(0, 20, false),
                                          host(1, 20, false)};
    HostPolicy policy;
    EXPECT_EQ(ranks_of(hosts, policy), (std::vector<uint8_t>{0, 0, 1, 2}));
    policy.preference = FamilyPreference::v6;
    EXPECT_EQ(ranks_of(hosts, policy), (std::vector<uint8_t>{0, 1, 2, 3}));
    policy.preference = FamilyPreference::any;
    policy.randomize = false;
    EXPECT_EQ(ranks_of(hosts, policy), (std::vector<uint8_t>{0, 1, 2, 3}));
}

TEST(HostSelection, PutsTheWantedFamilyFirstWithinAPreference) {
    const auto out = found({host(10, "a", {ip("192.0.2.1")}, {ip("2001:db8::1")}),
                            host(20, "b", {ip("192.0.2.2")}, {ip("2001:db8::2")})});
    HostPolicy policy;
    policy.preference = FamilyPreference::v4;
    Random random(7);
    EXPECT_THAT(names(order_hosts(out.hosts, policy, [&] { return random.next(); })),
                ElementsAre("a 192.0.2.1", "a 2001:db8::1", "b 192.0.2.2", "b 2001:db8::2"));
    policy.preference = FamilyPreference::v6;
    EXPECT_THAT(names(order_hosts(out.hosts, policy, [&] { return random.next(); })),
                ElementsAre("a 2001:db8::1", "a 192.0.2.1", "b 2001:db8::2", "b 192.0.2.2"));
}

TEST(HostSelection, KeepsBothFamiliesWithinTheLimit) {
    std::vector<IpAddress> v6;
    for (int i = 1; i <= 9; ++i) v6.push_back(ip("2001:db8::" + std::to_string(i)));
    HostPolicy policy;
    policy.preference = FamilyPreference::v6;
    policy.addresses_max = 5;
    const auto out =
        found({host(10, "a", {ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3")}, v6)}, policy);
    const auto count_v4 = [&] {
        Random random(1);
        const auto order = order_hosts(out.hosts, policy, [&] { return random.next(); });
        EXPECT_EQ(order.size(), 5U);
        return std::count_if(order.begin(), order.end(),
                             [](const FoundHost& each) { return !each.address.v6; });
    };
    EXPECT_EQ(count_v4(), 2);
    policy.balance = false;
    EXPECT_EQ(count_v4(), 0);
}

TEST(HostSelection, DomainsWithTheSameMxSetAreOneSite) {
    const std::string site = site_of_mx({{10, "b"}, {10, "a"}, {20, "c"}}, 25);
    EXPECT_EQ(site, "mx:a|b,c");
    EXPECT_EQ(site_of_mx({{7, "c"}, {5, "a"}, {5, "b"}}, 25), site) << "ranks count, not numbers";
    EXPECT_NE(site_of_mx({{10, "a"}, {20, "b"}, {20, "c"}}, 25), site);
    EXPECT_NE(site_of_mx({{10, "b"}, {10, "a"}, {20, "c"}}, 26), site);
    std::vector<MxRecord> many;
    for (int i = 0; i < 60; ++i) many.push_back({10, "host" + std::to_string(i) + ".example.com"});
    const std::string long_site = site_of_mx(many, 25);
    EXPECT_LT(long_site.size(), 200U);
    many.back().host = "other.example.com";
    EXPECT_NE(site_of_mx(many, 25), long_site);
    HostPolicy policy;
    policy.roll_up = true;
    EXPECT_EQ(found({host(10, "a", {ip("192.0.2.1")})}, policy).site, "mx:a");
}

}  // namespace
}  // namespace posthaste::rewrite
