#include "runtime/heartbeat.h"

#include <gtest/gtest.h>
#include <memory>

#include "runtime/testing_loop.h"

namespace posthaste {
namespace {

TEST(Heartbeat, MovesWithEveryTurnAndTellsSleepFromWork) {
    TestingLoop loop;
    const auto page = std::make_unique<CounterPage>();
    const Heartbeat heartbeat(loop, *page);
    uint64_t last = page->beat;
    for (int turn = 0; turn < 3; ++turn) {
        EXPECT_TRUE(loop.turn()) << "it never keeps the loop awake";
        EXPECT_TRUE(Heartbeat::is_asleep(page->beat));
        EXPECT_GT(page->beat, last);
        last = page->beat;
        loop.wake();
        EXPECT_FALSE(Heartbeat::is_asleep(page->beat));
        EXPECT_GT(page->beat, last);
        last = page->beat;
    }
}

// Somebody else has work: the loop comes round without asking this one before it sleeps.
TEST(Heartbeat, MovesWithTurnsThatDoNotSleep) {
    TestingLoop loop;
    const auto page = std::make_unique<CounterPage>();
    Heartbeat heartbeat(loop, *page);
    heartbeat.on_turn_end();
    const uint64_t one = page->beat;
    heartbeat.on_turn_end();
    EXPECT_GT(page->beat, one);
    EXPECT_FALSE(Heartbeat::is_asleep(page->beat));
}

TEST(Heartbeat, LeavesTheLoopWhenItGoes) {
    TestingLoop loop;
    const auto page = std::make_unique<CounterPage>();
    { const Heartbeat heartbeat(loop, *page); }
    loop.turn();
    EXPECT_EQ(page->beat, 0U);
}

}  // namespace
}  // namespace posthaste
