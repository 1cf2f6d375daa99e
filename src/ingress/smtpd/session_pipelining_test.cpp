// Who does not wait where RFC 2920 says that a client must.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"

#include "ingress/smtpd/session_testing.h"

namespace posthaste::smtpd {
namespace {

using ::testing::Contains;

TEST(SmtpSession, HangsUpOnThoseWhoDoNotWait) {
    struct Case {
        std::string_view way;
        std::string_view line;
        std::string_view name;
    };

    const Case cases[] = {
        {"", "EHLO me\r\n", "EHLO"},
        {"", "HELO me\r\n", "HELO"},
        {"EHLO me\r\n", "NOOP\r\n", "NOOP"},
        {"EHLO me\r\n", "VRFY c@example.com\r\n", "VRFY"},
        {"EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\n", "DATA\r\n", "DATA"},
        // Only ESMTP knows pipelining.
        {"", "MAIL FROM:<>\r\n", "MAIL"},
        {"", "RSET\r\n", "RSET"},
        {"HELO me\r\n", "MAIL FROM:<>\r\n", "MAIL"}};
    for (const Case& each : cases) {
        Dialogue dialogue;
        dialogue.start();
        for (const auto line : split(each.way, "\n")) dialogue.say(std::string(line) + "\n");
        dialogue.heard();
        dialogue.say(std::string(each.line) + "QUIT\r\n");
        EXPECT_EQ(dialogue.heard(), "554 5.5.0 Error: SMTP protocol synchronization\r\n")
            << each.line;
        EXPECT_TRUE(dialogue.world.closed);
        EXPECT_THAT(dialogue.world.logged,
                    Contains("improper command pipelining after " + std::string(each.name) +
                             " from client.example.net[192.0.2.1]: QUIT\\r\\n"));
    }
}

TEST(SmtpSession, HangsUpOnThoseWhoSpeakFirst) {
    Dialogue dialogue;
    dialogue.start(true);
    EXPECT_EQ(dialogue.heard(), "554 5.5.0 Error: SMTP protocol synchronization\r\n");
    EXPECT_TRUE(dialogue.world.closed);
}

}  // namespace
}  // namespace posthaste::smtpd
