// When mail is tried again: to the second, and over steps of the clock.
#include <gtest/gtest.h>

#include "scheduler/testing_world.h"

namespace posthaste {
namespace {

TEST(Scheduler, RetriesAtTheVerySecondAndBacksOff) {
    TestingWorld world;
    world.start();
    world.sites_["y.example"] = {false, false, Outcome::deferred, kMsUs, "451 4.3.0 later"};
    const MessageId id = world.submit("a@x.example", {"b@y.example"});
    int64_t gap_before_us = 0;
    for (int attempt = 1; attempt <= 8; ++attempt) {
        while (world.starts_.size() < static_cast<size_t>(attempt)) world.run_for(kSecondUs);
        world.run_for(kSecondUs);
        const QueueState state = world.state_of(id);
        ASSERT_EQ(state.groups.size(), 1U);
        EXPECT_EQ(state.groups[0].attempts, attempt);
        EXPECT_EQ(state.queue, QueueName::deferred);
        const int64_t due_us = int64_t{state.due_s()} * kSecondUs - TestingWorld::kStartWallUs;
        const int64_t gap_us = due_us - world.starts_.back().at_us;
        EXPECT_GE(gap_us, 300 * kSecondUs);
        EXPECT_LE(gap_us, 4001 * kSecondUs);
        if (attempt < 4) {
            EXPECT_GE(gap_us * 3, gap_before_us * 4) << "it grows";
        }
        gap_before_us = gap_us;
        world.run_for(due_us - world.now_us() - 5 * kMsUs);
        EXPECT_EQ(world.starts_.size(), static_cast<size_t>(attempt)) << "not before its time";
        world.run_for(20 * kMsUs);
        EXPECT_EQ(world.starts_.size(), static_cast<size_t>(attempt) + 1) << "and not after it";
    }
    EXPECT_EQ(world.store_.at(id).reasons.at(0), "451 4.3.0 later");
}

TEST(Scheduler, AClockThatIsSetBackDelaysNobodyByThat) {
    TestingWorld world;
    world.start();
    world.sites_["y.example"] = {false, false, Outcome::deferred, kMsUs, "451 4.3.0 later"};
    world.submit("a@x.example", {"b@y.example"});
    world.run_for(10 * kSecondUs);
    ASSERT_EQ(world.starts_.size(), 1U);
    world.step_clock(-24 * kHourUs);
    world.run_for((4000 + 300 + 120) * kSecondUs);
    EXPECT_GE(world.starts_.size(), 2U) << "what waited before";
    const size_t before = world.starts_.size();
    world.submit("a@x.example", {"c@y.example"});
    world.run_for(700 * kSecondUs);
    EXPECT_GE(world.starts_.size(), before + 2) << "what came after, once again after its backoff";
}

// When the message's time has come, that of its recipients on disk is still ahead.
TEST(Scheduler, AClockThatIsSetBackByLessThanTheLongestWaitAddsNothingToThat) {
    for (const int64_t back_s : {4200, 8000}) {
        TestingWorld world;
        world.start();
        world.sites_["y.example"] = {false, false, Outcome::deferred, kMsUs, "451 4.3.0 later"};
        world.submit("a@x.example", {"b@y.example"});
        world.run_for(10 * kSecondUs);
        ASSERT_EQ(world.starts_.size(), 1U);
        world.step_clock(-back_s * kSecondUs);
        world.run_for((4000 + 300 + 70) * kSecondUs);
        EXPECT_EQ(world.starts_.size(), 2U) << back_s;
    }
}

TEST(Scheduler, AClockThatIsWrongForAMomentMakesNothingDue) {
    TestingWorld world;
    world.start();
    world.sites_["y.example"] = {false, false, Outcome::deferred, kMsUs, "451 4.3.0 later"};
    for (int i = 0; i < 10; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(10 * kSecondUs);
    const size_t before = world.starts_.size();
    world.step_clock(-5 * kHourUs);
    world.run_for(130 * kSecondUs);
    world.step_clock(5 * kHourUs);
    world.run_for(100 * kSecondUs);
    EXPECT_EQ(world.starts_.size(), before);
    world.run_for(700 * kSecondUs);
    EXPECT_GT(world.starts_.size(), before) << "each at its time";
}

}  // namespace
}  // namespace posthaste
