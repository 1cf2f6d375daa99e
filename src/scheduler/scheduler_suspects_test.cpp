// Mail of which processes die, mail that never gets a turn, and counters at their end.
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

// A site whose mail kills its agent: each death takes down everything aboard.
size_t deaths_until(TestingWorld& world, int64_t us, std::string_view poison) {
    size_t deaths = 0;
    size_t seen = 0;
    for (int64_t passed_us = 0; passed_us < us; passed_us += 100 * kMsUs) {
        world.run_for(100 * kMsUs);
        for (; seen < world.starts_.size(); ++seen) {
            if (world.starts_[seen].recipient != poison) continue;
            const uint32_t agent = world.starts_[seen].agent;
            seen = world.starts_.size();
            world.agent_down(agent);
            world.agent_up(world.next_incarnation_++);
            ++deaths;
            break;
        }
    }
    return deaths;
}

TEST(Suspects, AMessageOfWhichAgentsDieWaitsAndIsPutOnHold) {
    TestingWorld world(with_backoff(10 * kSecondUs, 20 * kSecondUs));
    world.start();
    world.sites_["poison.example"].hangs = true;
    const MessageId id = world.submit("a@x.example", {"p@poison.example"});
    const MessageId good = world.submit("a@x.example", {"b@slow.example"});
    world.sites_["slow.example"].delay_us = 30 * kSecondUs;
    EXPECT_EQ(deaths_until(world, 5 * kMinuteUs, "p@poison.example"), kDeathsToHold);
    EXPECT_EQ(world.state_of(id).queue, QueueName::hold);
    EXPECT_THAT(world.store_.at(id).reasons.at(0),
                HasSubstr("the delivery agent died 4 times while it had this message"));
    std::erase_if(world.warnings_,
                  [&](const std::string& line) { return !line.starts_with(queue_id_text(id)); });
    ASSERT_EQ(world.warnings_.size(), 3U);
    EXPECT_THAT(world.warnings_[0], HasSubstr("died 2 times while it had this message, it waits"));
    EXPECT_THAT(world.warnings_[2], HasSubstr("it is put on hold"));
    EXPECT_EQ(world.count_log("to=<p@poison.example>, relay=none"), 2U) << "two count as attempts";
    EXPECT_FALSE(world.store_.contains(good)) << "whoever was aboard with it is not to blame";
    EXPECT_EQ(count_recipient(world, "b@slow.example"), 1U);
}

TEST(Suspects, OnlyOneIsOutAtATime) {
    TestingWorld world(with_backoff(10 * kSecondUs, 10 * kSecondUs));
    world.start();
    for (int i = 0; i < 6; ++i) {
        const std::string site = "s" + std::to_string(i) + ".example";
        world.sites_[site].hangs = true;
        world.submit("a@x.example", {"b@" + site});
    }
    for (int i = 0; i < 2; ++i) {
        world.run_for(3 * kSecondUs);
        world.agent_down(world.agents_.front());
        world.agent_up(world.next_incarnation_++);
    }
    world.starts_.clear();
    world.run_for(15 * kSecondUs);
    EXPECT_EQ(world.starts_.size(), 1U) << "all six were aboard twice";
    for (int i = 0; i < 6; ++i) world.sites_["s" + std::to_string(i) + ".example"] = {};
    world.agent_down(world.agents_.front());
    world.agent_up(world.next_incarnation_++);
    world.run_for(kMinuteUs);
    EXPECT_TRUE(world.store_.empty()) << "who is delivered is acquitted, and the next one runs";
}

TEST(Suspects, AnAddressOfWhichRewritesDieWaitsAndIsPutOnHold) {
    TestingWorld world(with_backoff(10 * kSecondUs, 10 * kSecondUs));
    world.start();
    const MessageId id = world.submit("a@x.example", {"poison@y.example"});
    size_t deaths = 0;
    world.rewrite_dies_of_ = "poison@y.example";
    for (int i = 0; i < 1200; ++i) {
        world.run_for(kSecondUs);
        if (!std::exchange(world.rewrite_died_, false)) continue;
        ++deaths;
        world.scheduler().on_rewrite_down();
        world.scheduler().on_rewrite_up();
    }
    EXPECT_LE(deaths, 2U * kDeathsToHold) << "as a question for the domain, and for itself";
    EXPECT_EQ(world.state_of(id).queue, QueueName::hold);
    EXPECT_THAT(world.store_.at(id).reasons.at(0), HasSubstr("address resolution died of this"));
    world.submit("a@x.example", {"b@y.example"});
    world.run_for(2 * kMinuteUs);
    EXPECT_EQ(count_recipient(world, "b@y.example"), 1U)
        << "others at its domain have nothing of it";
}

TEST(Suspects, AMessageOfWhichStoresDieWaitsLongerEachTime) {
    TestingWorld world(with_backoff(100 * kSecondUs, 400 * kSecondUs));
    world.start();
    world.load_us_ = kSecondUs;
    const MessageId poison = world.submit("a@x.example", {"b@y.example"});
    world.store_down();  // before it was announced
    std::vector<int64_t> deaths_us;
    for (int i = 0; i < 2000; ++i) {
        const auto loads = world.scheduler().stats().loads;
        if (!world.is_store_up()) world.store_up();
        world.run_for(kSecondUs / 2);
        if (world.scheduler().stats().loads == loads) continue;
        deaths_us.push_back(world.now_us());
        world.store_down();
    }
    ASSERT_GE(deaths_us.size(), 4U);
    EXPECT_LT(deaths_us[1] - deaths_us[0], 2 * kSecondUs);
    EXPECT_GE(deaths_us[2] - deaths_us[1], 100 * kSecondUs);
    EXPECT_GE(deaths_us[3] - deaths_us[2], deaths_us[2] - deaths_us[1]);
    EXPECT_THAT(world.warnings_.back(), HasSubstr("times while it was to load this message"));
    if (!world.is_store_up()) world.store_up();
    world.run_for(10 * kMinuteUs);
    EXPECT_FALSE(world.store_.contains(poison)) << "as soon as one lives to load it";
    EXPECT_EQ(count_recipient(world, "b@y.example"), 1U);
}

