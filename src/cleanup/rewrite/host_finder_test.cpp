#include "cleanup/rewrite/host_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/testing_loop.h"

#include "cleanup/rewrite/client_namer.h"
#include "cleanup/rewrite/testing_resolver.h"
#include "cleanup/rewrite/ttl_cache.h"

namespace posthaste::rewrite {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct HostFinderTest : testing::Test {
    HostFinderTest() {
        resolver.has_mx("a.example", {{10, "mx1.example"}, {20, "mx2.example"}});
        resolver.has_address("mx1.example", "192.0.2.1");
        resolver.has_address("mx1.example", "2001:db8::1");
        resolver.has_address("mx2.example", "192.0.2.2");
        resolver.has_address("bare.example", "192.0.2.9");
        resolver.has_mx("null.example", {{0, ""}});
    }

    std::string shown(const std::string& next_hop, bool with_fallback = false) {
        std::optional<FoundHosts> got;
        finder.find(next_hop, with_fallback, [&](FoundHosts found) { got = std::move(found); });
        resolver.answer_all();
        if (!got) return "(open)";
        std::string out = got->dsn.empty() ? "" : got->dsn + " " + got->text;
        for (const FoundHost& host : got->hosts) {
            out += host.name + "=" + host.address.text() + ":" + std::to_string(host.port) + " ";
        }
        return out;
    }

    TestingLoop loop;
    TestingResolver resolver;
    HostsFile hosts_file = HostsFile::parse(
        "127.0.0.1 localhost\n192.0.2.77 inside.example inside # comment\nbad line\n");
    HostFinder finder{loop, resolver, hosts_file};
};

TEST_F(HostFinderTest, FollowsMxToTheirAddresses) {
    EXPECT_EQ(shown("a.example"),
              "mx1.example=2001:db8::1:25 mx1.example=192.0.2.1:25 mx2.example=192.0.2.2:25 ");
    EXPECT_EQ(finder.searches(), 0U);
}

TEST_F(HostFinderTest, AsksForTheFamiliesInUseOnly) {
    HostPolicy policy;
    policy.v6 = false;
    finder.set_policy(policy);
    EXPECT_EQ(shown("a.example:26"), "mx1.example=192.0.2.1:26 mx2.example=192.0.2.2:26 ");
    EXPECT_THAT(resolver.questions, ElementsAre("MX a.example", "A mx1.example", "A mx2.example"));
}

TEST_F(HostFinderTest, ADomainWithoutMxIsItsOwnHost) {
    EXPECT_EQ(shown("bare.example"), "bare.example=192.0.2.9:25 ");
}

TEST_F(HostFinderTest, BracketsMeanNoMx) {
    EXPECT_EQ(shown("[mx2.example]:2525"), "mx2.example=192.0.2.2:2525 ");
    EXPECT_THAT(resolver.questions, ElementsAre("A mx2.example", "AAAA mx2.example"));
}

TEST_F(HostFinderTest, AnAddressIsAnswerEnough) {
    EXPECT_EQ(shown("[127.0.0.1]:2525"), "127.0.0.1=127.0.0.1:2525 ");
    EXPECT_TRUE(resolver.questions.empty());
}

TEST_F(HostFinderTest, SaysWhyThereIsNoHost) {
    EXPECT_THAT(shown("null.example"),
                HasSubstr("5.1.0 Domain null.example does not accept mail (nullMX)"));
    EXPECT_THAT(shown("gone.example"),
                HasSubstr("5.4.4 Host or domain name not found. Name service error for "
                          "name=gone.example type=MX: Host not found"));
    EXPECT_THAT(shown("[gone.example]"), HasSubstr("name=gone.example type=AAAA: Host not found"));
    resolver.fails("ill.example");
    EXPECT_THAT(shown("ill.example"),
                HasSubstr("4.4.3 Host or domain name not found. Name service error for "
                          "name=ill.example type=MX: Host not found, try again"));
    EXPECT_EQ(shown("a..b"), "5.4.4 Name service error for a..b: invalid host or domain name");
}

TEST_F(HostFinderTest, AFailedMxMayBeTakenForNone) {
    HostPolicy policy;
    policy.ignore_mx_failure = true;
    finder.set_policy(policy);
    resolver.fails("ill.example");
    EXPECT_THAT(shown("ill.example"), HasSubstr("type=A: Host not found, try again"));
}

TEST_F(HostFinderTest, WalksTheListAndItsFallback) {
    HostPolicy policy;
    policy.fallback = "[mx2.example]:26";
    policy.v6 = false;
    finder.set_policy(policy);
    EXPECT_EQ(shown("gone.example, bare.example", true),
              "bare.example=192.0.2.9:25 mx2.example=192.0.2.2:26 ");
    EXPECT_EQ(shown("bare.example", false), "bare.example=192.0.2.9:25 ");
    EXPECT_EQ(shown("gone.example", true), "mx2.example=192.0.2.2:26 ");
    policy.own_addresses = {*IpAddress::parse("192.0.2.2")};
    finder.set_policy(policy);
    EXPECT_EQ(shown("a.example", true), "mx1.example=192.0.2.1:25 ")
        << "we are MX: nobody but better ones";
}

TEST_F(HostFinderTest, KeepsTheOrderOfHopsBeforePreference) {
    std::optional<FoundHosts> got;
    finder.find("a.example, [bare.example]", false,
                [&](FoundHosts found) { got = std::move(found); });
    resolver.answer_all();
    const auto order = order_hosts(got->hosts, {}, [] { return uint64_t{3}; });
    EXPECT_EQ(order.back().name, "bare.example") << "its preference is 0";
}

TEST_F(HostFinderTest, AsksTheHostsFileWhereToldTo) {
    EXPECT_THAT(shown("[inside.example]"), HasSubstr("Host not found"));
    HostPolicy policy;
    policy.use_hosts_file = true;
    finder.set_policy(policy);
    EXPECT_EQ(shown("[Inside.example]"), "inside.example=192.0.2.77:25 ");
    EXPECT_EQ(shown("[mx2.example]"), "mx2.example=192.0.2.2:25 ");
    policy.use_hosts_file = false;
    policy.look_up_dns = false;
    finder.set_policy(policy);
    resolver.questions.clear();
    EXPECT_EQ(shown("inside.example"), "inside.example=192.0.2.77:25 ");
    EXPECT_THAT(shown("a.example"), HasSubstr("Host not found"));
    EXPECT_TRUE(resolver.questions.empty());
}

TEST_F(HostFinderTest, GivesUpInTimeAndIgnoresLateAnswers) {
    std::optional<FoundHosts> got;
    int calls = 0;
    finder.find("a.example", false, [&](FoundHosts found) {
        got = std::move(found);
        ++calls;
    });
    loop.pass_time(HostFinder::kSearchTimeoutUs - kSecondUs);
    loop.turn();
    EXPECT_FALSE(got);
    loop.pass_time(2 * kSecondUs);
    loop.turn();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->outcome, wire::ResolveOutcome::deferred);
    EXPECT_EQ(got->dsn, "4.4.3");
    resolver.answer_all();
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(finder.searches(), 0U);
}

