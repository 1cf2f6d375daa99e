#include "cleanup/rewrite/next_hop.h"

#include <gtest/gtest.h>

namespace posthaste::rewrite {
namespace {

std::string shown(std::string_view text) {
    const auto hop = parse_next_hop(text, 25);
    if (!hop) return "(none)";
    return std::string(hop->look_up_mx ? "mx " : "host ") + hop->host +
           (hop->address ? " address " : " ") + std::to_string(hop->port);
}

TEST(NextHop, OfADomainIsItsMx) {
    EXPECT_EQ(shown("Example.COM"), "mx example.com 25");
    EXPECT_EQ(shown("example.com."), "mx example.com 25");
    EXPECT_EQ(shown("example.com:587"), "mx example.com 587");
    EXPECT_EQ(shown(" example.com:submission "), "mx example.com 587");
}

TEST(NextHop, InBracketsIsTheHostItself) {
    EXPECT_EQ(shown("[mail.example.com]"), "host mail.example.com 25");
    EXPECT_EQ(shown("[mail.example.com]:2525"), "host mail.example.com 2525");
    EXPECT_EQ(shown("[192.0.2.1]:24"), "host 192.0.2.1 address 24");
    EXPECT_EQ(shown("192.0.2.1:24"), "host 192.0.2.1 address 24");
    EXPECT_EQ(shown("192.0.2.1"), "host 192.0.2.1 address 25");
    EXPECT_EQ(shown("[2001:db8::1]"), "host 2001:db8::1 address 25");
    EXPECT_EQ(shown("[IPv6:2001:db8::1]:25"), "host 2001:db8::1 address 25");
}

TEST(NextHop, IsWrittenAsDnsKnowsIt) {
    EXPECT_EQ(shown("例え.jp"), "mx xn--r8jz45g.jp 25");
    EXPECT_EQ(shown("[MX.Bücher.example]:26"), "host mx.xn--bcher-kva.example 26");
    EXPECT_EQ(shown("_a.example"), "mx _a.example 25");
    EXPECT_EQ(shown("a\xff.example"), "(none)");
}

TEST(NextHop, IsNotAnything) {
    for (const std::string_view text : {"",
                                        "[",
                                        "[]",
                                        "[a",
                                        "[a]x",
                                        "[a]:",
                                        "[a]:0",
                                        "[a]:65536",
                                        "[a]:gopher",
                                        "a:",
                                        "a:1:2",
                                        "a b",
                                        "a/b",
                                        ".a",
                                        "a..b",
                                        "a..",
                                        "192.0.2.1.",
                                        "[192.0.2.1.]",
                                        "１９２.0.2.1",
                                        "a。",
                                        "2001:db8::1",
                                        "[IPv6:192.0.2.1]"}) {
        EXPECT_EQ(shown(text), "(none)") << text;
    }
}

TEST(NextHop, ComesInLists) {
    const auto hops = parse_next_hops("a.example, [b.example]:26 c.example:27", 25);
    ASSERT_TRUE(hops);
    ASSERT_EQ(hops->size(), 3U);
    EXPECT_EQ((*hops)[1].port, 26);
    EXPECT_FALSE(parse_next_hops(" , ", 25));
    EXPECT_FALSE(parse_next_hops("a.example, [", 25));
    std::string many;
    for (size_t i = 0; i <= kNextHopsMax; ++i) many += "a.example ";
    EXPECT_FALSE(parse_next_hops(many, 25));
}

}  // namespace
}  // namespace posthaste::rewrite
