// qmgr as a process, with its peers played by hand over real channels.
#include <map>

#include "scheduler/qmgr_config.h"
#include "scheduler/qmgr_service_testing.h"

namespace posthaste {
namespace {

TEST_F(QmgrServiceTest, TakesAMessageFromAnnouncementToRemoval) {
    all_up();
    announce(store_, 5'000'000);
    resolve();
    const auto lane = agent_.hear<wire::LaneOpen>();
    ASSERT_TRUE(lane);
    EXPECT_EQ(lane->transport, "smtp");
    EXPECT_EQ(lane->nexthop, "y.example");
    ASSERT_EQ(lane->hosts.size(), 1U);
    EXPECT_EQ(lane->hosts[0].name, "mx.y.example");
    const auto job = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(job);
    EXPECT_EQ(job->lane, lane->lane);
    EXPECT_EQ(job->sender, "a@x.example");
    ASSERT_EQ(job->recipients.size(), 1U);
    EXPECT_EQ(job->recipients[0].address, "b@y.example");
    ASSERT_EQ(job->content.size(), 1U);
    EXPECT_EQ(job->content[0].first_block, 3U);

    report(*job, 1);
    const auto outcome = store_.hear<wire::RecordOutcome>();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->remove);
    EXPECT_FALSE(outcome->had_state);
    ASSERT_TRUE(store_.hear<wire::ReleaseContent>());
    EXPECT_FALSE(agent_.hear<wire::ReportTaken>()) << "not before it is on disk";
    store_.say(wire::OutcomeRecorded{outcome->sequence});
    loop_.turn();
    const auto taken = agent_.hear<wire::ReportTaken>();
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->sequence, 1U);
    EXPECT_EQ(log_.lines_.back(), queue_id_text(5'000'000) + ": removed");
}

TEST_F(QmgrServiceTest, EachConnectionBeginsWithAnyOfTheBestHosts) {
    all_up();
    std::map<std::string, int> firsts;
    for (uint64_t i = 0; i < 40; ++i) {
        const std::string recipient = "b@y" + std::to_string(i) + ".example";
        announce(store_, 5'000'000 + i, {recipient});
        const auto request = rewrite_.hear<wire::ResolveRequest>();
        ASSERT_TRUE(request);
        wire::ResolveReply reply;
        reply.cookie = request->cookie;
        reply.outcome = wire::ResolveOutcome::ok;
        reply.ttl_s = 60;
        reply.transport = "smtp";
        const std::string site = recipient.substr(2);
        reply.nexthop = reply.site = site;
        reply.hosts.resize(4);
        const char* const names[] = {"mx1", "mx2", "mx3", "backup"};
        for (size_t host = 0; host < 4; ++host) reply.hosts[host].name = names[host];
        reply.hosts[3].rank = 1;
        rewrite_.say(reply);
        loop_.turn();
        const auto lane = agent_.hear<wire::LaneOpen>();
        ASSERT_TRUE(lane && lane->hosts.size() == 4);
        EXPECT_EQ(lane->hosts[3].name, "backup");
        ++firsts[std::string(lane->hosts[0].name)];
        ASSERT_TRUE(agent_.hear<wire::DeliveryJob>());
    }
    for (const char* name : {"mx1", "mx2", "mx3"}) EXPECT_GE(firsts[name], 5) << name;
}

TEST_F(QmgrServiceTest, TheEndOfAStoreThatHasASuccessorChangesNothing) {
    all_up();
    Far next(Role::store, 11);
    introduce(next);
    peers_.remove(store_.incarnation());
    loop_.turn();
    ASSERT_TRUE(next.hear<wire::ScanRequest>());
    next.say(wire::ScanPage{{{5'000'000, 0, QueueName::active}}, true});
    loop_.turn();
    loop_.pass(20 * kMsUs);
    EXPECT_TRUE(next.hear<wire::LoadMessage>());
}

TEST_F(QmgrServiceTest, ReplaysWhatAStoreDidNotConfirmToTheNext) {
    all_up();
    announce(store_, 5'000'000);
    resolve();
    const auto job = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(job);
    report(*job, 1);
    ASSERT_TRUE(store_.hear<wire::RecordOutcome>());
    peers_.remove(store_.incarnation());
    Far next(Role::store, 11);
    introduce(next);
    loop_.turn();
    const auto replayed = next.hear<wire::RecordOutcome>();
    ASSERT_TRUE(replayed);
    EXPECT_EQ(replayed->id, 5'000'000U);
    ASSERT_TRUE(next.hear<wire::ScanRequest>());
    // It lists the message still: it is not delivered again.
    next.say(wire::ScanPage{{{5'000'000, 0, QueueName::active}}, true});
    loop_.turn();
    next.say(wire::OutcomeRecorded{replayed->sequence});
    loop_.turn();
    EXPECT_FALSE(next.hear<wire::LoadMessage>());
    EXPECT_EQ(service_->scheduler().messages(), 0U);
    EXPECT_TRUE(agent_.hear<wire::ReportTaken>());
}

