// A connection's bytes and times.
#include "simulation/smtp/lane_testing.h"

namespace posthaste::simulation {
namespace {

std::string large_message(char fill) {
    std::string out = "Subject: x\r\n\r\n";
    while (out.size() < 1'000'000) out += std::string(70, fill) + "\r\n";
    return out;
}

TEST_F(LaneTest, NothingOfAReportedMessageIsReadAnyMore) {
    MannersServer server(world_, {first_, 25});
    server.manners.refuses_and_reads_on = true;
    server.manners.end = "552 5.3.4 too big\r\n";
    std::string content;
    // Its blocks belong to other mail as soon as it is reported.
    then_ = [&] { std::fill(content.begin(), content.end(), 'Z'); };
    open({first_});
    for (uint64_t i = 1; i <= 50; ++i) {
        server.manners.reads_of_message = 1000 * i;
        content = large_message('x');
        add(i, content);
        run(kMinuteUs);
        ASSERT_EQ(over_.size(), i);
        EXPECT_EQ(over_.back().status().outcome, Outcome::bounced);
        EXPECT_GT(server.unfinished.size(), 1000U);
        ASSERT_EQ(server.unfinished.find('Z'), std::string::npos) << i;
        server.unfinished.clear();
    }
}

TEST_F(LaneTest, AServerThatStopsReadingGetsTheTimeOfTheTransferOnly) {
    config_.data_xfer_timeout_us = 20 * kSecondUs;
    config_.data_done_timeout_us = 600 * kSecondUs;
    MannersServer server(world_, {first_, 25});
    server.manners.reads_of_message = 1000;
    const std::string content = large_message('x');
    open({first_});
    add(1, content);
    run(19 * kSecondUs);
    EXPECT_TRUE(over_.empty());
    run(3 * kSecondUs);
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_EQ(over_[0].status().text,
              "conversation with mx.dest.test[10.0.9.1] timed out while sending message body");
}

TEST_F(LaneTest, AServerThatHasTheMessageGetsTheTimeOfItsAnswer) {
    config_.data_xfer_timeout_us = 20 * kSecondUs;
    config_.data_done_timeout_us = 100 * kSecondUs;
    MannersServer server(world_, {first_, 25});
    server.manners.end_delay_us = 90 * kSecondUs;
    open({first_});
    add(1);
    run(200 * kSecondUs);
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_EQ(over_[0].status().outcome, Outcome::sent);
}

TEST_F(LaneTest, AServerThatHasTheMessageAndDoesNotAnswerMayGetItTwice) {
    MannersServer server(world_, {first_, 25});
    server.manners.end_delay_us = 900 * kSecondUs;
    open({first_});
    add(1);
    run(700 * kSecondUs);
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_EQ(over_[0].status().text,
              "conversation with mx.dest.test[10.0.9.1] timed out while sending end of data -- "
              "message may be sent more than once");
}

TEST_F(LaneTest, WhatIsWaitedForShorterThanATransferEndsInItsOwnTime) {
    config_.data_xfer_timeout_us = 600 * kSecondUs;
    config_.data_done_timeout_us = 20 * kSecondUs;
    MannersServer server(world_, {first_, 25});
    server.manners.reads_of_message = 1000;
    const std::string content = large_message('x');
    open({first_});
    add(1, content);
    run(30 * kSecondUs);
    EXPECT_EQ(over_.size(), 1U);
}

TEST_F(LaneTest, AConnectIsGivenUpAfterItsTime) {
    world_.network().set_unanswering(first_, true);
    MannersServer second(world_, {second_, 25});
    open({first_, second_});
    add(1);
    run(29 * kSecondUs);
    EXPECT_EQ(second.visits, 0U);
    run(3 * kSecondUs);
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_EQ(over_[0].status().outcome, Outcome::sent);
    EXPECT_EQ(log_.count("connect to mx.dest.test[10.0.9.1]:25: Connection timed out"), 1U);
}

TEST_F(LaneTest, AConnectionMadeTooLateIsClosed) {
    world_.network().set_unanswering(first_, true);
    open({first_});
    add(1);
    run(kSecondUs);
    in_turn([this] { lane_->drain(); });
    run(kSecondUs);
    EXPECT_TRUE(links_.empty());
    ASSERT_EQ(over_.size(), 1U);
    EXPECT_FALSE(over_[0].attempted);
}

}  // namespace
}  // namespace posthaste::simulation
