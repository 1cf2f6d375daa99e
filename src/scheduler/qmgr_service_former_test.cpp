// A new qmgr and the agents that worked for the one before it: how it begins, what it believes of
// what they hold, and what it tells the store of that.
#include "scheduler/qmgr_service_testing.h"

namespace posthaste {
namespace {

TEST_F(QmgrServiceTest, StartsNothingBeforeAgentsHaveSaidWhatTheyHold) {
    introduce(store_);
    introduce(rewrite_);
    introduce(agent_);
    store_scans({{5'000'000, 0, QueueName::active}});
    loop_.pass(500 * kMsUs);
    EXPECT_FALSE(store_.hear<wire::LoadMessage>());
    wire::JobsHeld held;
    held.jobs.push_back({5'000'000, 77, {0}});
    agent_.say(held);
    loop_.turn();
    const auto kept = store_.hear<wire::HeldContent>();
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->agent, agent_.incarnation());
    EXPECT_EQ(kept->ids, std::vector<MessageId>{5'000'000});
    EXPECT_TRUE(kept->last);
    loop_.pass(20 * kMsUs);
    ASSERT_TRUE(store_.hear<wire::LoadMessage>());
    announce(store_, 5'000'000);
    EXPECT_FALSE(agent_.hear<wire::DeliveryJob>()) << "it is being delivered";
    loop_.turn();

    wire::DeliveryReport out;
    out.sequence = 900;
    out.job = 77;
    out.id = 5'000'000;
    out.results.push_back({0, Outcome::sent, "2.0.0", "250 Ok"});
    agent_.say(out);
    loop_.turn();
    const auto outcome = store_.hear<wire::RecordOutcome>();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->remove);
}

TEST_F(QmgrServiceTest, OpensWithoutAnAgentThatKeepsSilent) {
    introduce(store_);
    introduce(agent_);
    store_scans({{5'000'000, 0, QueueName::active}});
    loop_.pass(QmgrService::kAgentsPatienceUs + 50 * kMsUs);
    EXPECT_TRUE(store_.hear<wire::LoadMessage>());
}

// It is stopped, perhaps, and what it holds would be delivered by another as well.
TEST_F(QmgrServiceTest, WaitsForAnAgentThatItHasNotMetYet) {
    introduce(store_);
    introduce(rewrite_);
    introduce(agent_);
    agent_.say(wire::JobsHeld{});
    Far stopped(Role::smtp, 31);
    peers_.expect(Role::smtp, stopped.incarnation());
    store_scans({{5'000'000, 0, QueueName::active}});
    loop_.pass(QmgrService::kAgentsWaitUs + 400 * kMsUs);
    EXPECT_FALSE(store_.hear<wire::LoadMessage>());
    introduce(stopped);
    say_held(stopped, {{5'000'000, 77, {0}}});
    loop_.pass(20 * kMsUs);
    ASSERT_TRUE(store_.hear<wire::LoadMessage>());
    announce(store_, 5'000'000);
    EXPECT_FALSE(agent_.hear<wire::DeliveryJob>()) << "it is being delivered";
}

TEST_F(QmgrServiceTest, WaitsNoLongerForAnAgentThatNeverComes) {
    introduce(store_);
    introduce(agent_);
    agent_.say(wire::JobsHeld{});
    peers_.expect(Role::smtp, 31);
    store_scans({{5'000'000, 0, QueueName::active}});
    loop_.pass(QmgrService::kAgentsPatienceUs + 50 * kMsUs);
    EXPECT_TRUE(store_.hear<wire::LoadMessage>());
}

TEST_F(QmgrServiceTest, TakesOneListOfFormerJobsFromAnAgent) {
    introduce(store_);
    introduce(agent_);
    say_held(agent_, {{5'000'000, 77, {0}}}, false);
    say_held(agent_, {{5'000'001, 78, {0}}});
    EXPECT_TRUE(is_heard(agent_));
    say_held(agent_, {{5'000'002, 79, {0}}});
    EXPECT_FALSE(is_heard(agent_));
}

TEST_F(QmgrServiceTest, BoundsTheListOfFormerJobs) {
    introduce(store_);
    introduce(agent_);
    const std::vector<wire::HeldJob> jobs{{5'000'000, 77, std::vector<uint32_t>(kRecipientsMax)}};
    for (size_t n = 0; n < AgentSide::kFormerMax / (kRecipientsMax + 1); ++n)
        say_held(agent_, jobs, false);
    EXPECT_TRUE(is_heard(agent_));
    say_held(agent_, jobs, false);
    EXPECT_FALSE(is_heard(agent_));
}