TEST_F(HostFinderTest, WhatWasFoundBeforeTheTimeIsUpCounts) {
    std::optional<FoundHosts> got;
    finder.find("[192.0.2.5], a.example", false, [&](FoundHosts found) { got = std::move(found); });
    loop.pass_time(HostFinder::kSearchTimeoutUs + kSecondUs);
    loop.turn();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->outcome, wire::ResolveOutcome::ok);
    EXPECT_EQ(got->hosts.size(), 1U);
    EXPECT_LE(got->ttl_s, 20U) << "half an answer is asked for again soon";
}

struct ClientNamerTest : testing::Test {
    std::string named(std::string_view address) {
        std::string out = "(open)";
        namer.find(*IpAddress::parse(address), [&](ClientName name) { out = name.name; });
        resolver.answer_all();
        return out;
    }

    TestingLoop loop;
    TestingResolver resolver;
    HostsFile hosts_file = HostsFile::parse("127.0.0.1\tlocalhost localhost.localdomain\r\n");
    ClientNamer namer{loop, resolver, hosts_file};
};

TEST_F(ClientNamerTest, BelievesANameThatLeadsBack) {
    resolver.has_name("192.0.2.1", "client.example");
    resolver.has_address("client.example", "192.0.2.9");
    resolver.has_address("client.example", "192.0.2.1");
    resolver.has_name("192.0.2.2", "liar.example");
    resolver.has_address("liar.example", "192.0.2.3");
    resolver.has_name("192.0.2.4", "nowhere.example");
    EXPECT_EQ(named("192.0.2.1"), "client.example");
    EXPECT_EQ(named("192.0.2.2"), "unknown");
    EXPECT_EQ(named("192.0.2.4"), "unknown");
    EXPECT_EQ(named("192.0.2.5"), "unknown");
    resolver.fails("192.0.2.6");
    EXPECT_EQ(named("192.0.2.6"), "unknown");
    EXPECT_EQ(namer.searches(), 0U);
}

TEST_F(ClientNamerTest, TakesTheHostsFilesWord) {
    EXPECT_EQ(named("127.0.0.1"), "localhost");
    EXPECT_TRUE(resolver.questions.empty());
}

TEST_F(ClientNamerTest, GivesUpInTime) {
    std::string out = "(open)";
    namer.find(*IpAddress::parse("192.0.2.1"), [&](ClientName name) { out = name.name; });
    loop.pass_time(ClientNamer::kSearchTimeoutUs + kSecondUs);
    loop.turn();
    EXPECT_EQ(out, "unknown");
    resolver.answer_all();
}

TEST(TtlCache, ForgetsWhatIsTooOldAndTheOldestOfTooMany) {
    TtlCache<int> cache(2);
    cache.put("a", 1, 10, 0);
    cache.put("b", 2, 20, 0);
    EXPECT_EQ(*cache.find("a", 9 * kSecondUs).value, 1);
    EXPECT_EQ(cache.find("b", 5 * kSecondUs).ttl_s, 16U);
    EXPECT_EQ(cache.find("a", 10 * kSecondUs).value, nullptr);
    EXPECT_EQ(cache.size(), 1U);
    cache.put("c", 3, 20, 0);
    cache.put("d", 4, 20, 0);
    EXPECT_EQ(cache.find("b", 0).value, nullptr);
    EXPECT_EQ(*cache.find("d", 0).value, 4);
    cache.put("c", 5, 20, 0);
    EXPECT_EQ(*cache.find("c", 0).value, 5);
    EXPECT_EQ(cache.size(), 2U);
}

}  // namespace
}  // namespace posthaste::rewrite
