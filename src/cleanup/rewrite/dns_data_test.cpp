#include "cleanup/rewrite/dns_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace posthaste::rewrite {
namespace {

using std::string_literals::operator""s;
using testing::ElementsAre;

std::string name_of(const std::string& data) {
    std::string_view rest;
    const auto name = read_dns_name(data, rest);
    return name ? *name + "|" + std::string(rest) : "(none)";
}

TEST(DnsData, ReadsNames) {
    EXPECT_EQ(name_of("\3MX1\7example\0rest"s), "mx1.example|rest");
    EXPECT_EQ(name_of("\0"s), "|");
    EXPECT_EQ(name_of("\4_x-9\0"s), "_x-9|");
}

TEST(DnsData, RefusesNamesThatEndEarlyOrHoldAnything) {
    for (const auto& data : {""s, "\3"s, "\3ab"s, "\3abc"s, "\3a b\0"s, "\3a\0b\0"s, "\3a.b\0"s,
                             "\1\xff\0"s, "\xc0\x0c"s, "\100"s + std::string(64, 'a') + "\0"s}) {
        EXPECT_EQ(name_of(data), "(none)");
    }
    std::string longest;
    for (int i = 0; i < 4; ++i) longest += "\77"s + std::string(63, 'a');
    EXPECT_EQ(name_of(longest + "\0"s), "(none)");
}

TEST(DnsData, ReadsMxRecords) {
    EXPECT_EQ(read_mx("\1\2\1a\0"s)->preference, 258);
    EXPECT_EQ(read_mx("\0\0\0"s)->host, "");
    EXPECT_FALSE(read_mx("\0\0"s));
    EXPECT_FALSE(read_mx("\0\0\1a\0x"s)) << "something follows";
    EXPECT_FALSE(read_mx("\0\0\00210\0010\0010\0011\0"s)) << "an address is no host";
}

TEST(DnsData, ReadsAddresses) {
    EXPECT_EQ(read_address("\xc0\0\2\1"s, false)->text(), "192.0.2.1");
    EXPECT_FALSE(read_address("\xc0\0\2"s, false));
    EXPECT_FALSE(read_address("\xc0\0\2\1"s, true));
}

TEST(DnsData, TurnsAddressesAround) {
    EXPECT_EQ(reverse_name(IpAddress::v4(192, 0, 2, 1)), "1.2.0.192.in-addr.arpa");
    EXPECT_EQ(reverse_name(*IpAddress::parse("2001:db8::12")),
              "2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

std::vector<std::string> texts(const std::vector<Endpoint>& servers) {
    std::vector<std::string> out;
    for (const Endpoint& server : servers) out.push_back(server.text());
    return out;
}

TEST(DnsData, FindsTheServers) {
    EXPECT_THAT(
        texts(read_resolv_conf("# nameserver 1.1.1.1\nsearch x\nnameserver 192.0.2.1 # x\n"
                               "nameserver\t2001:db8::1\r\nnameserver nonsense\nnameserver\n")),
        ElementsAre("192.0.2.1:53", "[2001:db8::1]:53"));
    EXPECT_EQ(read_resolv_conf("nameserver 1.1.1.1\nnameserver 1.1.1.2\n", 1).size(), 1U);
    EXPECT_THAT(texts(*read_dns_servers("127.0.0.1@5353, ::1")),
                ElementsAre("127.0.0.1:5353", "[::1]:53"));
    EXPECT_FALSE(read_dns_servers("127.0.0.1@0"));
    EXPECT_FALSE(read_dns_servers("localhost"));
}

TEST(TrustAnchors, AreTheRecordsWithoutCommentsAndEmptyLines) {
    const auto anchors =
        read_trust_anchors("; a comment\n\n. IN DS 1 8 2 AB ; keytag\r\n x. DS 2\n");
    EXPECT_EQ(anchors, (std::vector<std::string>{". IN DS 1 8 2 AB", "x. DS 2"}));
    EXPECT_EQ(read_trust_anchors("a\nb\nc\n", 2).size(), 2U);
}

}  // namespace
}  // namespace posthaste::rewrite