TEST_F(QmgrServiceTest, ReadsTheIndexPageByPageAndAgainFromAGap) {
    introduce(store_);
    loop_.turn();
    auto request = store_.hear<wire::ScanRequest>();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->after, kNoMessage);
    store_.say(wire::ScanPage{{{10, 0, QueueName::active}, {20, 0, QueueName::hold}}, false});
    loop_.turn();
    request = store_.hear<wire::ScanRequest>();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->after, 20U);
    store_.say(wire::AnnounceGap{15});
    store_.say(wire::ScanPage{{{30, 0, QueueName::active}}, true});
    loop_.turn();
    request = store_.hear<wire::ScanRequest>();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->after, 14U);
    EXPECT_EQ(service_->scheduler().messages(), 2U) << "what is on hold is not ours";
}

TEST_F(QmgrServiceTest, DropsAPeerThatTalksNonsenseAndLivesOn) {
    all_up();
    agent_.say(wire::ScanRequest{});  // no agent says that
    loop_.turn();
    loop_.turn();
    EXPECT_FALSE(is_heard(agent_));
    EXPECT_TRUE(is_heard(store_));
}

TEST(QmgrConfig, LaneDepthIsWhatItSays) {
    const ParameterRow* const row = find_parameter("lane_depth");
    ASSERT_NE(row, nullptr);
    EXPECT_EQ(row->max, wire::kLaneDepth);
    EXPECT_EQ(row->applies, Applies::restart);
    EXPECT_EQ(scheduler_config(Settings::initial()).lane_depth, wire::kLaneDepth);
}

TEST_F(QmgrServiceTest, DrainsOnceJobsAreReportedAndRecorded) {
    all_up();
    announce(store_, 5'000'000);
    resolve();
    const auto job = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(job);
    service_->on_drain();
    EXPECT_FALSE(service_->is_idle());
    report(*job, 1);
    EXPECT_FALSE(service_->is_idle());
    store_.say(wire::OutcomeRecorded{1});
    loop_.turn();
    EXPECT_TRUE(service_->is_idle());
}

TEST_F(QmgrServiceTest, BelievesTheRewriteThatCameLast) {
    all_up();
    announce(store_, 5'000'000);
    const auto asked = rewrite_.hear<wire::ResolveRequest>();
    ASSERT_TRUE(asked);
    Far next(Role::rewrite, 21);
    introduce(next);
    loop_.turn();
    const auto again = next.hear<wire::ResolveRequest>();
    ASSERT_TRUE(again) << "what the earlier one was asked";
    wire::ResolveReply reply;
    reply.cookie = asked->cookie;
    reply.outcome = wire::ResolveOutcome::ok;
    reply.ttl_s = 60;
    reply.transport = "smtp";
    reply.hosts.resize(1);
    reply.hosts[0].name = reply.nexthop = reply.site = "old.example";
    rewrite_.say(reply);
    loop_.turn();
    EXPECT_FALSE(agent_.hear<wire::LaneOpen>());
    reply.hosts[0].name = reply.nexthop = reply.site = "new.example";
    next.say(reply);
    loop_.turn();
    const auto lane = agent_.hear<wire::LaneOpen>();
    ASSERT_TRUE(lane);
    EXPECT_EQ(lane->nexthop, "new.example");
}

// One of two jobs is over, the other comes back: nothing is under way, but the message stays.
TEST_F(QmgrServiceTest, DrainsOnlyWithThePartResultsOfAMessageOnDisk) {
    all_up();
    announce(store_, 5'000'000, {"b@y.example", "c@z.example"});
    resolve("b@y.example");
    resolve("c@z.example");
    const auto first = agent_.hear<wire::DeliveryJob>();
    const auto second = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(first && second);
    report(*first, 1);
    EXPECT_FALSE(store_.hear<wire::RecordOutcome>()) << "the rest may follow soon";
    service_->on_drain();
    loop_.turn();
    const auto recorded = store_.hear<wire::RecordOutcome>();
    ASSERT_TRUE(recorded) << "now it may not";
    wire::DeliveryReport back;
    back.sequence = 2;
    back.lane = second->lane;
    back.job = second->job;
    back.id = second->id;
    back.attempted = false;
    agent_.say(back);
    loop_.turn();
    EXPECT_FALSE(service_->is_idle());
    store_.say(wire::OutcomeRecorded{recorded->sequence});
    loop_.turn();
    EXPECT_TRUE(service_->is_idle());
}

TEST_F(QmgrServiceTest, RecordsAtOnceWhatIsReportedWhileItDrains) {
    all_up();
    announce(store_, 5'000'000, {"b@y.example", "c@z.example"});
    resolve("b@y.example");
    resolve("c@z.example");
    const auto first = agent_.hear<wire::DeliveryJob>();
    const auto second = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(first && second);
    service_->on_drain();
    report(*first, 1);
    const auto recorded = store_.hear<wire::RecordOutcome>();
    ASSERT_TRUE(recorded);
    EXPECT_FALSE(recorded->remove);
    EXPECT_EQ(decode_queue_state(recorded->state)->groups.at(0).recipients.size(), 1U);
}

}  // namespace
}  // namespace posthaste
