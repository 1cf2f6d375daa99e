#include "mail/address.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

TEST(IsValidAddress, FollowsRfc5321) {
    for (const char* good : {"a@b", "a", "a.b+c@d-e.example", "\"a b\"@c", "\"\"@c", "\"a\\\"b\"",
                             "a@[127.0.0.1]", "{a}|b~@c.example", "a@1.example"}) {
        EXPECT_TRUE(is_valid_address(good, false)) << good;
    }
    for (const char* bad :
         {"", "@b", "a@", "a..b@c", ".a@b", "a.@b", "a@b.", "a@b_c", "a@b@c", "\"a\"b@c", "\"a@b",
          "a b@c", "<a@b>", "a@[1.2.3]", "a,b@c", "\"a\x01\"@b", "a@-b", "a\\b@c"}) {
        EXPECT_FALSE(is_valid_address(bad, false)) << bad;
    }
    EXPECT_TRUE(is_valid_address("\xc3\xb6@b\xc3\xb6.example", true));
    EXPECT_FALSE(is_valid_address("\xc3\xb6@b", false));
    EXPECT_FALSE(is_valid_address("\xc3@b", true));
}

TEST(Address, IsSplitAtTheLastUnquotedAt) {
    EXPECT_EQ(domain_of("a@B.Example"), "B.Example");
    EXPECT_EQ(local_part_of("a@B.Example"), "a");
    EXPECT_EQ(domain_of("\"a@b\"@c"), "c");
    EXPECT_EQ(local_part_of("\"a@b\"@c"), "\"a@b\"");
    EXPECT_EQ(domain_of("\"a@b\""), "");
    EXPECT_EQ(local_part_of("\"a@b\""), "\"a@b\"");
    EXPECT_EQ(domain_of("postmaster"), "");
    EXPECT_EQ(domain_of(""), "");
    EXPECT_EQ(local_part_of("a@"), "a");
}

TEST(IsValidAddress, AnAddressOfAMachineHasBrackets) {
    EXPECT_FALSE(is_valid_address("a@192.0.2.1", false));
    EXPECT_TRUE(is_valid_address("a@[192.0.2.1]", false));
}

TEST(Hostname, HasLdhLabelsAndIsNoNumber) {
    EXPECT_TRUE(is_valid_hostname("mail-1.example.com"));
    EXPECT_TRUE(is_valid_hostname("localhost"));
    EXPECT_TRUE(is_valid_hostname("1and1.example"));
    EXPECT_TRUE(is_valid_hostname("web_1.example")) << "in use, whatever RFC 1123 says";
    for (const char* bad : {"", ".", "a.", ".a", "a..b", "-a", "a-", "a b", "192.0.2.1", "25",
                            "[192.0.2.1]", "\xc3\xb6.example"}) {
        EXPECT_FALSE(is_valid_hostname(bad)) << bad;
    }
    EXPECT_TRUE(is_valid_hostname(std::string(63, 'a')));
    EXPECT_FALSE(is_valid_hostname(std::string(64, 'a')));
}

TEST(AddressLiteral, IsABracketedIpAddress) {
    EXPECT_TRUE(is_address_literal("[192.0.2.1]"));
    EXPECT_TRUE(is_address_literal("[IPv6:::1]"));
    EXPECT_TRUE(is_address_literal("[ipv6:2001:db8::1]"));
    for (const char* bad :
         {"", "[]", "[", "[a]", "192.0.2.1", "[192.0.2.1", "[2001:db8::1]", "[IPv6:]"}) {
        EXPECT_FALSE(is_address_literal(bad)) << bad;
    }
}

TEST(Utf8, RefusesOverlongSurrogatesAndTheCutOff) {
    EXPECT_TRUE(is_utf8("\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
    for (const char* bad : {"\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                            "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82",
                            "\xf0\x9f\x98", "\xe2\x28\xa1", "\xe2\x82\x28"}) {
        EXPECT_FALSE(is_utf8(bad));
    }
}

TEST(ExternalAddress, IsQuotedWhereItMustBeAndNowhereElse) {
    const auto external = [](std::string_view address) {
        std::string out = "<";
        append_external(out, address);
        return out.substr(1);
    };
    for (const char* plain : {"", "a@b", "a.b+c@d", "postmaster", "\xc3\xb6@b", "u@[192.0.2.1]"})
        EXPECT_EQ(external(plain), plain);
    EXPECT_EQ(external("foo..bar.@docomo.test"), "\"foo..bar.\"@docomo.test");
    EXPECT_EQ(external(".a@b"), "\".a\"@b");
    EXPECT_EQ(external("\"user\"@b"), "user@b");
    EXPECT_EQ(external("\"us\\er\"@b"), "user@b");
    EXPECT_EQ(external("\"a b\"@c"), "\"a b\"@c");
    EXPECT_EQ(external("\"a@b\"@c"), "\"a@b\"@c");
    EXPECT_EQ(external("\"a\\\"\\\\b\"@c"), "\"a\\\"\\\\b\"@c");
    EXPECT_EQ(external("\"\"@b"), "\"\"@b");
    EXPECT_EQ(external("\"a\".b@c"), "a.b@c") << "words quoted one by one";
    EXPECT_EQ(external("\"a b\".c@d"), "\"a b.c\"@d");
}

TEST(CanonicalAddress, LowersTheDomainOnly) {
    EXPECT_EQ(canonical_address("User@Example.COM"), "User@example.com");
    EXPECT_EQ(canonical_address("\"A@B\"@C"), "\"A@B\"@c");
    EXPECT_EQ(canonical_address("PostMaster"), "PostMaster");
    EXPECT_EQ(canonical_address(""), "");
}

}  // namespace
}  // namespace posthaste
