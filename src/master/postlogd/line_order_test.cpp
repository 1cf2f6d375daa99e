#include "master/postlogd/line_order.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

std::string released(LineOrder& order, int64_t now_us, bool all = false) {
    std::string out;
    order.release(now_us, all, [&](std::string_view text) { out += text; });
    return out;
}

TEST(LineOrder, PutsLinesInTheOrderInWhichTheyWereSaid) {
    LineOrder order;
    order.add(300, 1000, "removed ");
    order.add(100, 1000, "from ");
    order.add(200, 1001, "sent ");
    order.add(300, 1001, "next ");
    EXPECT_EQ(released(order, 1000 + LineOrder::kWaitUs - 1), "") << "an earlier one may come";
    EXPECT_EQ(order.next_us(), 1000 + LineOrder::kWaitUs);
    EXPECT_EQ(released(order, 1000 + LineOrder::kWaitUs), "from sent removed next ")
        << "of the same moment: as they came";
    EXPECT_TRUE(order.empty());
    EXPECT_EQ(order.bytes(), 0U);
}

TEST(LineOrder, KeepsWhatWasSaidLaterAndMayHaveAPredecessorOnItsWay) {
    LineOrder order;
    order.add(100, 1000, "a ");
    order.add(500, 2000, "d ");
    order.add(50, 3000, "0 ");
    EXPECT_EQ(released(order, 1000 + LineOrder::kWaitUs), "0 a ");
    order.add(400, 4000, "c ");
    EXPECT_EQ(order.bytes(), 4U);
    EXPECT_EQ(released(order, 2000 + LineOrder::kWaitUs), "c d ");
}

TEST(LineOrder, WaitsForNoWallClockThatWasSetBack) {
    LineOrder order;
    order.add(1'000'000'000, 1000, "before ");
    order.add(5, 1010, "after ");
    EXPECT_EQ(released(order, 1010 + LineOrder::kWaitUs), "after before ");
    EXPECT_TRUE(order.empty());
}

TEST(LineOrder, GivesUpEverythingAtTheEnd) {
    LineOrder order;
    order.add(2, 1000, "b ");
    order.add(1, 1000, "a ");
    EXPECT_EQ(released(order, 1000, true), "a b ");
    EXPECT_EQ(released(order, 1000, true), "");
}

}  // namespace
}  // namespace posthaste