TEST_F(QmgrServiceTest, TakesTheReportOfAFormerJobOnceAndOfNoOther) {
    introduce(store_);
    introduce(rewrite_);
    introduce(agent_);
    store_scans({{5'000'000, 0, QueueName::active}, {5'000'001, 0, QueueName::active}});
    say_held(agent_, {{5'000'000, 77, {0}}});
    loop_.pass(QmgrService::kAgentsWaitUs + 20 * kMsUs);
    announce(store_, 5'000'000);
    announce(store_, 5'000'001);
    report_former(agent_, 1, 77, 5'000'000);
    const auto outcome = store_.hear<wire::RecordOutcome>();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->id, 5'000'000U);
    EXPECT_TRUE(is_heard(agent_));
    report_former(agent_, 2, 77, 5'000'001);
    loop_.turn();
    EXPECT_FALSE(store_.hear<wire::RecordOutcome>()) << "nobody gave it that";
    EXPECT_FALSE(is_heard(agent_));
}

TEST_F(QmgrServiceTest, BelievesNothingOfFormerJobsOfAnAgentThatHadNone) {
    Far young(Role::smtp, 130);
    Far cut_off(Role::smtp, 31);
    introduce(cut_off);
    loop_.turn();
    peers_.remove(cut_off.incarnation());
    Far again(Role::smtp, 31);
    all_up();
    for (Far* const agent : {&young, &again}) {
        introduce(*agent);
        say_held(*agent, {{5'000'000, 77, {0}}});
    }
    announce(store_, 5'000'000);
    for (Far* const agent : {&young, &again}) {
        report_former(*agent, 1, 77, 5'000'000);
        loop_.turn();
        EXPECT_TRUE(is_heard(*agent)) << "a link that was cut and made again is no lie";
        EXPECT_TRUE(agent->hear<wire::ReportTaken>());
    }
    EXPECT_FALSE(store_.hear<wire::RecordOutcome>());
    resolve();
    size_t jobs = 0;
    for (Far* const agent : {&agent_, &young, &again})
        jobs += agent->hear<wire::DeliveryJob>().has_value();
    EXPECT_EQ(jobs, 1U);
}

// The store would keep the bytes for a report that has come, or give them away before it has.
TEST_F(QmgrServiceTest, ReleasesNothingBeforeTheStoreHasHeardWhatIsHeld) {
    constexpr MessageId kMine = 5'000'000;
    introduce(store_);
    introduce(rewrite_);
    introduce(agent_);
    store_scans({});
    // More than the store's ring takes at once.
    constexpr size_t kParts = 50;
    std::vector<wire::HeldJob> jobs(1000);
    for (size_t part = 0; part < kParts; ++part) {
        for (size_t i = 0; i < jobs.size(); ++i) jobs[i] = {6'000'000 + part * 1000 + i, 7, {0}};
        say_held(agent_, jobs, part + 1 == kParts);
    }
    loop_.pass(QmgrService::kAgentsWaitUs + 20 * kMsUs);
    announce(store_, kMine);
    resolve();
    const auto job = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(job);
    report(*job, 1);
    size_t held = 0;
    for (bool last = false; !last; loop_.turn()) {
        const auto list = store_.hear<wire::HeldContent>();
        ASSERT_TRUE(list) << "after " << held;
        held += list->ids.size();
        last = list->last;
    }
    EXPECT_EQ(held, kParts * jobs.size());
    const auto release = store_.hear<wire::ReleaseContent>();
    ASSERT_TRUE(release);
    EXPECT_EQ(release->id, kMine);
}

// An agent that speaks late may hold what another has delivered since.
TEST_F(QmgrServiceTest, WhatALateAgentHoldsDoesNotOvertakeARelease) {
    constexpr MessageId kMine = 5'000'000;
    constexpr MessageId kLate = 7'000'000;
    Far crowded(Role::smtp, 31);
    Far late(Role::smtp, 32);
    for (Far* const far : {&store_, &rewrite_, &agent_, &crowded, &late}) introduce(*far);
    agent_.say(wire::JobsHeld{});
    store_scans({});
    loop_.pass(QmgrService::kAgentsPatienceUs + 20 * kMsUs);
    announce(store_, kMine);
    resolve();
    const auto job = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(job);
    // More than the store's ring takes at once.
    constexpr size_t kParts = 50;
    std::vector<wire::HeldJob> jobs(1000);
    for (size_t part = 0; part < kParts; ++part) {
        for (size_t i = 0; i < jobs.size(); ++i) jobs[i] = {6'000'000 + part * 1000 + i, 7, {0}};
        say_held(crowded, jobs, part + 1 == kParts);
    }
    report(*job, 1);
    say_held(late, {{kLate, 8, {0}}});
    // hear() drops what it is not asked for: the release first, or never.
    bool released = false;
    for (int turn = 0; turn < 200 && !released; ++turn, loop_.turn()) {
        const auto release = store_.hear<wire::ReleaseContent>();
        released = release && release->id == kMine;
    }
    ASSERT_TRUE(released);
    std::optional<wire::HeldContent> held;
    for (int turn = 0; turn < 200 && !held; ++turn, loop_.turn())
        held = store_.hear<wire::HeldContent>();
    ASSERT_TRUE(held);
    EXPECT_EQ(held->ids, std::vector<MessageId>{kLate});
}

}  // namespace
}  // namespace posthaste
