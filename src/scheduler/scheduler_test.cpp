#include "scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "scheduler/testing_world.h"

namespace posthaste {
namespace {

using testing::HasSubstr;

TEST(Scheduler, DeliversAMessageAndSaysItWasRemovedOnceThatIsOnDisk) {
    TestingWorld world;
    world.start();
    const MessageId id = world.submit("a@x.example", {"b@y.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(count_recipient(world, "b@y.example"), 1U);
    EXPECT_TRUE(world.store_.empty());
    ASSERT_EQ(world.log_.size(), 2U);
    EXPECT_EQ(world.log_[0],
              queue_id_text(id) + ": from=<a@x.example>, size=4096, nrcpt=1 (queue active)");
    EXPECT_EQ(world.log_[1], queue_id_text(id) + ": removed");
    EXPECT_EQ(world.lent_of_removed_, 0);
    EXPECT_EQ(world.scheduler().messages(), 0U);
    EXPECT_NE(world.covered_.at(1), 0U) << "the report may be forgotten only with its outcome";
}

TEST(Scheduler, SendsRecipientsOfOneSiteInOneJobUpToTheLimit) {
    TestingWorld world;
    world.transport_.recipient_limit = 3;
    world.resolve_as_ = [](std::string_view, wire::ResolveReply& reply) {
        reply.nexthop = reply.site = "[relay.example]";
    };
    world.start();
    world.submit("a@x.example",
                 {"1@a.example", "2@b.example", "3@c.example", "4@a.example", "5@d.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(world.starts_.size(), 2U);
    EXPECT_EQ(world.deliveries_.size(), 5U);
    EXPECT_EQ(world.resolves_, 4U);
    EXPECT_TRUE(world.store_.empty());
}

TEST(Scheduler, AsksOnceForManyRecipientsOfADomain) {
    TestingWorld world;
    world.start();
    for (int i = 0; i < 100; ++i)
        world.submit("a@x.example", {"user" + std::to_string(i) + "@Y.example"});
    world.run_for(10 * kSecondUs);
    world.submit("a@x.example", {"late@y.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 101U);
    EXPECT_EQ(world.resolves_, 1U);
}

TEST(Scheduler, AsksForEachAddressWhenAnAnswerIsNotForTheWholeDomain) {
    TestingWorld world;
    world.resolve_as_ = [](std::string_view recipient, wire::ResolveReply& reply) {
        reply.per_domain = false;
        if (recipient == "b@y.example") reply.nexthop = reply.site = "elsewhere.example";
    };
    world.start();
    world.submit("a@x.example", {"a@y.example"});
    world.submit("a@x.example", {"b@y.example"});
    world.submit("a@x.example", {"b@y.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 3U);
    EXPECT_EQ(world.lanes_to_site_max_.count("elsewhere.example"), 1U);
    EXPECT_LE(world.resolves_, 3U);
}

TEST(Scheduler, HandsTheNextJobOverBeforeTheLastIsReported) {
    TestingWorld world;
    world.transport_.feedback.limit = world.transport_.feedback.initial = 1;
    world.start();
    for (int i = 0; i < 20; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(10 * kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 20U);
    EXPECT_EQ(world.lanes_opened_, 1U);
    EXPECT_EQ(world.depth_max_, 2U);
}

TEST(Scheduler, WidensTheWindowOfABusySiteUpToItsLimitAndNeverBeyond) {
    TestingWorld world;
    world.start(2);
    for (int i = 0; i < 2000; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(60 * kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 2000U);
    EXPECT_EQ(world.lanes_to_site_max_["y.example"], 20U);
}

TEST(Scheduler, ClosesLanesThatAreIdleForTheirTime) {
    TestingWorld world;
    world.start();
    world.submit("a@x.example", {"b@y.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(world.lanes_.size(), 1U);
    world.run_for(2 * kSecondUs);
    EXPECT_EQ(world.lanes_.size(), 0U);
    EXPECT_EQ(world.scheduler().lanes(), 0U);
}

TEST(Scheduler, SpreadsLanesOverAgents) {
    TestingWorld world;
    world.start(2);
    for (int i = 0; i < 400; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(kMsUs * 5);
    std::map<uint32_t, int> lanes_of;
    for (const auto& [id, lane] : world.lanes_) ++lanes_of[lane.agent];
    EXPECT_EQ(lanes_of.size(), 2U);
}

TEST(Scheduler, LetsASingleMessageSlipPastANewsletterOfTheSameSender) {
    TestingWorld world;
    world.start();
    std::vector<std::string> many;
    many.reserve(10'000);
    for (int i = 0; i < 10'000; ++i) many.push_back("user" + std::to_string(i) + "@y.example");
    world.sites_["y.example"].delay_us = 100 * kMsUs;
    world.submit("news@shop.example", many);
    world.run_for(200 * kMsUs);
    world.submit("order@shop.example", {"single@y.example"});
    world.run_for(30 * kSecondUs);
    EXPECT_LT(world.first_delivery_us("single@y.example"), kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 10'001U);
}

TEST(Scheduler, GivesASmallSenderItsTurnAtABusySite) {
    TestingWorld world;
    world.start();
    world.sites_["y.example"].delay_us = 100 * kMsUs;
    for (int i = 0; i < 3000; ++i) world.submit("bulk@big.example", {"b@y.example"});
    world.run_for(kSecondUs);
    const int64_t before_us = world.now_us();
    world.submit("me@small.example", {"friend@y.example"});
    world.run_for(5 * kSecondUs);
    EXPECT_LT(world.first_delivery_us("friend@y.example") - before_us, kSecondUs);
}

TEST(Scheduler, DelaysNobodyForADeadSite) {
    TestingWorld world;
    world.start();
    world.sites_["dead.example"] = {true, false, Outcome::sent, 30 * kSecondUs,
                                    "connect to dead.example: timed out"};
    for (int i = 0; i < 1000; ++i) world.submit("a@x.example", {"b@dead.example"});
    for (int i = 0; i < 100; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(2 * kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 100U);
    world.run_for(200 * kSecondUs);
    EXPECT_EQ(world.scheduler().dead_destinations(), 1U);
    EXPECT_EQ(world.scheduler().active(), 0U);
    EXPECT_LT(world.starts_.size(), 150U) << "the rest waits without an attempt each";
    EXPECT_GE(
        world.count_log("status=deferred (delivery temporarily suspended: connect to dead.example"),
        900U);
}

TEST(Scheduler, ProbesADeadSiteWithOneJobAndRevivesIt) {
    TestingWorld world;
    world.start();
    world.sites_["dead.example"] = {true, false, Outcome::sent, kMsUs, "refused"};
    for (int i = 0; i < 50; ++i) world.submit("a@x.example", {"b@dead.example"});
    world.run_for(10 * kSecondUs);
    ASSERT_EQ(world.scheduler().dead_destinations(), 1U);
    const size_t before = world.starts_.size();
    EXPECT_LE(before, 12U);
    // Slow to refuse: the others come up behind the probe while it lasts.
    world.sites_["dead.example"].delay_us = kMinuteUs;
    world.run_for(400 * kSecondUs);  // dead for 300 s and a spread; the probe takes its minute
    EXPECT_EQ(world.starts_.size(), before + 1) << "one probe";
    world.sites_["dead.example"].refuses = false;
    world.run_for(4 * kHourUs);
    EXPECT_EQ(world.deliveries_.size(), 50U);
    EXPECT_EQ(world.scheduler().dead_destinations(), 0U);
    EXPECT_TRUE(world.store_.empty());
}

TEST(Scheduler, SurvivesOneFailureAtAWindowOfOne) {
    TestingWorld world;
    world.transport_.feedback.limit = 1;
    world.start();
    world.sites_["y.example"] = {true, false, Outcome::sent, kMsUs, "refused"};
    world.submit("a@x.example", {"b@y.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(world.scheduler().dead_destinations(), 0U);
    world.submit("a@x.example", {"c@y.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(world.scheduler().dead_destinations(), 1U);
}

TEST(Scheduler, HoldsWhatIsOutOfTimeAfterALastAttempt) {
    SchedulerConfig config;
    config.lifetime_us = kHourUs;
    TestingWorld world(config);
    world.start();
    world.sites_["y.example"] = {false, false, Outcome::deferred, kMsUs, "451 4.3.0 later"};
    const MessageId id = world.submit("a@x.example", {"b@y.example"});
    world.run_for(2 * kHourUs);
    EXPECT_EQ(world.state_of(id).queue, QueueName::hold);
    EXPECT_EQ(world.state_of(id).groups.at(0).due_s, kNeverDue);
    EXPECT_EQ(world.count_log(": from=<a@x.example>, status=expired, placed on hold"), 1U);
    EXPECT_EQ(world.store_.at(id).reasons.at(0), "451 4.3.0 later");
    EXPECT_NEAR(static_cast<double>(world.starts_.back().at_us), static_cast<double>(kHourUs),
                2.0 * kSecondUs);
    EXPECT_EQ(world.scheduler().messages(), 0U);
}

TEST(Scheduler, KeepsHeldAndWaitingRecipientsOfOneMessage) {
    TestingWorld world;
    world.start();
    world.sites_["bad.example"] = {false, false, Outcome::bounced, kMsUs, "550 5.1.1 no such user"};
    world.sites_["later.example"] = {false, false, Outcome::deferred, kMsUs, "451 later"};
    const MessageId id =
        world.submit("a@x.example", {"1@ok.example", "2@bad.example", "3@later.example"});
    world.run_for(10 * kSecondUs);
    QueueState state = world.state_of(id);
    EXPECT_EQ(state.queue, QueueName::deferred);
    ASSERT_EQ(state.groups.size(), 2U);
    EXPECT_EQ(world.count_log("status=bounced, placed on hold"), 1U);
    world.sites_["later.example"].outcome = Outcome::sent;
    world.run_for(kHourUs);
    state = world.state_of(id);
    EXPECT_EQ(state.queue, QueueName::hold);
    ASSERT_EQ(state.groups.size(), 1U);
    EXPECT_EQ(state.groups[0].recipients, std::vector<uint32_t>{1});
    EXPECT_EQ(count_recipient(world, "1@ok.example"), 1U);
    EXPECT_EQ(count_recipient(world, "3@later.example"), 1U);
    EXPECT_EQ(world.count_log("placed on hold"), 1U) << "said once";
}

TEST(Scheduler, ForgetsAMessageOfWhichOnlyHeldRecipientsAreLeft) {
    TestingWorld world;
    world.start();
    const MessageId id = world.submit("a@x.example", {"b@y.example"});
    QueueState state;
    state.queue = QueueName::deferred;
    state.groups.push_back({kNeverDue, 3, {0}});
    encode_queue_state(state, world.store_.at(id).state);
    world.run_for(kSecondUs);
    EXPECT_EQ(world.starts_.size(), 0U);
    EXPECT_EQ(world.scheduler().messages(), 0U);
    EXPECT_EQ(world.store_.count(id), 1U);
}

TEST(Scheduler, AnswersErrorRetryAndDiscardItself) {
    TestingWorld world;
    world.resolve_as_ = [](std::string_view recipient, wire::ResolveReply& reply) {
        reply.transport = local_part_of(recipient);
        reply.nexthop = recipient.starts_with("error") ? "5.7.1 go away" : "some text";
    };
    world.start();
    const MessageId refused = world.submit("a@x.example", {"error@e.example"});
    const MessageId waits = world.submit("a@x.example", {"retry@r.example"});
    world.submit("a@x.example", {"discard@d.example"});
    const MessageId none = world.submit("a@x.example", {"local@l.example"});
    const MessageId unknown = world.submit("a@x.example", {"nosuch@n.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(world.starts_.size(), 0U);
    EXPECT_EQ(world.state_of(refused).queue, QueueName::hold);
    EXPECT_EQ(world.state_of(waits).queue, QueueName::deferred);
    EXPECT_EQ(world.state_of(none).queue, QueueName::deferred);
    EXPECT_EQ(world.state_of(unknown).queue, QueueName::deferred) << "it never leaves by SMTP";
    EXPECT_EQ(world.store_.size(), 4U);
    EXPECT_EQ(world.count_log("to=<error@e.example>, relay=none"), 1U);
    EXPECT_EQ(world.count_log("dsn=5.7.1, status=bounced (go away)"), 1U);
    EXPECT_EQ(world.count_log("dsn=4.0.0, status=deferred (some text)"), 1U);
    EXPECT_EQ(world.count_log("dsn=2.0.0, status=sent (some text)"), 1U);
    EXPECT_EQ(world.count_log("dsn=4.3.5, status=deferred (mail transport unavailable)"), 2U);
}

TEST(Scheduler, LeavesTheMailOfADeferredTransportForTheOperator) {
    TestingWorld world;
    world.transport_.waits_for_flush = true;
    world.start();
    world.submit("a@x.example", {"b@y.example"});
    world.run_for(kHourUs);
    EXPECT_EQ(world.starts_.size(), 0U);
    EXPECT_GE(world.count_log("dsn=4.3.2, status=deferred (deferred transport)"), 1U);
    world.scheduler().flush();
    world.run_for(kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 1U);
}

TEST(Scheduler, BoundsTheActiveQueueAndDeliversEverything) {
    SchedulerConfig config;
    config.active_limit = 64;
    TestingWorld world(config);
    world.start(2);
    for (int i = 0; i < 5000; ++i) {
        world.submit("a@s" + std::to_string(i % 7) + ".example",
                     {"b@d" + std::to_string(i % 100) + ".example"});
    }
    world.run_for(kHourUs);
    EXPECT_EQ(world.deliveries_.size(), 5000U);
    EXPECT_LE(world.active_max_, 64U);
    EXPECT_TRUE(world.store_.empty());
    EXPECT_EQ(world.scheduler().messages(), 0U);
}

TEST(Scheduler, LeavesRoomForNewMailWhenABacklogBecomesDue) {
    SchedulerConfig config;
    config.active_limit = 100;
    TestingWorld world(config);
    world.start();
    world.sites_["slow.example"] = {false, false, Outcome::deferred, kMsUs, "451 later"};
    for (int i = 0; i < 500; ++i) world.submit("a@x.example", {"b@slow.example"});
    world.run_for(20 * kSecondUs);
    world.sites_["slow.example"].hangs = true;
    world.scheduler().flush();
    world.run_for(10 * kSecondUs);
    EXPECT_LE(world.scheduler().active(), 75U);
    world.submit("a@x.example", {"b@y.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(count_recipient(world, "b@y.example"), 1U);
}

TEST(Scheduler, FlushTriesEverythingAtOnceAndOneMessageAlone) {
    TestingWorld world;
    world.start();
    world.sites_["y.example"] = {false, false, Outcome::deferred, kMsUs, "451 later"};
    const MessageId one = world.submit("a@x.example", {"1@y.example"});
    world.submit("a@x.example", {"2@y.example"});
    world.run_for(10 * kSecondUs);
    world.sites_["y.example"].outcome = Outcome::sent;
    EXPECT_FALSE(world.scheduler().flush(MessageId{1}));
    EXPECT_TRUE(world.scheduler().flush(one));
    world.run_for(kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 1U);
    world.scheduler().flush();
    world.run_for(kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 2U);
}

TEST(Scheduler, KeepsTheRateOfADestinationBelowASecond) {
    TestingWorld world;
    world.transport_.destination_interval_us = 100 * kMsUs;
    world.start();
    for (int i = 0; i < 20; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(10 * kSecondUs);
    ASSERT_EQ(world.starts_.size(), 20U);
    for (size_t i = 1; i < world.starts_.size(); ++i) {
        EXPECT_GE(world.starts_[i].at_us - world.starts_[i - 1].at_us, 96 * kMsUs);
    }
    EXPECT_GE(world.starts_.back().at_us - world.starts_.front().at_us, 1900 * kMsUs);
    EXPECT_LT(world.starts_.back().at_us, 2100 * kMsUs);
}

TEST(Scheduler, KeepsTheRateOfATransportAcrossItsDestinations) {
    TestingWorld world;
    world.transport_.transport_interval_us = 50 * kMsUs;
    world.start();
    for (int i = 0; i < 40; ++i)
        world.submit("a@x.example", {"b@d" + std::to_string(i % 8) + ".example"});
    world.run_for(10 * kSecondUs);
    ASSERT_EQ(world.starts_.size(), 40U);
    EXPECT_GE(world.starts_.back().at_us - world.starts_.front().at_us,
              39 * 50 * kMsUs - 4 * kMsUs);
    EXPECT_LT(world.starts_.back().at_us, 2500 * kMsUs);
}

TEST(Scheduler, WaitsForRoomInAnAgentsRing) {
    TestingWorld world;
    world.start();
    world.ring_full_ = true;
    for (int i = 0; i < 10; ++i)
        world.submit("a@x.example", {"b@d" + std::to_string(i) + ".example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(world.starts_.size(), 0U);
    world.ring_full_ = false;
    world.scheduler().on_agent_room(100);
    world.run_for(kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 10U);
}

TEST(Scheduler, ClosesIdleLanesForOthersWhenAgentsAreFull) {
    SchedulerConfig config;
    config.lanes_per_agent_max = 4;
    config.lane_idle_us = kHourUs;
    TestingWorld world(config);
    world.start();
    for (int i = 0; i < 100; ++i)
        world.submit("a@x.example", {"b@d" + std::to_string(i) + ".example"});
    world.run_for(10 * kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 100U);
    EXPECT_LE(world.lanes_.size(), 4U);
}

TEST(Scheduler, AsksAgainWhenTheStoresArenaWasFull) {
    TestingWorld world;
    world.start();
    world.arena_full_ = true;
    world.submit("a@x.example", {"b@y.example"});
    world.run_for(10 * kSecondUs);
    EXPECT_EQ(world.scheduler().active(), 0U);
    EXPECT_LT(world.scheduler().stats().loads, 150U);
    world.arena_full_ = false;
    world.run_for(kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 1U);
}

TEST(Scheduler, ListsAgainWhatItsTableHadNoRoomFor) {
    SchedulerConfig config;
    config.messages_max = 3;
    TestingWorld world(config);
    world.start();
    for (int i = 0; i < 5; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(10 * kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 3U);
    EXPECT_EQ(world.scans_wanted_, 1);
}

TEST(Scheduler, RecordsTheResultsOfAMessageThatStaysActive) {
    TestingWorld world;
    world.start();
    world.sites_["slow.example"].hangs = true;
    const MessageId id = world.submit("a@x.example", {"1@y.example", "2@slow.example"});
    world.run_for(kSecondUs);
    const QueueState state = world.state_of(id);
    EXPECT_EQ(state.queue, QueueName::active);
    ASSERT_EQ(state.groups.size(), 1U);
    EXPECT_EQ(state.groups[0].recipients, std::vector<uint32_t>{1});
    EXPECT_NE(world.covered_.at(1), 0U) << "the agent may forget it";
}

// A destination that refuses for now, so that there is deferred mail too.
TEST(Scheduler, TakesTheNewRouteAfterAReloadOrANewRewrite) {
    TestingWorld world;
    world.start();
    std::string relay = "old.example";
    world.sites_[relay].outcome = Outcome::deferred;
    world.resolve_as_ = [&](std::string_view, wire::ResolveReply& reply) {
        reply.nexthop = reply.site = relay;
    };
    const MessageId deferred = world.submit("a@x.example", {"b@y.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(world.resolves_, 1U);
    relay = "new.example";
    world.scheduler().configure({});
    world.submit("a@x.example", {"c@y.example"});
    world.run_for(kSecondUs);
    ASSERT_EQ(world.deliveries_.size(), 1U);
    EXPECT_EQ(world.lanes_to_site_max_["new.example"], 1U);
    EXPECT_TRUE(world.scheduler().flush(deferred));
    world.run_for(kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 2U);

    relay = "newest.example";
    world.scheduler().on_rewrite_down();
    world.scheduler().on_rewrite_up();
    world.submit("a@x.example", {"d@y.example"});
    world.run_for(kSecondUs);
    EXPECT_EQ(world.deliveries_.size(), 3U);
    EXPECT_EQ(world.lanes_to_site_max_["newest.example"], 1U);
}

TEST(Scheduler, DrainsWithoutStartingAnythingNew) {
    TestingWorld world;
    world.start();
    world.sites_["y.example"].delay_us = 100 * kMsUs;
    for (int i = 0; i < 100; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(150 * kMsUs);
    world.scheduler().drain();
    const size_t started = world.starts_.size();
    world.run_for(10 * kSecondUs);
    EXPECT_EQ(world.starts_.size(), started);
    EXPECT_EQ(world.scheduler().jobs_out(), 0U);
    EXPECT_EQ(world.lanes_.size(), 0U);
}

// Anything that can go wrong, in an order made from a seed. In the end everything is delivered
// once, or more than once if an agent or qmgr died; the bytes of every message have come home.
}  // namespace
}  // namespace posthaste
