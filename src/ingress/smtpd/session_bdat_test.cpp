#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingress/smtpd/session_testing.h"

namespace posthaste::smtpd {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kEnvelope = "EHLO me\r\n";
constexpr std::string_view kMailRcpt = "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@example.com>\r\n";

struct Bdat : ::testing::Test {
    void begin(Dialogue& dialogue) {
        dialogue.converse(kEnvelope);
        dialogue.say(kMailRcpt);
        dialogue.heard();
    }
};

TEST_F(Bdat, TakesAMessageInChunks) {
    Dialogue dialogue;
    begin(dialogue);
    dialogue.say("BDAT 7\r\nSubject");
    EXPECT_EQ(dialogue.heard(), "250 2.0.0 Ok: 7 bytes\r\n");
    dialogue.say("BDAT 9\r\n: x\r\n\r\n.\r");
    EXPECT_EQ(dialogue.heard(), "250 2.0.0 Ok: 9 bytes\r\n");
    dialogue.say("BDAT 1 LAST\r\n\n");
    EXPECT_EQ(dialogue.heard(),
              "250 2.0.0 Ok: 17 bytes queued as " + queue_id_text(1'700'000'000'000'001) + "\r\n");
    EXPECT_EQ(dialogue.world.messages.at(0).content, "Subject: x\r\n\r\n.\r\n");
    EXPECT_EQ(dialogue.world.messages.at(0).envelope.size_bytes, 17U);
}

TEST_F(Bdat, EndsTheLastLine) {
    Dialogue dialogue;
    begin(dialogue);
    dialogue.say("BDAT 3 LAST\r\nabc");
    EXPECT_THAT(dialogue.heard(), HasSubstr("Ok: 5 bytes queued as"));
    EXPECT_EQ(dialogue.world.messages.at(0).content, "abc\r\n");
}

TEST_F(Bdat, MayEndWithAnEmptyChunk) {
    Dialogue dialogue;
    begin(dialogue);
    dialogue.say("BDAT 5\r\nabc\r\nBDAT 0 LAST\r\n");
    EXPECT_THAT(dialogue.heard(), HasSubstr("Ok: 5 bytes queued as"));
    EXPECT_EQ(dialogue.world.messages.at(0).content, "abc\r\n");
}

TEST_F(Bdat, FollowsTheEnvelopeInOneGo) {
    Dialogue dialogue;
    dialogue.converse(kEnvelope);
    dialogue.say(std::string(kMailRcpt) + "BDAT 5 LAST\r\nabc\r\n" + std::string(kMailRcpt) +
                 "BDAT 5 LAST\r\ndef\r\nQUIT\r\n");
    ASSERT_EQ(dialogue.world.messages.size(), 2U);
    EXPECT_EQ(dialogue.world.messages[1].content, "def\r\n");
    EXPECT_EQ(dialogue.world.last_log(),
              "disconnect from client.example.net[192.0.2.1] ehlo=1 mail=2 rcpt=2 bdat=2 quit=1 "
              "commands=8");
}

TEST_F(Bdat, ReadsTheOctetsOfWhatItRefuses) {
    Dialogue dialogue;
    dialogue.converse(kEnvelope);
    dialogue.heard();
    dialogue.say("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
    EXPECT_EQ(dialogue.heard(), "503 5.5.1 Error: need RCPT command\r\n250 2.0.0 Ok\r\n");
    dialogue.say("MAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
    EXPECT_EQ(dialogue.heard(),
              "250 2.1.0 Ok\r\n554 5.5.1 Error: no valid recipients\r\n250 2.0.0 Ok\r\n");
}

TEST_F(Bdat, DiscardsTheRestAfterAChunkFailed) {
    Dialogue dialogue("message_size_limit = 10\n");
    begin(dialogue);
    dialogue.say("BDAT 8\r\n12345678BDAT 8\r\n12345678");
    EXPECT_EQ(dialogue.heard(),
              "250 2.0.0 Ok: 8 bytes\r\n552 5.3.4 Chunk exceeds message size limit\r\n");
    EXPECT_EQ(dialogue.world.content, "");
    EXPECT_EQ(dialogue.ask("RCPT TO:<d@example.com>"), "503 5.5.1 Error: RCPT after BDAT\r\n");
    EXPECT_EQ(dialogue.ask("MAIL FROM:<>"), "503 5.5.1 Error: nested MAIL command\r\n");
    EXPECT_EQ(dialogue.ask("DATA"), "503 5.5.1 Error: DATA after BDAT\r\n");
    dialogue.say("BDAT 2\r\n12");
    EXPECT_EQ(dialogue.heard(), "551 5.0.0 Discarded 2 bytes after earlier error\r\n");
    dialogue.say("BDAT 2 LAST\r\n12");
    EXPECT_EQ(dialogue.heard(), "551 5.0.0 Discarded 2 bytes after earlier error\r\n");
    EXPECT_EQ(dialogue.ask("RCPT TO:<d@example.com>"), "503 5.5.1 Error: need MAIL command\r\n");
    EXPECT_EQ(dialogue.ask("MAIL FROM:<>"), "250 2.1.0 Ok\r\n");
    EXPECT_TRUE(dialogue.world.messages.empty());
}

TEST_F(Bdat, BehindAChunkWithoutAMessageNoneIsBegun) {
    Dialogue dialogue;
    dialogue.converse("EHLO client.example\r\n");
    dialogue.heard();
    dialogue.say("BDAT 3\r\nabc");
    EXPECT_EQ(dialogue.heard(), "503 5.5.1 Error: need RCPT command\r\n");
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(dialogue.ask("RCPT TO:<d@example.com>"),
                  "503 5.5.1 Error: need MAIL command\r\n");
        EXPECT_EQ(dialogue.ask("MAIL FROM:<>"), "503 5.5.1 Error: MAIL after BDAT\r\n");
        dialogue.say("BDAT 3\r\nabc");
        EXPECT_EQ(dialogue.heard(), "551 5.0.0 Discarded 3 bytes after earlier error\r\n");
    }
}

TEST_F(Bdat, NothingElseMayStandBetweenChunks) {
    Dialogue dialogue;
    begin(dialogue);
    dialogue.say("BDAT 3\r\nabc");
    EXPECT_EQ(dialogue.heard(), "250 2.0.0 Ok: 3 bytes\r\n");
    EXPECT_EQ(dialogue.ask("MAIL FROM:<>"), "503 5.5.1 Error: nested MAIL command\r\n");
    EXPECT_EQ(dialogue.ask("RCPT TO:<d@example.com>"), "503 5.5.1 Error: RCPT after BDAT\r\n");
    EXPECT_EQ(dialogue.ask("DATA"), "503 5.5.1 Error: DATA after BDAT\r\n");
}

TEST_F(Bdat, CountsNormalizedBytesAgainstTheLimit) {
    Dialogue dialogue("message_size_limit = 10\n");
    begin(dialogue);
    dialogue.say("BDAT 9 LAST\r\n\n\n\n\n\n\n\n\n\n");
    EXPECT_EQ(dialogue.heard(), "552 5.3.4 Error: message file too big\r\n");
    EXPECT_TRUE(dialogue.world.messages.empty());
}

TEST_F(Bdat, HangsUpWhenTheCountIsNone) {
    for (const std::string_view line : {"BDAT", "BDAT x", "BDAT -1", "BDAT 1 LST", "BDAT 1 LAST x",
                                        "BDAT 99999999999999999999"}) {
        Dialogue dialogue;
        begin(dialogue);
        EXPECT_EQ(dialogue.ask(line), "521 5.5.4 Syntax: BDAT count [LAST]\r\n");
        EXPECT_TRUE(dialogue.world.closed);
        EXPECT_TRUE(dialogue.world.messages.empty());
    }
}

TEST_F(Bdat, IsRefusedWhenNotOffered) {
    Dialogue dialogue("smtpd_discard_ehlo_keywords = chunking\n");
    begin(dialogue);
    dialogue.say("BDAT 6 LAST\r\nQUIT\r\n");
    EXPECT_EQ(dialogue.heard(), "521 5.5.1 Error: command not implemented\r\n");
    EXPECT_TRUE(dialogue.world.closed);
}

TEST_F(Bdat, TruncatedChunksAreLost) {
    Dialogue dialogue;
    begin(dialogue);
    dialogue.say("BDAT 100 LAST\r\nabc");
    dialogue.session->on_lost();
    EXPECT_TRUE(dialogue.world.messages.empty());
    EXPECT_THAT(dialogue.world.logged,
                ::testing::Contains(
                    "lost connection after BDAT (3 bytes) from client.example.net[192.0.2.1]"));
}

TEST_F(Bdat, StopsReadingWhileTheArenaIsFull) {
    Dialogue dialogue;
    begin(dialogue);
    dialogue.say("BDAT 6 LAST\r\n");
    dialogue.world.room = 1;
    dialogue.say("abc");
    dialogue.say("def");
    EXPECT_EQ(dialogue.kept(), "def");
    dialogue.session->on_memory_denied();
    dialogue.say("");
    EXPECT_EQ(dialogue.heard(), "452 4.3.1 Insufficient system storage\r\n");
}

TEST_F(Bdat, RefusesBareNewlinesWhenTold) {
    Dialogue dialogue("smtpd_forbid_bare_newline = reject\n");
    begin(dialogue);
    dialogue.say("BDAT 4 LAST\r\na\nb\n");
    EXPECT_EQ(dialogue.heard(), "550 5.5.2 mx.example.com Error: bare <LF> received\r\n");
}

}  // namespace
}  // namespace posthaste::smtpd
