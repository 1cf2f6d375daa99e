#include "cleanup/cleanup/lease_relay.h"

#include <gtest/gtest.h>

namespace posthaste::cleanup {
namespace {

std::vector<uint64_t> asked(LeaseRelay& relay, size_t room = SIZE_MAX) {
    std::vector<uint64_t> out;
    relay.send_unasked([&](uint64_t cookie) {
        if (out.size() == room) return false;
        out.push_back(cookie);
        return true;
    });
    return out;
}

TEST(LeaseRelay, FindsTheAskerByItsOwnCookie) {
    LeaseRelay relay;
    ASSERT_TRUE(relay.add({7, 100}));
    ASSERT_TRUE(relay.add({8, 100}));
    const auto cookies = asked(relay);
    ASSERT_EQ(cookies.size(), 2U);
    EXPECT_EQ(relay.take(cookies[1])->incarnation, 8U);
    EXPECT_EQ(relay.take(cookies[0])->cookie, 100U);
    EXPECT_FALSE(relay.take(cookies[0]));
    EXPECT_TRUE(relay.empty());
}

TEST(LeaseRelay, AsksEachQuestionOnceUntilTheStoreDies) {
    LeaseRelay relay;
    ASSERT_TRUE(relay.add({7, 1}));
    const auto first = asked(relay);
    EXPECT_TRUE(asked(relay).empty());
    relay.on_store_gone();
    EXPECT_FALSE(relay.take(first[0])) << "an answer to a question that nobody has open";
    EXPECT_EQ(asked(relay), first);
}

TEST(LeaseRelay, WaitsForRoom) {
    LeaseRelay relay;
    ASSERT_TRUE(relay.add({7, 1}));
    ASSERT_TRUE(relay.add({8, 2}));
    EXPECT_EQ(asked(relay, 1).size(), 1U);
    EXPECT_EQ(asked(relay).size(), 1U);
}

TEST(LeaseRelay, ForgetsWhoDied) {
    LeaseRelay relay;
    ASSERT_TRUE(relay.add({7, 1}));
    ASSERT_TRUE(relay.add({8, 1}));
    const auto cookies = asked(relay);
    relay.on_asker_gone(7);
    EXPECT_FALSE(relay.take(cookies[0]));
    EXPECT_TRUE(relay.take(cookies[1]));
}

TEST(LeaseRelay, IsBounded) {
    LeaseRelay relay;
    for (uint32_t i = 0; i < LeaseRelay::kPendingMax; ++i) ASSERT_TRUE(relay.add({100 + i, 1}));
    EXPECT_FALSE(relay.add({7, 0}));
}

TEST(LeaseRelay, KeepsOneQuestionOfAnAskerWhoAsksAgain) {
    LeaseRelay relay;
    for (uint64_t cookie = 1; cookie <= 5000; ++cookie) ASSERT_TRUE(relay.add({7, cookie}));
    const auto cookies = asked(relay);
    ASSERT_EQ(cookies.size(), 1U);
    ASSERT_TRUE(relay.add({7, 5001}));
    EXPECT_TRUE(asked(relay).empty()) << "the store has the question already";
    EXPECT_EQ(relay.take(cookies[0])->cookie, 5001U);
    EXPECT_TRUE(relay.empty());
}

}  // namespace
}  // namespace posthaste::cleanup
