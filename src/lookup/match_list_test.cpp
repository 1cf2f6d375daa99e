#include "lookup/match_list.h"

#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

#include "lookup/network_match_list.h"

namespace posthaste {
namespace {

MatchList opened(std::string_view text, bool parents = false) {
    MatchList list;
    OpenReport report;
    EXPECT_TRUE(list.open(text, parents, report)) << report.error;
    return list;
}

bool matches(const MatchList& list, std::string_view domain) {
    return list.matches(domain).value_or(false);
}

TEST(MatchList, MatchesNamesWithoutRegardToCase) {
    const auto list = opened("Example.com, localhost");
    EXPECT_TRUE(matches(list, "eXAMPLE.COM"));
    EXPECT_TRUE(matches(list, "localhost"));
    EXPECT_FALSE(matches(list, "example.co"));
    EXPECT_FALSE(matches(list, "a.example.com"));
    EXPECT_FALSE(matches(list, ""));
}

TEST(MatchList, ADotMeansWhatLiesBelow) {
    const auto list = opened(".example.com");
    EXPECT_TRUE(matches(list, "a.example.com"));
    EXPECT_TRUE(matches(list, "a.b.example.com"));
    EXPECT_FALSE(matches(list, "example.com"));
    EXPECT_FALSE(matches(list, "badexample.com"));
}

TEST(MatchList, AParentMatchesItsSubdomainsWhereThatIsAskedFor) {
    const auto list = opened("example.com", true);
    EXPECT_TRUE(matches(list, "example.com"));
    EXPECT_TRUE(matches(list, "a.example.com"));
    EXPECT_FALSE(matches(list, "badexample.com"));
    EXPECT_FALSE(matches(opened(".example.com", true), "a.example.com"));
}

TEST(MatchList, TheFirstMatchDecides) {
    const auto list = opened("!secret.example.com, .example.com");
    EXPECT_FALSE(matches(list, "secret.example.com"));
    EXPECT_TRUE(matches(list, "open.example.com"));
}

TEST(MatchList, AsksTablesForTheNameAndItsParents) {
    const auto list = opened("inline:{ a.example=x, .b.example=x }");
    EXPECT_TRUE(matches(list, "a.example"));
    EXPECT_FALSE(matches(list, "x.a.example"));
    EXPECT_TRUE(matches(list, "x.y.b.example"));
    EXPECT_FALSE(matches(list, "b.example"));
    const auto parents = opened("inline:{ a.example=x }", true);
    EXPECT_TRUE(matches(parents, "x.y.a.example"));
    EXPECT_FALSE(matches(parents, "xa.example"));
}

TEST(MatchList, TakesAddressLiteralsAsNames) {
    EXPECT_TRUE(matches(opened("[192.0.2.1] [IPv6:2001:db8::1]"), "[ipv6:2001:DB8::1]"));
}

TEST(MatchList, ReadsPatternsFromFilesAndNamesTheFaultyLine) {
    char name[] = "/tmp/posthaste-match-XXXXXX";
    ::close(::mkstemp(name));
    std::ofstream(name) << "# domains\na.example\n  b.example !c.example\n";
    const auto list = opened(name);
    EXPECT_TRUE(matches(list, "a.example"));
    EXPECT_TRUE(matches(list, "b.example"));
    EXPECT_FALSE(matches(list, "c.example"));

    std::ofstream(name) << "a.example\n\n!\n";
    MatchList bad;
    OpenReport report;
    EXPECT_FALSE(bad.open(name, false, report));
    EXPECT_EQ(report.error.rfind(std::string(name) + ":3: ", 0), 0U) << report.error;

    std::ofstream(name) << "a.example # b.example\nc.example#d\n";
    const auto commented = opened(name);
    EXPECT_TRUE(matches(commented, "a.example"));
    EXPECT_FALSE(matches(commented, "b.example"));
    EXPECT_TRUE(matches(commented, "c.example#d"));

    // A file that names itself ends.
    std::ofstream(name) << name << "\n";
    EXPECT_FALSE(bad.open(name, false, report));
    ::unlink(name);
}

TEST(MatchList, EmptyMatchesNothing) {
    EXPECT_FALSE(matches(opened(""), "example.com"));
    EXPECT_TRUE(opened(" , ").empty());
}

TEST(ParentMatchesSubdomains, IsAListOfListNames) {
    EXPECT_TRUE(parent_matches_subdomains("mynetworks, relay_domains", "relay_domains"));
    EXPECT_FALSE(parent_matches_subdomains("relay_domains2", "relay_domains"));
}

TEST(NetworkMatchList, TheFirstMatchDecides) {
    NetworkMatchList list;
    OpenReport report;
    ASSERT_TRUE(list.open("!10.0.0.7 10.0.0.0/8, [2001:db8::]/32", report)) << report.error;
    EXPECT_TRUE(list.contains(IpAddress::v4(10, 1, 2, 3)));
    EXPECT_FALSE(list.contains(IpAddress::v4(10, 0, 0, 7)));
    EXPECT_FALSE(list.contains(IpAddress::v4(11, 0, 0, 7)));
    EXPECT_TRUE(list.contains(*IpAddress::parse("2001:db8::5")));
    EXPECT_TRUE(list.contains(*IpAddress::parse("::ffff:10.0.0.1")));
}

TEST(NetworkMatchList, EndsAtAComment) {
    NetworkMatchList list;
    OpenReport report;
    ASSERT_TRUE(list.open("10.0.0.0/8 # 0.0.0.0/0", report)) << report.error;
    EXPECT_TRUE(list.contains(IpAddress::v4(10, 1, 2, 3)));
    EXPECT_FALSE(list.contains(IpAddress::v4(11, 1, 2, 3)));
    EXPECT_EQ(report.warnings.size(), 1U);
}

TEST(NetworkMatchList, RefusesWhatIsNoNetwork) {
    NetworkMatchList list;
    OpenReport report;
    EXPECT_FALSE(list.open("10.0.0.1/8", report));
    EXPECT_NE(report.error.find("bad network \"10.0.0.1/8\""), std::string::npos) << report.error;
    EXPECT_FALSE(list.open("hash:/etc/nets", report));
    EXPECT_EQ(report.error,
              "table \"hash:/etc/nets\": networks are not looked up in tables yet; list them, or "
              "name a file that does (/etc/nets)");
    EXPECT_FALSE(list.open("cidr:/etc/networks", report));
}

}  // namespace
}  // namespace posthaste
