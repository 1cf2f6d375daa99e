#include "command/listing_text.h"

#include <gtest/gtest.h>
#include <stdlib.h>

namespace posthaste {
namespace {

std::string listing(std::initializer_list<std::string_view> lines) {
    ::setenv("TZ", "UTC0", 1);
    ListingText text;
    std::string out;
    for (const auto line : lines) text.append(line, out);
    text.finish(out);
    return out;
}

constexpr std::string_view kDeferred =
    R"({"queue_name": "deferred", "queue_id": "4Zq8xW3kXcz7h", "arrival_time": 1795332600, "message_size": 4096, )"
    R"("forced_expire": false, "sender": "s@example.com", "recipients": [)"
    R"({"address": "a@example.net", "delay_reason": "connect to mx[192.0.2.1]:25: Connection refused"},)"
    R"({"address": "b@example.net", "delay_reason": "connect to mx[192.0.2.1]:25: Connection refused"},)"
    R"({"address": "c@example.net"}]})";
constexpr std::string_view kActive =
    R"({"queue_name": "active", "queue_id": "4Zq8xW3kXcz7i", "arrival_time": 1795332601, "message_size": 100, )"
    R"("forced_expire": false, "sender": "", "recipients": [{"address": "d@example.net"}]})";

TEST(ListingText, IsPostfixsToTheByte) {
    EXPECT_EQ(listing({kDeferred, kActive}),
              "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
              "4Zq8xW3kXcz7h         4096 Sun Nov 22 07:30:00 s@example.com\n"
              "                             (connect to mx[192.0.2.1]:25: Connection refused)\n"
              "                                               a@example.net\n"
              "                                               b@example.net\n"
              "                                                          (reason unavailable)\n"
              "                                               c@example.net\n"
              "\n"
              "4Zq8xW3kXcz7i*         100 Sun Nov 22 07:30:01 MAILER-DAEMON\n"
              "                                               d@example.net\n"
              "\n"
              "-- 4 Kbytes in 2 Requests.\n");
}

TEST(ListingText, SaysWhoIsHeldWhileOthersWait) {
    ListingText text;
    std::string out;
    ASSERT_TRUE(text.append(
        R"({"queue_name": "deferred", "queue_id": "X", "arrival_time": 0, "message_size": 1, "sender": "s", )"
        R"("recipients": [{"address": "a@b", "delay_reason": "no such user", "held": true}, )"
        R"({"address": "c@b", "delay_reason": "no such user"}]})",
        out));
    const size_t held = out.find("(held: no such user)");
    EXPECT_NE(held, std::string::npos) << out;
    EXPECT_GT(out.find("(no such user)"), held) << out;
}

TEST(ListingText, OneMessageIsOneRequest) {
    EXPECT_NE(listing({kActive}).find("\n-- 0 Kbytes in 1 Request.\n"), std::string::npos);
}

TEST(ListingText, AnEmptyQueueSaysSo) { EXPECT_EQ(listing({}), "Mail queue is empty\n"); }

TEST(ListingText, HeldMailIsMarked) {
    EXPECT_NE(
        listing(
            {R"({"queue_name": "hold", "queue_id": "X", "arrival_time": 0, "message_size": 1, "sender": "s"})"})
            .find("\nX! "),
        std::string::npos);
}

TEST(ListingText, WhatIsNoMessageIsLeftOut) {
    EXPECT_EQ(listing({"", "error: busy", "[]", "{}", R"({"queue_id": 5})", "{\"queue_id\": \"x"}),
              "Mail queue is empty\n");
}

TEST(ListingText, AReasonCannotSpeakToTheTerminal) {
    const auto out = listing(
        {R"({"queue_name": "deferred", "queue_id": "X", "arrival_time": 0, "message_size": 1, )"
         R"("sender": "s\u001b[2J", "recipients": [{"address": "a\nb", "delay_reason": "\u0007"}]})"});
    EXPECT_EQ(out.find('\x1b'), std::string::npos);
    EXPECT_EQ(out.find('\x07'), std::string::npos);
    EXPECT_NE(out.find("a?b"), std::string::npos);
}

}  // namespace
}  // namespace posthaste
