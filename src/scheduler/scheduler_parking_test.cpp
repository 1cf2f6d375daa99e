// How much of the active queue one site may hold, and who waits in line for it.
#include <gtest/gtest.h>

#include "scheduler/testing_world.h"

namespace posthaste {
namespace {

constexpr uint32_t kLimit = 2000;            // several times what may be loading at once
constexpr uint32_t kHalf = kLimit / 2 + 30;  // and the jobs that are out

void expect_room_for_others(TestingWorld& world, const std::string& when) {
    EXPECT_LE(world.scheduler().active(), kHalf) << when;
    EXPECT_GT(world.scheduler().parked(), 0U) << when;
    const size_t before = count_recipient(world, "b@y.example");
    for (int i = 0; i < 10; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(count_recipient(world, "b@y.example") - before, 10U) << when;
}

TEST(Scheduler, ASlowSiteDoesNotFillTheActiveQueue) {
    SchedulerConfig config;
    config.active_limit = 100;
    TestingWorld world(config);
    world.start();
    world.sites_["slow.example"].hangs = true;
    for (int i = 0; i < 1000; ++i) world.submit("a@x.example", {"b@slow.example"});
    world.run_for(5 * kSecondUs);
    EXPECT_GT(world.scheduler().parked(), 0U);
    for (int i = 0; i < 50; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(5 * kSecondUs);
    EXPECT_EQ(count_recipient(world, "b@y.example"), 50U);
    EXPECT_LE(world.active_max_, 100U);
}

// However quick it was before: those who waited in line for it are not all sent for at once.
TEST(Scheduler, ASiteThatStopsAnsweringDoesNotFillTheActiveQueueEither) {
    for (int stops_after_ms = 0; stops_after_ms < 300; stops_after_ms += 5) {
        SchedulerConfig config;
        config.active_limit = 20;
        TestingWorld world(config);
        world.transport_.feedback.limit = 2;
        world.start();
        world.sites_["slow.example"].delay_us = 5 * kMsUs;
        for (int i = 0; i < 100; ++i) world.submit("a@x.example", {"b@slow.example"});
        world.run_for(stops_after_ms * kMsUs);
        world.sites_["slow.example"].hangs = true;
        world.run_for(5 * kSecondUs);
        for (int i = 0; i < 10; ++i) world.submit("a@x.example", {"b@y.example"});
        world.run_for(5 * kSecondUs);
        EXPECT_EQ(count_recipient(world, "b@y.example"), 10U) << stops_after_ms;
    }
}

TEST(Scheduler, SendsForParkedMessagesWhenThereIsRoomAgain) {
    SchedulerConfig config;
    config.active_limit = 50;
    TestingWorld world(config);
    world.start();
    world.sites_["y.example"].delay_us = 20 * kMsUs;
    for (int i = 0; i < 2000; ++i)
        world.submit("a@x.example", {"user" + std::to_string(i) + "@y.example"});
    world.run_for(kHourUs);
    EXPECT_EQ(world.deliveries_.size(), 2000U);
    EXPECT_GT(world.scheduler().stats().parked, 0U);
    EXPECT_EQ(world.scheduler().parked(), 0U);
    EXPECT_LE(world.active_max_, 50U);
    EXPECT_EQ(world.lent_of_removed_, 0);
}

TEST(Scheduler, ASlowSiteDoesNotFillTheActiveQueueAfterTheStoreHasBegunAnew) {
    SchedulerConfig config;
    config.active_limit = kLimit;
    TestingWorld world(config);
    world.load_us_ = 5 * kMsUs;
    world.start();
    world.sites_["slow.example"].hangs = true;
    for (int i = 0; i < 6000; ++i) world.submit("a@x.example", {"b@slow.example"});
    world.run_for(5 * kSecondUs);
    expect_room_for_others(world, "before");
    world.store_down();
    world.run_for(kSecondUs);
    world.store_up();
    world.run_for(10 * kSecondUs);
    EXPECT_GT(world.scheduler().active(), kLimit / 4);
    expect_room_for_others(world, "after");
}

// Its queue is empty again and again, and all that waits seems to have room.
TEST(Scheduler, ASiteThatWasQuickerThanTheStoreDoesNotFillTheActiveQueueWhenItHangs) {
    for (int hangs_after_ms = 50; hangs_after_ms < 600; hangs_after_ms += 50) {
        SchedulerConfig config;
        config.active_limit = kLimit;
        TestingWorld world(config);
        world.load_us_ = 50 * kMsUs;
        world.start();
        world.sites_["slow.example"].delay_us = kMsUs;
        for (int i = 0; i < 40'000; ++i) world.submit("a@x.example", {"b@slow.example"});
        world.run_for(hangs_after_ms * kMsUs);
        world.sites_["slow.example"].hangs = true;
        world.run_for(5 * kSecondUs);
        expect_room_for_others(world, std::to_string(hangs_after_ms));
    }
}

// A message that can not be read after it was sent for must not stop the line.
TEST(Scheduler, WhoWaitsInLineIsSentForAlsoWhenOneBeforeItWasLost) {
    SchedulerConfig config;
    config.active_limit = 20;
    TestingWorld world(config);
    world.start();
    world.sites_["slow.example"].delay_us = 20 * kMsUs;
    std::vector<MessageId> ids;
    for (int i = 0; i < 500; ++i) ids.push_back(world.submit("a@x.example", {"b@slow.example"}));
    world.run_for(5 * kMsUs);
    ASSERT_GT(world.scheduler().parked(), 400U);
    QueueState held;
    held.queue = QueueName::hold;
    held.groups.push_back({kNeverDue, 1, {0}});
    for (size_t i = 100; i < 400; ++i) encode_queue_state(held, world.store_.at(ids[i]).state);
    world.run_for(kHourUs);
    EXPECT_EQ(count_recipient(world, "b@slow.example"), 200U);
    EXPECT_EQ(world.scheduler().parked(), 0U);
}

}  // namespace
}  // namespace posthaste
