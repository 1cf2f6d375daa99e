// When a message may be loaded again: not before the store knows what is done of it.
#include <gtest/gtest.h>

#include "scheduler/scheduler.h"
#include "scheduler/testing_world.h"

namespace posthaste {
namespace {

// The store answers a load from what is committed. It would bring back recipients whose outcome is
// still on its way to it.
TEST(Scheduler, LoadsNoMessageAgainWhileAnOutcomeOfItIsUnderWay) {
    TestingWorld world;
    world.transport_.feedback.limit = 1;
    world.start();
    world.sites_["slow.example"].delay_us = kMinuteUs;
    for (int i = 0; i < 3; ++i) world.submit("a@x.example", {"user@slow.example"});
    world.submit("a@x.example", {"one@quick.example", "two@slow.example"});
    while (world.unrecorded() == 0 && world.now_us() < 10 * kSecondUs) world.run_for(50);
    ASSERT_EQ(world.unrecorded(), 1U) << "one is done, the other still waits for its turn";
    world.store_down();
    EXPECT_EQ(world.unrecorded(), 2U) << "the message leaves with an outcome that is waited for";
    world.store_up();
    world.run_for(kHourUs);
    EXPECT_EQ(world.deliveries_.size(), 5U);
    EXPECT_TRUE(world.store_.empty());
}

// Who waits in line for a destination is sent for when something of it is over; a store that dies
// takes all of it away.
TEST(Scheduler, SendsForWhoWaitsInLineWhenTheStoreHasTakenTheOthers) {
    SchedulerConfig config;
    config.active_limit = 6;
    TestingWorld world(config);
    world.transport_.feedback.limit = 1;
    world.start();
    world.sites_["slow.example"].delay_us = 10 * kSecondUs;
    for (int i = 0; i < 20; ++i) world.submit("a@x.example", {"user@slow.example"});
    world.run_for(kSecondUs);
    ASSERT_GT(world.scheduler().parked(), 0U);
    world.agent_down(100);
    world.store_down();
    world.agent_up(101);
    world.store_up();
    world.run_for(kHourUs);
    EXPECT_EQ(world.scheduler().parked(), 0U);
    EXPECT_TRUE(world.store_.empty());
}

}  // namespace
}  // namespace posthaste