TEST(Lifetime, EndsAlsoForMailThatNeverGotATurn) {
    SchedulerConfig config = with_backoff(10 * kMinuteUs, kHourUs);
    config.active_limit = 10;
    config.lifetime_us = config.null_sender_lifetime_us = 3 * kHourUs;
    TestingWorld world(config);
    world.transport_.feedback.limit = world.transport_.feedback.initial = 1;
    world.start();
    world.sites_["slow.example"].hangs = true;
    for (int i = 0; i < 100; ++i) world.submit("a@x.example", {"b@slow.example"});
    world.run_for(3 * kHourUs);
    EXPECT_EQ(world.count_log("status=expired"), 0U);
    world.run_for(kHourUs);
    EXPECT_EQ(world.count_log("status=expired"), 99U) << "one is with the agent";
    EXPECT_EQ(world.scheduler().messages(), 1U);
    for (const auto& [id, stored] : world.store_) {
        if (stored.reasons.empty()) continue;
        EXPECT_THAT(stored.reasons.at(0), HasSubstr("no turn for an attempt"));
    }
    EXPECT_LE(world.active_max_, 10U);
}

TEST(Lifetime, IsCountedFromTheArrivalNotFromTheId) {
    SchedulerConfig config;
    config.active_limit = 10;
    TestingWorld world(config);
    world.start();
    world.sites_["slow.example"].hangs = true;
    for (int i = 0; i < 20; ++i) {
        const MessageId id = world.submit("a@x.example", {"b@slow.example"});
        // Of a block of ids that was leased long ago.
        auto node = world.store_.extract(id);
        node.key() = id - 10 * kDayUs;
        node.mapped().envelope.id = node.key();
        world.store_.insert(std::move(node));
        world.announce(id - 10 * kDayUs);
    }
    world.run_for(10 * kMinuteUs);
    EXPECT_EQ(world.count_log("status=expired"), 0U);
    world.sites_["slow.example"] = {};
    for (const uint32_t agent : std::vector<uint32_t>(world.agents_)) world.agent_down(agent);
    world.agent_up(world.next_incarnation_++);
    world.run_for(10 * kMinuteUs);
    EXPECT_EQ(count_recipient(world, "b@slow.example"), 20U);
}

TEST(Loads, ALargeMessageFindsRoomInAnArenaThatIsAlwaysFull) {
    TestingWorld world;
    world.transport_.feedback.limit = world.transport_.feedback.initial = 5;
    world.start();
    world.sites_["y.example"].delay_us = 20 * kMsUs;
    world.arena_bytes_ = 1000 * 4096;
    for (int i = 0; i < 2000; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(kSecondUs);
    const MessageId large = world.submit("z@z.example", {"large@z.example"}, 800 * 4096);
    size_t refilled = 0;
    for (int i = 0; i < 90; ++i) {  // more than the site takes
        for (int j = 0; j < 30; ++j) {
            for (int k = 0; k < 10; ++k) world.submit("a@x.example", {"b@y.example"});
            world.run_for(kSecondUs / 30);
        }
        refilled += world.lent_bytes_ > 900 * 4096;
    }
    EXPECT_FALSE(world.store_.contains(large)) << "delivered";
    EXPECT_GT(refilled, 40U) << "the others have their turns";
    EXPECT_GT(world.store_.size(), 1000U) << "there always were others";
    world.run_for(5 * kMinuteUs);
    EXPECT_TRUE(world.store_.empty());
}

TEST(Loads, AreAsManyAsTheArenaTakes) {
    TestingWorld world;
    world.transport_.feedback.limit = world.transport_.feedback.initial = 5;
    world.start();
    world.sites_["y.example"].delay_us = 20 * kMsUs;
    world.arena_bytes_ = 100 * 4096;
    for (int i = 0; i < 10'000; ++i) world.submit("a@x.example", {"b@y.example"});
    world.run_for(39 * kSecondUs);
    EXPECT_GT(world.deliveries_.size(), 9500U) << "the site is never kept waiting";
    EXPECT_LT(world.scheduler().stats().loads, 25'000U) << "and few loads are in vain";
}

TEST(Lanes, NumbersGoRoundTheirEndAndSpareThoseInUse) {
    LaneTable lanes(UINT32_MAX - 2);
    const uint32_t first = lanes.open(0, 0);
    EXPECT_EQ(lanes[first].id, UINT32_MAX - 1);
    EXPECT_EQ(lanes[lanes.open(0, 0)].id, UINT32_MAX);
    EXPECT_EQ(lanes[lanes.open(0, 0)].id, 1U) << "0 is none";
    LaneTable again(0);
    const uint32_t kept = again.open(0, 0);
    for (uint32_t i = 0; i < 10; ++i) again.remove(again.open(0, 0));
    EXPECT_EQ(again.find(1), kept);

    SchedulerConfig config;
    config.last_lane = UINT32_MAX - 3;
    TestingWorld world(config);
    world.start();
    for (int i = 0; i < 20; ++i) {
        world.submit("a@x.example", {"b@s" + std::to_string(i) + ".example"});
        world.run_for(3 * kSecondUs);
    }
    EXPECT_EQ(world.deliveries_.size(), 20U);
}

}  // namespace
}  // namespace posthaste
