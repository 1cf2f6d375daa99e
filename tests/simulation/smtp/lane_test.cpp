// A lane's way from host to host, and when its connection counts as gone.
#include <cerrno>

#include "simulation/smtp/lane_testing.h"

namespace posthaste::simulation {
namespace {

using smtp::LaneEnd;

// ---- a connection is gone when the server says so ----

TEST_F(LaneTest, MakesNoSecondConnectionWhileTheServerCountsTheFirst) {
    config_.reuse_count_limit = 1;
    MannersServer server(world_, {first_, 25});
    server.manners.bye_delay_us = 3 * kSecondUs;
    server.manners.takes = 1;
    open({first_});
    add_two(1, 2);
    run(2 * kSecondUs);
    EXPECT_EQ(over_.size(), 1U);
    EXPECT_EQ(links_made_, 1U);
    run(20 * kSecondUs);
    ASSERT_EQ(over_.size(), 2U);
    EXPECT_EQ(over_[1].status().outcome, Outcome::sent);
    EXPECT_EQ(server.most_open, 1U);
    EXPECT_EQ(server.refused, 0U);
    EXPECT_EQ(server.visits, 2U);
}

TEST_F(LaneTest, ClosesWhenQuitIsAnswered) {
    MannersServer server(world_, {first_, 25});
    server.manners.bye_delay_us = 3 * kSecondUs;
    open({first_});
    add(1);
    run(kSecondUs);
    in_turn([this] { lane_->close(); });
    run(2 * kSecondUs);
    EXPECT_FALSE(ended_);
    run(2 * kSecondUs);
    EXPECT_TRUE(ended_);
    EXPECT_EQ(end_, LaneEnd::quiet);
    EXPECT_TRUE(links_.empty());
}

TEST_F(LaneTest, ClosesWhenTheServerHangsUpInsteadOfAnsweringQuit) {
    auto server = std::make_unique<MannersServer>(world_, Endpoint{first_, 25});
    server->manners.bye.clear();
    open({first_});
    add(1);
    run(kSecondUs);
    in_turn([this] { lane_->close(); });
    run(kSecondUs);
    EXPECT_FALSE(ended_);
    server.reset();
    run(kSecondUs);
    EXPECT_TRUE(ended_);
}

TEST_F(LaneTest, WaitsForAServerThatIgnoresQuitNoLongerThanItsTimeOut) {
    MannersServer server(world_, {first_, 25});
    server.manners.bye.clear();
    open({first_});
    add(1);
    run(kSecondUs);
    in_turn([this] { lane_->close(); });
    run(9 * kSecondUs);
    EXPECT_FALSE(ended_);
    run(2 * kSecondUs);
    EXPECT_TRUE(ended_);
}

TEST_F(LaneTest, AJobThatComesWhileTheConnectionIsLeftGetsAnotherOne) {
    config_.reuse_count_limit = 1;
    MannersServer server(world_, {first_, 25});
    server.manners.bye_delay_us = 3 * kSecondUs;
    open({first_});
    add_two(1, 2);
    run(kSecondUs);
    add(3);
    run(30 * kSecondUs);
    EXPECT_EQ(over_.size(), 3U);
    EXPECT_EQ(server.visits, 3U);
    EXPECT_EQ(server.most_open, 1U);
}

TEST_F(LaneTest, AnAgentThatStopsDoesNotWaitForTheAnswerToQuit) {
    config_.reuse_count_limit = 1;
    MannersServer server(world_, {first_, 25});
    server.manners.bye.clear();
    open({first_});
    add_two(1, 2);
    run(kSecondUs);
    ASSERT_EQ(over_.size(), 1U);
    in_turn([this] { lane_->drain(); });
    EXPECT_TRUE(ended_);
    ASSERT_EQ(over_.size(), 2U);
    EXPECT_FALSE(over_[1].attempted);
    run(20 * kSecondUs);
    EXPECT_TRUE(links_.empty());
}

// ---- delays= ----

TEST_F(LaneTest, WhoWaitsBehindAnotherMessageIsNotYetBeingSent) {
    MannersServer server(world_, {first_, 25});
    server.manners.end_delay_us = 4 * kSecondUs;
    open({first_});
    add_two(1, 2);
    run(20 * kSecondUs);
    ASSERT_EQ(over_.size(), 2U);
    EXPECT_EQ(over_[1].job->conn_use, 2U);
    const int64_t waited_us = over_[1].job->begun_wall_us - over_[1].job->wire.active_wall_us;
    EXPECT_GE(waited_us, 3'900 * kMsUs);
    EXPECT_EQ(log_.count("conn_use=2, delay=8, delays=0/4/0/4, "), 1U) << log_.lines.back();
}

// ---- from host to host ----

TEST_F(LaneTest, OffersWhatIsDeferredToAsManyServersAsSmtpMxSessionLimitAllows) {
    MannersServer first(world_, {first_, 25});
    MannersServer second(world_, {second_, 25});
    MannersServer third(world_, {third_, 25});
    first.manners.rcpt = second.manners.rcpt = "450 4.2.0 later\r\n";
    open({first_, second_, third_});
    add(1);
    run(kMinuteUs);
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_EQ(over_[0].status().outcome, Outcome::deferred);
    EXPECT_EQ(second.visits, 1U);
    EXPECT_EQ(third.visits, 0U) << "two servers have answered";
    config_.mx_session_limit = 3;
    add(2);
    run(kMinuteUs);
    EXPECT_EQ(third.messages.size(), 1U);
}

TEST_F(LaneTest, AnAgentThatStopsOffersWhatIsDeferredToNobodyElse) {
    MannersServer first(world_, {first_, 25});
    MannersServer second(world_, {second_, 25});
    first.manners.end = "451 4.3.0 later\r\n";
    first.manners.end_delay_us = 4 * kSecondUs;
    open({first_, second_});
    add(1);
    run(2 * kSecondUs);
    in_turn([this] { lane_->drain(); });
    run(kMinuteUs);
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_TRUE(over_[0].attempted);
    EXPECT_EQ(over_[0].status().outcome, Outcome::deferred);
    EXPECT_EQ(second.visits, 0U);
    EXPECT_TRUE(ended_);
}

TEST_F(LaneTest, ARefusalForGoodIsNotTakenToTheNextHost) {
    MannersServer first(world_, {first_, 25});
    MannersServer second(world_, {second_, 25});
    first.manners.hello = "550 5.7.1 not you\r\n";
    open({first_, second_});
    add_two(1, 2);
    run(kMinuteUs);
    EXPECT_EQ(second.visits, 0U);
    ASSERT_EQ(over_.size(), 2U);
    EXPECT_EQ(over_[0].status().outcome, Outcome::bounced);
    EXPECT_FALSE(over_[0].job->hop_failed);
    EXPECT_FALSE(over_[1].attempted);
}

TEST_F(LaneTest, WhatOneServerSaidOfAMessageIsReportedWhenTheNextHostsAreDead) {
    MannersServer first(world_, {first_, 25});
    first.manners.rcpt = "450 4.2.0 later\r\n";
    open({first_, second_});  // nobody listens there
    add_two(1, 2);
    run(kMinuteUs);
    ASSERT_EQ(over_.size(), 2U);
    for (const Over& over : over_) {
        EXPECT_TRUE(over.attempted) << "a server has answered about it";
        EXPECT_EQ(over.status().outcome, Outcome::deferred);
    }
}

TEST_F(LaneTest, TheFirstMessageOfAConnectionTakesTheBlameForItsEnd) {
    MannersServer server(world_, {first_, 25});
    server.manners.drops_at_mail = true;
    open({first_});
    add(1);
    run(kMinuteUs);
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_TRUE(over_[0].attempted);
    EXPECT_TRUE(over_[0].job->hop_failed);
    EXPECT_EQ(server.visits, 1U);
}

TEST_F(LaneTest, AMessageWhoseConnectionsKeepBreakingIsTriedThreeTimes) {
    MannersServer server(world_, {first_, 25});
    open({first_});
    add(1);
    run(kSecondUs);
    ASSERT_EQ(over_.size(), 1U);
    // Behind a first message that is taken each time, nobody hears of the second one.
    server.manners.end_delay_us = kSecondUs;
    then_ = [&] { server.manners.drops_at_mail = true; };
    add(2);
    run(kMsUs);
    server.manners.drops_at_mail = true;
    add(3);
    run(kMinuteUs);
    ASSERT_EQ(over_.size(), 3U);
    EXPECT_TRUE(over_[2].attempted);
    EXPECT_EQ(over_[2].status().outcome, Outcome::deferred);
}

// ---- shortages of our own ----

TEST_F(LaneTest, AShortageOfOursIsNobodysFailure) {
    for (const int os_errno : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EPERM}) {
        over_.clear();
        shortages_.clear();
        ended_ = false;
        MannersServer server(world_, {first_, 25});
        world_.network().set_connect_failure(first_, os_errno);
        open({first_});
        add_two(1, 2);
        run(kMinuteUs);
        EXPECT_TRUE(over_.empty()) << os_errno;
        EXPECT_FALSE(ended_);
        EXPECT_GE(shortages_.size(), 3U);
        EXPECT_LE(shortages_.size(), 8U) << "slower from try to try";
        EXPECT_EQ(log_.count("connect to"), 0U);
        world_.network().set_connect_failure(first_, 0);
        run(31 * kSecondUs);
        ASSERT_EQ(over_.size(), 2U);
        EXPECT_EQ(over_[0].status().outcome, Outcome::sent);
        EXPECT_FALSE(over_[0].job->hop_failed);
        world_.network().unlisten({first_, 25});
        in_turn([this] { lane_->drain(); });
        run(kSecondUs);
    }
}

TEST_F(LaneTest, OtherFailuresOfAConnectAreTheHosts) {
    for (const int os_errno : {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, ECONNRESET}) {
        over_.clear();
        ended_ = false;
        world_.network().set_connect_failure(first_, os_errno);
        open({first_});
        add(1);
        run(kSecondUs);
        ASSERT_EQ(over_.size(), 1U) << os_errno;
        EXPECT_TRUE(over_[0].job->hop_failed);
        EXPECT_EQ(end_, LaneEnd::hop_failed);
    }
    EXPECT_TRUE(shortages_.empty());
}

TEST_F(LaneTest, AnAddressThatCanNotBeReachedFromHereLeavesTheOthers) {
    for (const int os_errno : {EADDRNOTAVAIL, EPERM}) {
        MannersServer server(world_, {second_, 25});
        world_.network().set_connect_failure(first_, os_errno);
        over_.clear();
        ended_ = false;
        open({first_, second_});
        add(1);
        run(kSecondUs);
        ASSERT_EQ(over_.size(), 1U);
        EXPECT_EQ(over_[0].status().outcome, Outcome::sent);
        in_turn([this] { lane_->drain(); });
        run(kSecondUs);
        world_.network().unlisten({second_, 25});
    }
    // All descriptors are used up, on the other hand, whatever the address.
    MannersServer server(world_, {second_, 25});
    world_.network().set_connect_failure(first_, EMFILE);
    over_.clear();
    open({first_, second_});
    add(1);
    run(kSecondUs);
    EXPECT_EQ(server.visits, 0U);
}

TEST_F(LaneTest, AHostThatRefusesIsToBlameEvenIfAnotherCanNotBeReachedFromHere) {
    world_.network().set_connect_failure(second_, EADDRNOTAVAIL);
    open({first_, second_});
    add(1);
    run(kSecondUs);
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_TRUE(over_[0].job->hop_failed);
    EXPECT_EQ(over_[0].status().text, "connect to mx.dest.test[10.0.9.1]:25: Connection refused");
    EXPECT_EQ(end_, LaneEnd::hop_failed);
}

TEST_F(LaneTest, AShortageThatLastsIsToldToTheMailAndStillKillsNoSite) {
    world_.network().set_connect_failure(first_, EPERM);
    open({first_});
    add_two(1, 2);
    run(9 * kMinuteUs);
    EXPECT_TRUE(over_.empty());
    run(2 * kMinuteUs);
    ASSERT_EQ(over_.size(), 2U);
    EXPECT_TRUE(over_[0].attempted);
    EXPECT_FALSE(over_[0].job->hop_failed);
    EXPECT_EQ(over_[0].status().text,
              "connect to mx.dest.test[10.0.9.1]:25: Operation not permitted");
    EXPECT_FALSE(over_[1].attempted);
    EXPECT_TRUE(ended_);
    EXPECT_EQ(end_, LaneEnd::quiet);
}

TEST_F(LaneTest, ALaneThatWaitsForMeansCanBeStopped) {
    world_.network().set_connect_failure(first_, EMFILE);
    open({first_});
    add(1);
    run(kSecondUs);
    in_turn([this] { lane_->close(); });
    EXPECT_FALSE(ended_) << "after what it holds";
    in_turn([this] { lane_->drain(); });
    EXPECT_TRUE(ended_);
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_FALSE(over_[0].attempted);
    const size_t tries = shortages_.size();
    run(kMinuteUs);
    EXPECT_EQ(shortages_.size(), tries);
}

// ---- one connection more than the site takes ----

TEST_F(LaneTest, WhileOthersWorkARefusedConnectionIsOneTooMany) {
    for (const bool told_by_qmgr : {true, false}) {
        MannersServer server(world_, {first_, 25});
        server.manners.takes = 0;
        over_.clear();
        ended_ = false;
        others_work_ = !told_by_qmgr;
        open({first_}, told_by_qmgr);
        add_two(1, 2);
        run(kSecondUs);
        ASSERT_EQ(over_.size(), 2U);
        for (const Over& over : over_) {
            EXPECT_FALSE(over.attempted);
            EXPECT_FALSE(over.job->hop_failed);
            EXPECT_FALSE(over.job->recipients[0].settled);
        }
        EXPECT_EQ(end_, LaneEnd::crowded);
        EXPECT_EQ(
            why_.text,
            "host mx.dest.test[10.0.9.1] refused to talk to me: 421 4.7.0 too many connections");
        world_.network().unlisten({first_, 25});
    }
    EXPECT_EQ(log_.count("status="), 0U);
}

TEST_F(LaneTest, WhereNoneWorksARefusedConnectionIsTheSites) {
    MannersServer server(world_, {first_, 25});
    server.manners.takes = 0;
    open({first_});
    add_two(1, 2);
    run(kSecondUs);
    ASSERT_EQ(over_.size(), 2U);
    EXPECT_TRUE(over_[0].attempted);
    EXPECT_TRUE(over_[0].job->hop_failed);
    EXPECT_FALSE(over_[1].attempted);
    EXPECT_EQ(end_, LaneEnd::hop_failed);
}

TEST_F(LaneTest, ARefusalForGoodIsTheMessagesWhoeverElseWorks) {
    MannersServer server(world_, {first_, 25});
    server.manners.hello = "550 5.7.1 not you\r\n";
    open({first_}, true);
    add(1);
    run(kSecondUs);
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_EQ(over_[0].status().outcome, Outcome::bounced);
    EXPECT_EQ(end_, LaneEnd::quiet);
}

TEST_F(LaneTest, InACrowdAMessageOfWhichAServerHasSpokenIsReported) {
    MannersServer first(world_, {first_, 25});
    first.manners.rcpt = "450 4.2.0 later\r\n";
    MannersServer second(world_, {second_, 25});
    second.manners.takes = 0;
    open({first_, second_}, true);
    add(1);
    run(kSecondUs);
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_TRUE(over_[0].attempted);
    EXPECT_FALSE(over_[0].job->hop_failed);
    EXPECT_EQ(end_, LaneEnd::crowded);
}

}  // namespace
}  // namespace posthaste::simulation
