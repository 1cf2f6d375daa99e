#include "cleanup/cleanup/transactions.h"

#include <gtest/gtest.h>

namespace posthaste::cleanup {
namespace {

TEST(Transactions, AreFoundByTheirCookieUntilClosed) {
    Transactions all;
    Transaction* const first = all.open();
    Transaction* const second = all.open();
    const uint64_t cookie = first->cookie;
    EXPECT_NE(cookie, second->cookie);
    EXPECT_EQ(all.find(cookie), first);
    all.close(*first);
    EXPECT_EQ(all.find(cookie), nullptr);
    EXPECT_EQ(all.size(), 1U);
}

TEST(Transactions, ALateAnswerDoesNotFindTheSlotsNextUser) {
    Transactions all;
    const uint64_t old = all.open()->cookie;
    all.close(*all.find(old));
    Transaction* const next = all.open();
    EXPECT_EQ(static_cast<uint32_t>(next->cookie), static_cast<uint32_t>(old));
    EXPECT_EQ(all.find(old), nullptr);
    EXPECT_EQ(all.find(0), nullptr);
    EXPECT_EQ(all.find(UINT64_MAX), nullptr);
}

TEST(Transactions, AreBounded) {
    Transactions all;
    for (size_t i = 0; i < Transactions::kTransactionsMax; ++i) ASSERT_NE(all.open(), nullptr);
    EXPECT_TRUE(all.full());
    EXPECT_EQ(all.open(), nullptr);
    all.each([&](Transaction& each) { all.close(each); });
    EXPECT_EQ(all.size(), 0U);
    EXPECT_NE(all.open(), nullptr);
}

}  // namespace
}  // namespace posthaste::cleanup
