// Due times of recipients, and what the operator's flush means.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/testing_world.h"

namespace posthaste {
namespace {

using testing::HasSubstr;

SchedulerConfig with_backoff(int64_t minimal_us, int64_t maximal_us) {
    SchedulerConfig config;
    config.backoff = {minimal_us, maximal_us};
    return config;
}

size_t attempts_of(const TestingWorld& world, std::string_view first_recipient) {
    return static_cast<size_t>(
        std::count_if(world.starts_.begin(), world.starts_.end(),
                      [&](const auto& start) { return start.recipient == first_recipient; }));
}

TEST(Retries, ARecipientIsTriedAtItsTimeWhateverTheOthersOfItsMessageAreAt) {
    TestingWorld world(with_backoff(10 * kSecondUs, 10 * kSecondUs));
    world.start();
    world.sites_["slow.example"].hangs = true;
    world.sites_["grey.example"] = {.outcome = Outcome::deferred, .text = "450 4.2.0 Greylisted"};
    const MessageId id = world.submit("a@x.example", {"b@slow.example", "c@grey.example"});
    world.run_for(9 * kSecondUs);
    EXPECT_EQ(attempts_of(world, "c@grey.example"), 1U);
    world.run_for(3 * kSecondUs);
    EXPECT_EQ(attempts_of(world, "c@grey.example"), 2U);
    world.sites_["grey.example"] = {};
    world.run_for(12 * kSecondUs);
    EXPECT_EQ(count_recipient(world, "c@grey.example"), 1U);
    EXPECT_EQ(attempts_of(world, "b@slow.example"), 1U);
    EXPECT_THAT(world.state_of(id).groups, testing::SizeIs(1))
        << "the one that is done is recorded";
}

TEST(Retries, RecipientsOfADeadSiteComeBackWithItWhateverTheOthersAreAt) {
    TestingWorld world(with_backoff(10 * kSecondUs, 10 * kSecondUs));
    world.start();
    world.sites_["slow.example"].hangs = true;
    world.sites_["dead.example"].refuses = true;
    for (int i = 0; i < 20; ++i) world.submit("a@x.example", {"b@slow.example", "c@dead.example"});
    world.run_for(5 * kSecondUs);
    ASSERT_EQ(world.scheduler().dead_destinations(), 1U);
    world.sites_["dead.example"].refuses = false;
    world.run_for(15 * kSecondUs);
    EXPECT_EQ(count_recipient(world, "c@dead.example"), 20U);
}

TEST(Retries, AMessageThatIsRetriedForDaysBesideOneThatHangsTakesNoMoreMemory) {
    TestingWorld world(with_backoff(kSecondUs, kSecondUs));
    world.start();
    world.sites_["slow.example"].hangs = true;
    world.sites_["full.example"].outcome = Outcome::deferred;
    world.submit("a@x.example", {"b@slow.example", "c@full.example", "d@full.example"});
    world.run_for(kMinuteUs);
    const size_t before = world.scheduler().active_memory_bytes();
    world.run_for(30 * kMinuteUs);
    EXPECT_GT(attempts_of(world, "c@full.example"), 800U);
    EXPECT_LE(world.scheduler().active_memory_bytes(), before + 1024);
    EXPECT_EQ(attempts_of(world, "b@slow.example"), 1U);
}

TEST(Retries, NobodyStandsInLineWhileTheTimeOfAnotherRecipientComes) {
    SchedulerConfig config = with_backoff(10 * kSecondUs, 10 * kSecondUs);
    config.active_limit = 40;
    TestingWorld world(config);
    world.start();
    world.sites_["grey.example"].outcome = Outcome::deferred;
    world.sites_["slow.example"].outcome = Outcome::deferred;
    world.submit("a@x.example", {"b@slow.example", "c@grey.example"});
    world.run_for(kSecondUs);
    world.sites_["grey.example"] = {};
    world.sites_["slow.example"].hangs = true;
    for (int i = 0; i < 200; ++i) world.submit("a@x.example", {"d@slow.example"});
    world.run_for(30 * kSecondUs);
    EXPECT_GT(world.scheduler().parked(), 0U);
    EXPECT_EQ(count_recipient(world, "c@grey.example"), 1U);
}

TEST(Flush, TriesOnceMoreWhatWasBeingTriedAndFails) {
    for (const bool alone : {true, false}) {
        TestingWorld world(with_backoff(kHourUs, kHourUs));
        world.start();
        world.sites_["slow.example"].hangs = true;
        world.sites_["busy.example"] = {.outcome = Outcome::deferred, .delay_us = 5 * kSecondUs};
        std::vector<std::string> recipients = {"c@busy.example"};
        if (!alone) recipients.emplace_back("b@slow.example");
        const MessageId id = world.submit("a@x.example", recipients);
        world.run_for(kSecondUs);
        world.scheduler().flush();
        world.run_for(6 * kSecondUs);
        EXPECT_EQ(attempts_of(world, "c@busy.example"), 2U) << alone;
        world.run_for(kMinuteUs);
        EXPECT_EQ(attempts_of(world, "c@busy.example"), 2U) << alone;
        for (const PendingGroup& group : world.state_of(id).groups)
            EXPECT_LE(group.attempts, 1U) << "one that the operator asked for is not counted";
    }
}

TEST(Flush, TriesADeadSiteOnceMoreThatDiesOfWhatWasBeingTried) {
    TestingWorld world(with_backoff(kHourUs, kHourUs));
    world.start();
    world.sites_["y.example"] = {.refuses = true, .delay_us = 2 * kSecondUs};
    for (int i = 0; i < 50; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(kSecondUs);
    world.scheduler().flush();
    world.run_for(2 * kSecondUs);
    world.sites_["y.example"] = {};
    world.run_for(kMinuteUs);
    EXPECT_EQ(count_recipient(world, "b@y.example"), 50U);
}

TEST(Flush, MovesNobodyTowardsTheLongestWait) {
    TestingWorld world(with_backoff(10 * kMinuteUs, 10 * kHourUs));
    world.start();
    world.sites_["y.example"].outcome = Outcome::deferred;
    const MessageId id = world.submit("a@x.example", {"b@y.example"});
    for (int i = 0; i < 20; ++i) {
        world.run_for(kMinuteUs);
        world.scheduler().flush();
    }
    world.run_for(kSecondUs);
    EXPECT_EQ(attempts_of(world, "b@y.example"), 21U);
    EXPECT_EQ(world.state_of(id).groups.at(0).attempts, 1U);
    world.run_for(12 * kMinuteUs);
    EXPECT_EQ(attempts_of(world, "b@y.example"), 22U);
    EXPECT_EQ(world.state_of(id).groups.at(0).attempts, 2U) << "its own time counts";
}

TEST(Flush, OfADeadSitesMailCostsOneAttemptAndOneLine) {
    TestingWorld world(with_backoff(kHourUs, kHourUs));
    world.start();
    world.sites_["y.example"] = {.refuses = true, .text = "Connection refused"};
    for (int i = 0; i < 2000; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(kMinuteUs);
    EXPECT_EQ(world.count_log("site y.example (smtp) is dead: "), 1U);
    EXPECT_EQ(world.count_log("temporarily suspended"), 2000U - world.attempts_refused_)
        << "each is told once";
    const size_t lines = world.log_.size();
    const size_t attempts = world.starts_.size();
    world.scheduler().flush();
    world.run_for(kMinuteUs);
    EXPECT_EQ(world.starts_.size() - attempts, 1U);
    ASSERT_EQ(world.log_.size() - lines, 2U) << world.log_.back();
    EXPECT_THAT(world.log_[lines], HasSubstr("(queue active)"));
    EXPECT_THAT(world.log_[lines + 1],
                testing::AllOf(HasSubstr("site y.example (smtp) is still dead: "),
                               HasSubstr("; recipients waiting: 199"),
                               HasSubstr(", next attempt in 3600s")));
    world.sites_["y.example"].refuses = false;
    world.scheduler().flush();
    world.run_for(kMinuteUs);
    EXPECT_EQ(count_recipient(world, "b@y.example"), 2000U);
    EXPECT_EQ(world.count_log("site y.example (smtp) is alive again; recipients waiting: 199"), 1U);
}

TEST(Flush, OfOneMessageIsAnAttemptAlsoAtADeadSiteAndOutOfTheLine) {
    TestingWorld world(with_backoff(kHourUs, kHourUs));
    world.start();
    world.sites_["y.example"].refuses = true;
    for (int i = 0; i < 100; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(kSecondUs);
    const MessageId id = world.submit("a@x.example", {"c@y.example"});
    world.run_for(kMinuteUs);
    EXPECT_EQ(attempts_of(world, "c@y.example"), 0U);
    const size_t attempts = world.starts_.size();
    EXPECT_TRUE(world.scheduler().flush(id));
    world.run_for(kMinuteUs);
    EXPECT_EQ(attempts_of(world, "c@y.example"), 1U);
    EXPECT_EQ(world.starts_.size() - attempts, 1U) << "nobody else is tried";

    SchedulerConfig config;
    config.active_limit = 40;
    TestingWorld full(config);
    full.start();
    full.sites_["slow.example"].hangs = true;
    for (int i = 0; i < 99; ++i) full.submit("a@x.example", {"b@slow.example"});
    const MessageId last = full.submit("z@z.example", {"c@slow.example"});
    full.run_for(kSecondUs);
    const uint32_t parked = full.scheduler().parked();
    ASSERT_GT(parked, 0U);
    EXPECT_TRUE(full.scheduler().flush(last));
    full.run_for(kSecondUs);
    EXPECT_EQ(full.scheduler().parked(), parked - 1);
}

}  // namespace
}  // namespace posthaste
