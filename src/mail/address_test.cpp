#include "mail/address.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

std::string path(std::string_view text, bool allow_utf8 = false) {
    const auto parsed = parse_path(text, allow_utf8);
    return parsed ? std::string(parsed->address) + "|" + std::string(parsed->rest) : "refused";
}

TEST(ParsePath, TakesTheAddressOutOfTheBrackets) {
    EXPECT_EQ(path("<a@b.example>"), "a@b.example|");
    EXPECT_EQ(path("<a@b.example> SIZE=1 BODY=8BITMIME"), "a@b.example| SIZE=1 BODY=8BITMIME");
    EXPECT_EQ(path("<>"), "|");
    EXPECT_EQ(path("<> RET=FULL"), "| RET=FULL");
    EXPECT_EQ(path("<Postmaster>"), "Postmaster|");
    EXPECT_EQ(path("<\"a>b \\\" c@d\"@e.example>"), "\"a>b \\\" c@d\"@e.example|");
    EXPECT_EQ(path("<a@[192.0.2.1]>"), "a@[192.0.2.1]|");
    EXPECT_EQ(path("<a@[IPv6:2001:db8::1]>"), "a@[IPv6:2001:db8::1]|");
}

TEST(ParsePath, IsLenientWhereThePostfixDefaultIs) {
    EXPECT_EQ(path("  <a@b>"), "a@b|");
    EXPECT_EQ(path("a@b SIZE=1"), "a@b| SIZE=1");
    EXPECT_EQ(path("\ta@b"), "a@b|");
    EXPECT_EQ(path("<@x.example,@y.example:a@b>"), "a@b|");
    EXPECT_EQ(path("<a..b.@c_d.example>"), "a..b.@c_d.example|");
    EXPECT_EQ(path("<x.\"y z\"@b>"), "x.\"y z\"@b|");
    EXPECT_EQ(path("<a@b.example.>"), "a@b.example|");
    EXPECT_EQ(path("<a%b!c/d=e@f>"), "a%b!c/d=e@f|");
}

TEST(ParsePath, RefusesWhatCouldMeanSomethingElseFurtherOn) {
    for (const char* bad : {"",
                            " ",
                            "<",
                            ">",
                            "<a",
                            "<a@b",
                            "<a@b>x",
                            "<a@b>>",
                            "a@b>",
                            "<<a@b>>",
                            "<a b@c>",
                            "<a@b c>",
                            "<a\"b@c>",
                            "<\"a@b>",
                            "<\"a\\",
                            "<\"a\\\">",
                            "<a@>",
                            "@b",
                            "<@b>",
                            "<@b:>",
                            "<@b,a@c>",
                            "<a@b..c>",
                            "<a@.b>",
                            "<a@-b>",
                            "<a@b->",
                            "<a@b..>",
                            "<a@b@c>",
                            "<a,b@c>",
                            "<a@b,c@d>",
                            "<a@(b)>",
                            "<a:b@c>",
                            "<a\\@b@c>",
                            "<a@[192.0.2]>",
                            "<a@[::1]>",
                            "<a@[IPv6:192.0.2.1]>",
                            "<a@b]>",
                            "<a\r@b>",
                            "<a\n@b>",
                            "<a\x01@b>",
                            "<a\x7f@b>",
                            "<\"a\x01\"@b>",
                            "<\"a\t\"@b>",
                            "<a@b\x01>",
                            "<@\"x\":a@b>"}) {
        EXPECT_EQ(path(bad), "refused") << bad;
    }
    EXPECT_EQ(path(std::string_view("<a\0@b>", 6)), "refused");
    EXPECT_EQ(path(std::string_view("<\"a\0\"@b>", 8)), "refused");
    EXPECT_EQ(path(std::string_view("<a@b\0>", 6)), "refused");
}

TEST(ParsePath, TakesUtf8OnlyWhenAllowedAndWellFormed) {
    const char* address = "<j\xc3\xb6rg@b\xc3\xbc.example>";
    EXPECT_EQ(path(address), "refused");
    EXPECT_EQ(path(address, true), "j\xc3\xb6rg@b\xc3\xbc.example|");
    EXPECT_EQ(path("<\"\xc3\xb6 x\"@b>", true), "\"\xc3\xb6 x\"@b|");
    EXPECT_EQ(path("<a\xc3@b>", true), "refused");
    EXPECT_EQ(path("<a\xff@b>", true), "refused");
}

TEST(ParsePath, HasABound) {
    const std::string local(kAddressBytesMax - 2, 'a');
    EXPECT_EQ(path("<" + local + "@b>"), local + "@b|");
    EXPECT_EQ(path("<" + local + "a@b>"), "refused");
    const std::string domain = std::string(63, 'd') + "." + std::string(63, 'd') + "." +
                               std::string(63, 'd') + "." + std::string(63, 'd');
    EXPECT_NE(path("<a@" + domain + ">"), "refused");
    EXPECT_EQ(path("<a@" + domain + "d>"), "refused");
    EXPECT_EQ(path("<a@" + domain.substr(1) + ".d>"), "refused");
}

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

TEST(ParsePath, AQuotedStringIsAWordOfItsOwn) {
    for (const char* bad : {"<a\"b\"c@c.test>", "<\"a\"b@c.test>", "<b\"a\"@c.test>",
                            "<just\"not\"right@b.test>", "<x.\"y\"z@b.test>"})
        EXPECT_FALSE(parse_path(bad, false)) << bad;
    for (const char* good :
         {"<\"a b\"@c.test>", "<x.\"y z\"@b.test>", "<\"x\".y@b.test>", "<\"a\\\"b\"@c.test>"})
        EXPECT_TRUE(parse_path(good, false)) << good;
}

TEST(ParsePath, AnAddressOfAMachineHasBrackets) {
    EXPECT_FALSE(parse_path("<a@192.0.2.1>", false));
    EXPECT_TRUE(parse_path("<a@[192.0.2.1]>", false));
    EXPECT_FALSE(is_valid_address("a@192.0.2.1", false));
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
