#include "mail/path.h"

#include <gtest/gtest.h>

#include "mail/address.h"

namespace posthaste {
namespace {

std::string path(std::string_view text, PathRules rules = {}) {
    const auto parsed = parse_path(text, rules);
    return parsed ? parsed->address + "|" + std::string(parsed->rest) : "refused";
}

TEST(ParsePath, TakesTheAddressOutOfTheBrackets) {
    for (const bool strict : {false, true}) {
        const PathRules rules{.strict = strict};
        EXPECT_EQ(path("<a@b.example>", rules), "a@b.example|");
        EXPECT_EQ(path("<a@b.example> SIZE=1 BODY=8BITMIME", rules),
                  "a@b.example| SIZE=1 BODY=8BITMIME");
        EXPECT_EQ(path("<>", rules), "|");
        EXPECT_EQ(path("<> RET=FULL", rules), "| RET=FULL");
        EXPECT_EQ(path("<Postmaster>", rules), "Postmaster|");
        EXPECT_EQ(path("<\"a>b \\\" c@d\"@e.example>", rules), "\"a>b \\\" c@d\"@e.example|");
        EXPECT_EQ(path("<a@[192.0.2.1]>", rules), "a@[192.0.2.1]|");
        EXPECT_EQ(path("<a@[IPv6:2001:db8::1]>", rules), "a@[IPv6:2001:db8::1]|");
        EXPECT_EQ(path("<@x.example,@y.example:a@b>", rules), "a@b|");
        EXPECT_EQ(path("<a%b!c/d=e@f>", rules), "a%b!c/d=e@f|");
    }
}

TEST(ParsePath, GivesOneFormToWhateverWayItIsWritten) {
    for (const char* user :
         {"<user@b.test>", "<\"user\"@b.test>", "<\"us\\er\"@b.test>", "<u\\ser@b.test>",
          "< user@b.test >", "<<user@b.test>>", "<user(comment)@b.test>",
          "<(a (b) c) user @ b.test>", "<user@b.test.>", "user@b.test", "<@x.test:\"user\"@b.test>",
          "<user@b.test>>", "user@b.test>"})
        EXPECT_EQ(path(user), "user@b.test|") << user;
    EXPECT_EQ(path("<foo..bar.@b.test>"), "\"foo..bar.\"@b.test|");
    EXPECT_EQ(path("<x.\"y z\"@b>"), "\"x.y z\"@b|");
    EXPECT_EQ(path("<\"a\".\"b\"@c.test>"), "a.b@c.test|");
    EXPECT_EQ(path("<a@b@c.test>"), "\"a@b\"@c.test|");
    EXPECT_EQ(path("<a@@b.test>"), "\"a@\"@b.test|");
    EXPECT_EQ(path("<@b.test>"), "\"\"@b.test|");
    EXPECT_EQ(path("<\"\"@b.test>"), "\"\"@b.test|");
    EXPECT_EQ(path("<\"\">"), "|") << "the null address";
    EXPECT_EQ(path("<a:b@c.test>"), "\"a:b\"@c.test|");
    EXPECT_EQ(path("<\\\"a@b.test>"), "\"\\\"a\"@b.test|");
    EXPECT_EQ(path("< \"a b\"@c.test >"), "\"a b\"@c.test|");
    EXPECT_EQ(path("<a..b@c_d.example>"), "\"a..b\"@c_d.example|");
}

TEST(ParsePath, TellsHowItWasWritten) {
    EXPECT_EQ(parse_path("< \"us\\er\"@b.test > X=1", {})->given, " \"us\\er\"@b.test ");
    EXPECT_EQ(parse_path("a@b", {})->given, "a@b");
    EXPECT_EQ(parse_path("<@x.test:a@b>", {})->given, "@x.test:a@b");
}

TEST(ParsePath, IsLenientWhereThePostfixDefaultIs) {
    EXPECT_EQ(path("  <a@b>"), "a@b|");
    EXPECT_EQ(path("a@b SIZE=1"), "a@b| SIZE=1");
    EXPECT_EQ(path("\ta@b"), "a@b|");
    for (const char* loose : {"a@b", "<a(b)@c>", "<@b>", "<\"\"@b>", "a@b>"})
        EXPECT_EQ(path(loose, {.strict = true}), "refused") << loose;
    for (const char* still : {"<<a@b>>", "< a@b >", "<a@b.>"})
        EXPECT_EQ(path(still, {.strict = true}), "a@b|") << still;
}

TEST(ParsePath, RefusesWhatIsNoAddressOrMoreThanOne) {
    for (const char* bad : {"",
                            " ",
                            "<",
                            ">",
                            "<a",
                            "<a@b",
                            "<<a@b>",
                            "<a@b>x",
                            "<a b@c>",
                            "<a@b c>",
                            "<a (x) b@c>",
                            "<a\"b@c>",
                            "<\"a@b>",
                            "<\"a\\",
                            "<\"a\\\">",
                            "<a\\>",
                            "<a@>",
                            "<@b:>",
                            "<@b,a@c>",
                            "<a@b..c>",
                            "<a@.b>",
                            "<a@-b>",
                            "<a@b->",
                            "<a@b..>",
                            "<a@\"b\">",
                            "<a@b\\c>",
                            "<a,b@c>",
                            "<a;b@c>",
                            "<a[b@c>",
                            "<a@b,c@d>",
                            "<a@(b)>",
                            "<a(b@c>",
                            "<a)b@c>",
                            "<a@[192.0.2]>",
                            "<a@[::1]>",
                            "<a@[IPv6:192.0.2.1]>",
                            "<a@192.0.2.1>",
                            "<a@b]>",
                            "<a\"b\"c@c.test>",
                            "<\"a\"b@c.test>",
                            "<b\"a\"@c.test>",
                            "<x.\"y\"z@b.test>",
                            "<a\r@b>",
                            "<a\n@b>",
                            "<a\x01@b>",
                            "<a\x7f@b>",
                            "<\"a\x01\"@b>",
                            "<\"a\t\"@b>",
                            "<\"a\\\t\"@b>",
                            "<a\\\x01@b>",
                            "<a@b\x01>",
                            "<@\"x\":a@b>x"}) {
        EXPECT_EQ(path(bad), "refused") << bad;
    }
    EXPECT_EQ(path(std::string_view("<a\0@b>", 6)), "refused");
    EXPECT_EQ(path(std::string_view("<\"a\0\"@b>", 8)), "refused");
    EXPECT_EQ(path(std::string_view("<a@b\0>", 6)), "refused");
}

TEST(ParsePath, TakesUtf8OnlyWhenAllowedAndWellFormed) {
    const char* address = "<j\xc3\xb6rg@b\xc3\xbc.example>";
    EXPECT_EQ(path(address), "refused");
    EXPECT_EQ(path(address, {.utf8 = true}), "j\xc3\xb6rg@b\xc3\xbc.example|");
    EXPECT_EQ(path("<\"\xc3\xb6 x\"@b>", {.utf8 = true}), "\"\xc3\xb6 x\"@b|");
    EXPECT_EQ(path("<a\xc3@b>", {.utf8 = true}), "refused");
    EXPECT_EQ(path("<a\xff@b>", {.utf8 = true}), "refused");
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
    const std::string deep(100'000, '(');
    EXPECT_EQ(path("<" + deep + std::string(100'000, ')') + "a@b>"), "a@b|");
}

}  // namespace
}  // namespace posthaste
