// What the scheduler does when those around it are slow, die, or tell lies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "scheduler/scheduler.h"
#include "scheduler/testing_world.h"

namespace posthaste {
namespace {

TEST(Scheduler, WaitsForRewriteAndBouncesNothing) {
    TestingWorld world;
    world.rewrite_is_up_ = false;
    world.start();
    world.submit("a@x.example", {"b@y.example"});
    world.run_for(kHourUs);
    EXPECT_EQ(world.scheduler().active(), 1U);
    EXPECT_EQ(world.log_.size(), 1U);
    world.rewrite_is_up_ = true;
    world.scheduler().on_rewrite_up();
    world.run_for(kSecondUs);
    EXPECT_TRUE(world.store_.empty());
}

TEST(Scheduler, GivesTheJobsOfADeadAgentToAnotherAfterAShortWhile) {
    TestingWorld world;
    world.start(2);
    world.sites_["y.example"].delay_us = 10 * kSecondUs;
    for (int i = 0; i < 10; ++i)
        world.submit("a@x.example", {"user" + std::to_string(i) + "@y.example"});
    world.run_for(kSecondUs);
    ASSERT_GT(world.scheduler().jobs_out(), 0U);
    world.sites_["y.example"].delay_us = kMsUs;
    const int64_t died_us = world.now_us();
    world.agent_down(100);
    world.agent_down(101);
    EXPECT_EQ(world.scheduler().jobs_out(), 0U);
    EXPECT_EQ(world.scheduler().lanes(), 0U);
    world.agent_up(102);
    const size_t before = world.starts_.size();
    world.run_for(500 * kMsUs);
    EXPECT_LE(world.starts_.size(), before);
    world.run_for(10 * kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 10U);
    EXPECT_GE(world.deliveries_.front().at_us, died_us + kSecondUs);
    EXPECT_TRUE(world.store_.empty());
}

TEST(Scheduler, ConnectionsBeyondWhatASiteTakesAreNoMessagesFailure) {
    TestingWorld world;
    world.start(2);
    world.sites_["y.example"].delay_us = 100 * kMsUs;
    world.sites_["y.example"].takes = 3;
    for (int i = 0; i < 1000; ++i)
        world.submit("a@x.example", {"user" + std::to_string(i) + "@y.example"});
    world.run_for(kMinuteUs);
    // Two of the first five, before anybody knew.
    EXPECT_LE(world.attempts_refused_, 2U);
    EXPECT_EQ(world.deliveries_.size(), 1000U - world.attempts_refused_);
    EXPECT_EQ(world.scheduler().stats().sites_died, 0U);
    EXPECT_LT(world.connections_refused_, 40U) << "it is not asked for a fourth all the time";
}

TEST(Scheduler, ASiteThatTakesNoConnectionAnyMoreDiesWhateverItTookBefore) {
    TestingWorld world;
    world.start(2);
    world.sites_["y.example"].delay_us = 100 * kMsUs;
    for (int i = 0; i < 1000; ++i)
        world.submit("a@x.example", {"user" + std::to_string(i) + "@y.example"});
    world.run_for(kSecondUs);
    ASSERT_GT(world.deliveries_.size(), 0U);
    world.sites_["y.example"].refuses = true;
    world.run_for(kMinuteUs);
    EXPECT_EQ(world.scheduler().stats().sites_died, 1U);
    EXPECT_EQ(world.scheduler().lanes(), 0U);
}

TEST(Scheduler, KeepsResultsOverTheDeathOfTheStoreAndLoadsTheRestAgain) {
    TestingWorld world;
    world.start();
    world.sites_["y.example"].delay_us = 100 * kMsUs;
    for (int i = 0; i < 100; ++i)
        world.submit("a@x.example", {"user" + std::to_string(i) + "@y.example"});
    world.run_for(500 * kMsUs);
    world.store_down();
    const size_t delivered = world.deliveries_.size();
    ASSERT_LT(delivered, 80U);
    world.run_for(10 * kSecondUs);
    EXPECT_EQ(world.scheduler().jobs_out(), 0U);
    EXPECT_EQ(world.scheduler().active(), 0U) << "without bytes nothing stays active";
    EXPECT_GT(world.scheduler().stats().recipients_sent, 0U);
    world.store_up();
    world.run_for(60 * kSecondUs);
    EXPECT_TRUE(world.store_.empty());
    std::set<std::string> recipients;
    for (const auto& delivery : world.deliveries_) recipients.insert(delivery.recipient);
    EXPECT_EQ(recipients.size(), 100U);
    EXPECT_EQ(world.deliveries_.size(), 100U) << "none twice: the results were replayed";
}

TEST(Scheduler, DoesNotStartTwiceWhatAnAgentHoldsForTheQmgrBefore) {
    TestingWorld world;
    world.start();
    world.sites_["y.example"].delay_us = 100 * kMsUs;
    for (int i = 0; i < 20; ++i)
        world.submit("a@x.example", {"user" + std::to_string(i) + "@y.example"});
    world.run_for(50 * kMsUs);
    std::set<std::string> held;
    for (const auto& [id, lane] : world.lanes_) {
        if (lane.working)
            held.insert(
                world.store_.at(lane.jobs.front().second.first).envelope.recipients[0].address);
    }
    ASSERT_GE(held.size(), 5U);
    world.starts_.clear();
    world.restart_scheduler();
    world.run_for(10 * kSecondUs);
    for (const auto& start : world.starts_)
        EXPECT_FALSE(held.contains(start.recipient)) << start.recipient;
    EXPECT_EQ(world.store_.size(), held.size());
    world.finish_orphans();
    world.run_for(10 * kSecondUs);
    EXPECT_TRUE(world.store_.empty());
    EXPECT_EQ(world.deliveries_.size(), 20U);
    EXPECT_EQ(world.scheduler().messages(), 0U);
}

// Agents keep reports for each of them until the next one takes them.
TEST(Scheduler, NumbersItsJobsUnlikeTheQmgrBeforeIt) {
    TestingWorld world;
    world.start();
    world.sites_["y.example"].delay_us = kMinuteUs;
    const auto numbers = [&] {
        std::set<uint64_t> all;
        for (const auto& [id, lane] : world.lanes_)
            for (const auto& job : lane.jobs) all.insert(job.first);
        return all;
    };
    world.submit("a@x.example", {"b@y.example"});
    world.run_for(50 * kMsUs);
    const std::set<uint64_t> before = numbers();
    ASSERT_EQ(before.size(), 1U);
    world.restart_scheduler();
    world.submit("a@x.example", {"c@y.example"});
    world.run_for(10 * kSecondUs);
    std::set<uint64_t> both = numbers();
    both.insert(before.begin(), before.end());
    EXPECT_EQ(both.size(), 2U);
}

TEST(Scheduler, TakesUpHeldJobsOfAnAgentThatDiesAfterTheRestart) {
    TestingWorld world;
    world.start(2);
    world.sites_["y.example"].hangs = true;
    for (int i = 0; i < 20; ++i)
        world.submit("a@x.example", {"user" + std::to_string(i) + "@y.example"});
    world.run_for(50 * kMsUs);
    world.restart_scheduler();
    world.sites_["y.example"].hangs = false;
    world.run_for(kSecondUs);
    EXPECT_FALSE(world.store_.empty());
    world.agent_down(100);
    world.agent_down(101);
    world.agent_up(102);
    world.run_for(10 * kSecondUs);
    EXPECT_TRUE(world.store_.empty());
}

TEST(Scheduler, AnAgentThatStopsSaysNothingOfItsSitesAndGetsNoOtherLane) {
    SchedulerConfig config;
    TestingWorld world(config);
    world.start(2);
    world.sites_["y.example"].delay_us = kSecondUs;
    for (int i = 0; i < 20; ++i)
        world.submit("a@x.example", {"user" + std::to_string(i) + "@y.example"});
    world.run_for(50 * kMsUs);
    for (auto it = world.lanes_.begin(); it != world.lanes_.end();) {
        const uint32_t id = it->first;
        const bool stops = it->second.agent == 100;
        it = stops ? world.lanes_.erase(it) : std::next(it);
        if (stops) world.scheduler().on_lane_closed(100, {id, false, true, "", ""});
    }
    world.run_for(60 * kSecondUs);
    EXPECT_TRUE(world.store_.empty());
    EXPECT_EQ(world.scheduler().stats().sites_died, 0U);
    ASSERT_EQ(world.deliveries_.size(), 20U);
    for (const auto& delivery : world.deliveries_) EXPECT_EQ(delivery.agent, 101U);
}

TEST(Scheduler, IgnoresAndForgetsAReportOfAMessageThatIsGone) {
    TestingWorld world;
    world.start();
    wire::DeliveryReport report;
    report.sequence = 77;
    report.id = 12345;
    report.results.push_back({0, Outcome::sent, "2.0.0", "Ok"});
    world.scheduler().on_report(100, report);
    EXPECT_EQ(world.covered_.at(77), 0U);
}

TEST(Scheduler, BelievesAnAgentOnlyAboutWhatItWasGiven) {
    TestingWorld world;
    world.start();
    world.sites_["y.example"].hangs = true;
    world.sites_["z.example"].hangs = true;
    const MessageId id = world.submit("a@x.example", {"1@y.example", "2@z.example"});
    world.run_for(kSecondUs);
    ASSERT_EQ(world.lanes_.size(), 2U);
    const auto& [lane_id, lane] = *world.lanes_.begin();
    wire::DeliveryReport report;
    report.sequence = 1;
    report.lane = lane_id;
    report.job = lane.jobs.front().first;
    report.id = id;
    for (uint32_t number : {0U, 1U, 2U, 4'000'000'000U})
        report.results.push_back({number, Outcome::sent, "2.0.0", "Ok"});
    report.id = id + 1;
    world.scheduler().on_report(100, report);
    EXPECT_EQ(world.scheduler().stats().recipients_sent, 0U) << "that is another message";
    report.id = id;
    world.scheduler().on_report(100, report);
    world.scheduler().on_report(100, report);
    for (const uint32_t wrong_lane : {0U, 99U}) {
        report.lane = wrong_lane;
        world.scheduler().on_report(100, report);
    }
    world.scheduler().on_lane_closed(55, {lane_id, true, false, "", ""});
    world.run_for(kSecondUs);
    EXPECT_EQ(world.scheduler().stats().recipients_sent, 1U);
    EXPECT_EQ(world.state_of(id).groups.at(0).recipients.size(), 1U);
    EXPECT_EQ(world.scheduler().jobs_out(), 1U);
}

TEST(Scheduler, BelievesOfAFormerJobOnlyWhatItHeldAndKeepsWhatASecondHolds) {
    TestingWorld world;
    const MessageId id = world.submit("a@x.example", {"0@y.example", "1@y.example", "2@y.example"});
    world.store_up();
    world.agent_up(100, false);
    world.scheduler().on_job_held(100, {id, 7, {1, 0}});
    world.scheduler().on_job_held(100, {id, 8, {1}});
    world.scheduler().on_agent_ready(100);
    world.scheduler().open();
    world.run_for(kSecondUs);
    EXPECT_EQ(world.starts_.size(), 1U);
    wire::DeliveryReport report;
    report.sequence = 1;
    report.job = 7;
    report.id = id;
    for (const uint32_t number : {0U, 1U, 2U})
        report.results.push_back({number, Outcome::deferred, "4.0.0", "later"});
    world.scheduler().on_report(100, report);
    EXPECT_EQ(world.scheduler().stats().recipients_deferred, 2U);
    world.scheduler().flush();
    world.run_for(kSecondUs);
    ASSERT_EQ(world.starts_.size(), 2U) << "0 again, and not 1, which the second job holds";
    EXPECT_EQ(world.starts_.back().recipient, "0@y.example");
    report.sequence = 2;
    report.job = 8;
    report.results = {{1, Outcome::sent, "2.0.0", "Ok"}};
    world.scheduler().on_report(100, report);
    world.run_for(kSecondUs);
    EXPECT_TRUE(world.store_.empty());
}

// An agent that was slow to say what it holds: another has tried the same meanwhile.
void agent_takes_a_job_to_its_grave(TestingWorld& world, bool flushed) {
    world.start();
    world.sites_["y.example"] = {false, false, Outcome::deferred, kMsUs, "451 4.3.0 later"};
    const MessageId id = world.submit("a@x.example", {"0@y.example", "1@y.example"});
    world.run_for(kSecondUs);
    const size_t before = world.starts_.size();
    ASSERT_GT(before, 0U);
    world.agent_up(900, false);
    world.scheduler().on_job_held(900, {id, 7, {0}});
    world.scheduler().on_job_held(900, {id, 8, {1}});
    world.scheduler().on_agent_ready(900);
    wire::DeliveryReport report;
    report.sequence = 1;
    report.job = 7;
    report.id = id;
    report.results.push_back({0, Outcome::deferred, "4.0.0", "later"});
    world.scheduler().on_report(900, report);
    world.run_for(kSecondUs);
    EXPECT_EQ(world.scheduler().active(), 1U)
        << "loaded for the report, and kept for the other job";
    if (flushed) world.scheduler().flush();
    world.run_for(kSecondUs);
    const size_t others = world.starts_.size();
    EXPECT_EQ(others - before, flushed ? 1U : 0U) << "the other recipient";
    world.agent_down(900);
    world.run_for(200 * kSecondUs);
    EXPECT_EQ(world.starts_.size() - others, flushed ? 1U : 0U);
    world.run_for(kHourUs);
    EXPECT_GT(world.starts_.size() - others, flushed ? 1U : 0U);
}

TEST(Scheduler, WhatAFormerJobsAgentTakesToItsGraveWaitsForItsTime) {
    TestingWorld world;
    agent_takes_a_job_to_its_grave(world, false);
}

TEST(Scheduler, WhatAFormerJobsAgentTakesToItsGraveIsTriedWhenSomebodyHasFlushed) {
    TestingWorld world;
    agent_takes_a_job_to_its_grave(world, true);
}

TEST(Scheduler, GivesBackTheBytesOfAFormerJobWithItsLastAgent) {
    TestingWorld world;
    world.start(2);
    world.sites_["y.example"].hangs = true;
    const MessageId id = world.submit("a@x.example", {"b@y.example"});
    world.run_for(kSecondUs);
    // Named late: the message is gone from here before these are done with it.
    world.scheduler().on_job_held(100, {id + 1, 7, {0}});
    world.scheduler().on_job_held(101, {id + 1, 8, {0}});
    world.store_[id + 1].lent = 1;
    wire::DeliveryReport report;
    report.sequence = 1;
    report.job = 7;
    report.id = id + 1;
    world.scheduler().on_report(100, report);
    EXPECT_EQ(world.store_[id + 1].lent, 1);
    world.agent_down(101);
    EXPECT_EQ(world.store_[id + 1].lent, 0);
}

TEST(Scheduler, LeavesAnUnreadableEnvelopeAloneAndGivesItsPlaceAway) {
    SchedulerConfig config;
    config.active_limit = 4;
    TestingWorld world(config);
    for (MessageId id = 1; id <= 10; ++id) world.store_[id].envelope.id = id;  // no recipients
    world.start();
    world.run_for(kSecondUs);
    EXPECT_EQ(world.warnings_.size(), 10U);
    EXPECT_NE(world.warnings_.at(0).find(queue_id_text(1)), std::string::npos);
    EXPECT_EQ(world.scheduler().messages(), 0U);
    for (const auto& [id, stored] : world.store_) EXPECT_EQ(stored.lent, 0) << id;
    for (int i = 0; i < 10; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(kMinuteUs);
    EXPECT_EQ(world.deliveries_.size(), 10U);
}

TEST(Scheduler, KeepsNoMemoryOfLargeMessagesThatAreGone) {
    TestingWorld world;
    world.start();
    world.sites_["y.example"].outcome = Outcome::bounced;  // reasons take room too
    std::vector<std::string> many;
    many.reserve(5000);
    for (int i = 0; i < 5000; ++i) many.push_back("u" + std::to_string(i) + "@y.example");
    const size_t before = world.scheduler().active_memory_bytes();
    for (int i = 0; i < 20; ++i) world.submit("a@x.example", many);
    world.run_for(kHourUs);
    EXPECT_EQ(world.scheduler().active(), 0U);
    EXPECT_LT(world.scheduler().active_memory_bytes(), before + 64 * 1024);
}

TEST(Scheduler, AFlushOfAnActiveMessageTakesNoMemory) {
    TestingWorld world;
    world.start();
    world.sites_["slow.example"].hangs = true;
    world.sites_["y.example"].refuses = true;
    std::vector<std::string> many{"b@slow.example"};
    for (int i = 0; i < 500; ++i) many.push_back("u" + std::to_string(i) + "@y.example");
    world.submit("a@x.example", many);
    world.run_for(kSecondUs);
    EXPECT_EQ(world.scheduler().active(), 1U);
    const MessageId id = world.store_.begin()->first;
    const auto flush = [&](int times) {
        for (int i = 0; i < times; ++i) {
            world.scheduler().flush(id);
            world.run_for(300 * kMsUs);  // what is dirty is recorded
        }
    };
    flush(20);
    const size_t suspended = world.scheduler().stats().recipients_suspended;
    const size_t before = world.scheduler().active_memory_bytes();
    flush(200);
    EXPECT_GE(world.scheduler().stats().recipients_suspended, suspended + 200 * 450)
        << "the site is dead: they wait again each time";
    EXPECT_LE(world.scheduler().active_memory_bytes(), before + 64 * 1024);
}

TEST(Scheduler, LosesNothingWhateverDies) {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        SchedulerConfig config;
        config.active_limit = 40;
        config.backoff = {2 * kSecondUs, 20 * kSecondUs};
        TestingWorld world(config, seed * 1000);
        uint64_t state = seed;
        const auto draw = [&](uint64_t below) {
            return hash_of(state++ * 0x9e3779b97f4a7c15) % below;
        };
        world.start(2);
        size_t recipients = 0;
        for (int step = 0; step < 150; ++step) {
            for (uint64_t n = draw(6); n > 0; --n) {
                std::vector<std::string> to;
                for (uint64_t r = 1 + draw(4); r > 0; --r) {
                    to.push_back("u" + std::to_string(recipients++) + "@d" +
                                 std::to_string(draw(6)) + ".example");
                }
                world.submit("a@s" + std::to_string(draw(3)) + ".example", to);
            }
            auto& site = world.sites_["d" + std::to_string(draw(6)) + ".example"];
            switch (draw(12)) {
                case 0:
                    site.refuses = !site.refuses;
                    break;
                case 1:
                    site.outcome =
                        site.outcome == Outcome::sent ? Outcome::deferred : Outcome::sent;
                    break;
                case 2:
                    site.delay_us = static_cast<int64_t>(1 + draw(500)) * kMsUs;
                    break;
                case 3:
                    if (!world.agents_.empty())
                        world.agent_down(world.agents_[draw(world.agents_.size())]);
                    break;
                case 4:
                    if (world.agents_.size() < 3) world.agent_up(world.next_incarnation_++);
                    break;
                case 5:
                    world.store_down();
                    world.run_for(static_cast<int64_t>(draw(1000)) * kMsUs);
                    world.store_up();
                    break;
                case 6:
                    world.restart_scheduler();
                    world.run_for(static_cast<int64_t>(draw(1000)) * kMsUs);
                    world.finish_orphans();
                    break;
                case 7:
                    world.arena_full_ = !world.arena_full_;
                    break;
                default:
                    break;
            }
            world.run_for(static_cast<int64_t>(draw(2000)) * kMsUs);
        }
        world.sites_.clear();
        world.arena_full_ = false;
        if (world.agents_.empty()) world.agent_up(world.next_incarnation_++);
        world.run_for(kHourUs);
        EXPECT_TRUE(world.store_.empty()) << world.store_.size();
        std::set<std::string> reached;
        for (const auto& delivery : world.deliveries_) reached.insert(delivery.recipient);
        reached.erase("?");
        EXPECT_EQ(reached.size(), recipients);
        EXPECT_EQ(world.lent_of_removed_, 0);
        EXPECT_EQ(world.scheduler().active(), 0U);
        EXPECT_EQ(world.scheduler().messages(), 0U);
        EXPECT_EQ(world.scheduler().jobs_out(), 0U);
        EXPECT_LE(world.active_max_, 40U);
        EXPECT_TRUE(world.warnings_.empty()) << world.warnings_.front();
    }
}

}  // namespace
}  // namespace posthaste
