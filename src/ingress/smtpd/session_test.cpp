#include "ingress/smtpd/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingress/smtpd/session_testing.h"

namespace posthaste::smtpd {
namespace {

using namespace std::string_view_literals;  // for NUL
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kGreeting = "220 mx.example.com ESMTP Posthaste\r\n";

std::string code_of(std::string_view reply) { return std::string(reply.substr(0, 3)); }

TEST(SmtpSession, GreetsAndAnnouncesInPostfixOrder) {
    Dialogue dialogue;
    EXPECT_EQ(dialogue.converse("EHLO me\r\n"),
              std::string(kGreeting) +
                  "250-mx.example.com\r\n250-PIPELINING\r\n250-SIZE 1048576\r\n"
                  "250-VRFY\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n"
                  "250-SMTPUTF8\r\n250 CHUNKING\r\n");
}

TEST(SmtpSession, AnnouncesLessWhenToldTo) {
    Dialogue dialogue(
        "smtpd_discard_ehlo_keywords = chunking, dsn\nsmtputf8_enable = no\ndisable_vrfy_command = "
        "yes\n");
    EXPECT_EQ(dialogue.converse("EHLO me\r\n"),
              std::string(kGreeting) +
                  "250-mx.example.com\r\n250-PIPELINING\r\n250-SIZE "
                  "1048576\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n");
}

TEST(SmtpSession, TakesAMessage) {
    Dialogue dialogue;
    dialogue.start();
    EXPECT_EQ(dialogue.ask("EHLO client.example.net").substr(0, 4), "250-");
    EXPECT_EQ(dialogue.ask("MAIL FROM:<a@example.net> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=x+2By"),
              "250 2.1.0 Ok\r\n");
    EXPECT_EQ(dialogue.ask("RCPT TO:<b@example.com> NOTIFY=NEVER ORCPT=rfc822;b@example.com"),
              "250 2.1.5 Ok\r\n");
    EXPECT_EQ(dialogue.ask("DATA"), "354 End data with <CR><LF>.<CR><LF>\r\n");
    EXPECT_EQ(dialogue.ask("Subject: x\r\n\r\n..dot\r\n."),
              "250 2.0.0 Ok: queued as " + queue_id_text(1'700'000'000'000'001) + "\r\n");
    EXPECT_EQ(dialogue.ask("QUIT"), "221 2.0.0 Bye\r\n");
    EXPECT_TRUE(dialogue.world.closed);

    ASSERT_EQ(dialogue.world.messages.size(), 1U);
    const auto& [envelope, content] = dialogue.world.messages[0];
    EXPECT_EQ(content, "Subject: x\r\n\r\n.dot\r\n");
    EXPECT_EQ(envelope.size_bytes, content.size());
    EXPECT_EQ(envelope.id, 1'700'000'000'000'001U);
    EXPECT_EQ(envelope.arrived_wall_us, 1'700'000'000'000'000);
    EXPECT_EQ(envelope.sender, "a@example.net");
    ASSERT_EQ(envelope.recipients.size(), 1U);
    EXPECT_EQ(envelope.recipients[0].address, "b@example.com");
    EXPECT_EQ(envelope.recipients[0].original_recipient, "rfc822;b@example.com");
    EXPECT_EQ(envelope.recipients[0].notify, kNotifyNever);
    EXPECT_TRUE(envelope.body_8bit);
    EXPECT_EQ(envelope.dsn_return, DsnReturn::headers);
    EXPECT_EQ(envelope.envelope_id, "x+y");
    EXPECT_EQ(envelope.client_name, "client.example.net");
    EXPECT_EQ(envelope.client_address, "192.0.2.1");
    EXPECT_EQ(envelope.helo, "client.example.net");
    EXPECT_EQ(envelope.protocol, "ESMTP");
    EXPECT_TRUE(envelope_fits(envelope));
}

TEST(SmtpSession, LogsAsPostfixDoes) {
    Dialogue dialogue;
    dialogue.converse("EHLO client.example.net\r\n");
    dialogue.say(
        "MAIL FROM:<a@example.net>\r\nRCPT TO:<x@elsewhere.test>\r\nRCPT "
        "TO:<b@example.com>\r\nDATA\r\n");
    dialogue.say("hello\r\n.\r\nQUIT\r\n");
    const std::string id = queue_id_text(1'700'000'000'000'001);
    EXPECT_THAT(
        dialogue.world.logged,
        ElementsAre(
            "connect from client.example.net[192.0.2.1]",
            "NOQUEUE: reject: RCPT from client.example.net[192.0.2.1]: 554 5.7.1 "
            "<x@elsewhere.test>: Relay "
            "access denied; from=<a@example.net> to=<x@elsewhere.test> proto=ESMTP "
            "helo=<client.example.net>",
            id + ": client=client.example.net[192.0.2.1]",
            "disconnect from client.example.net[192.0.2.1] ehlo=1 mail=1 rcpt=1/2 data=1 quit=1 "
            "commands=5/6"));
}

TEST(SmtpSession, LogsTheQueueIdOnceThereIsOne) {
    Dialogue dialogue;
    dialogue.converse("HELO me\r\n");
    dialogue.say("MAIL FROM:<>\r\n");
    dialogue.say("RCPT TO:<b@example.com>\r\n");
    dialogue.say("RCPT TO:<x@elsewhere.test>\r\n");
    EXPECT_EQ(dialogue.world.last_log(),
              queue_id_text(1'700'000'000'000'001) +
                  ": reject: RCPT from client.example.net[192.0.2.1]: 554 5.7.1 "
                  "<x@elsewhere.test>: Relay access denied; from=<> to=<x@elsewhere.test> "
                  "proto=SMTP helo=<me>");
}

TEST(SmtpSession, LogsAnEmptyConversation) {
    Dialogue dialogue;
    dialogue.start();
    dialogue.session->on_lost();
    EXPECT_THAT(dialogue.world.logged,
                ElementsAre("connect from client.example.net[192.0.2.1]",
                            "lost connection after CONNECT from client.example.net[192.0.2.1]",
                            "disconnect from client.example.net[192.0.2.1] commands=0/0"));
    EXPECT_TRUE(dialogue.world.closed);
}

TEST(SmtpSession, TellsHowMuchCameBeforeTheClientVanished) {
    Dialogue dialogue;
    dialogue.converse("EHLO me\r\n");
    dialogue.say("MAIL FROM:<>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n");
    dialogue.say("0123456789\r\n");
    dialogue.session->on_lost();
    EXPECT_THAT(
        dialogue.world.logged,
        Contains("lost connection after DATA (12 bytes) from client.example.net[192.0.2.1]"));
    EXPECT_EQ(dialogue.world.content, "");
    EXPECT_TRUE(dialogue.world.messages.empty());
}

TEST(SmtpSession, SaysWhyItHangsUpAfterSilence) {
    Dialogue dialogue;
    dialogue.converse("HELO me\r\n");
    dialogue.heard();
    dialogue.session->on_timeout();
    EXPECT_EQ(dialogue.heard(), "421 4.4.2 mx.example.com Error: timeout exceeded\r\n");
    EXPECT_THAT(dialogue.world.logged,
                Contains("timeout after HELO from client.example.net[192.0.2.1]"));
    EXPECT_TRUE(dialogue.world.closed);
}

// Every verb in every state that takes commands. The columns: greeted, ready, mail, rcpt, between
// chunks.
TEST(SmtpSession, AnswersEveryVerbInEveryState) {
    const std::string_view ways[] = {
        "", "EHLO me\r\n", "EHLO me\r\nMAIL FROM:<a@b.test>\r\n",
        "EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@example.com>\r\n",
        "EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@example.com>\r\nBDAT 3\r\nabc"};

    struct Row {
        std::string_view line;
        std::array<const char*, 5> codes;
    };

    const Row rows[] = {
        {"HELO me", {"250", "250", "250", "250", "250"}},
        {"EHLO me", {"250", "250", "250", "250", "250"}},
        {"HELO", {"501", "501", "501", "501", "501"}},
        {"EHLO", {"501", "501", "501", "501", "501"}},
        {"MAIL FROM:<a@b.test>", {"250", "250", "503", "503", "503"}},
        {"RCPT TO:<c@example.com>", {"503", "503", "250", "250", "503"}},
        {"DATA", {"503", "503", "554", "354", "503"}},
        {"BDAT 0", {"551", "551", "551", "551", "551"}},
        {"BDAT 0 LAST", {"503", "503", "554", "250", "250"}},
        {"RSET", {"250", "250", "250", "250", "250"}},
        {"RSET now", {"501", "501", "501", "501", "501"}},
        {"NOOP", {"250", "250", "250", "250", "250"}},
        {"VRFY c@example.com", {"252", "252", "252", "252", "252"}},
        {"EXPN list", {"500", "500", "500", "500", "500"}},
        {"HELP", {"500", "500", "500", "500", "500"}},
        {"ETRN example.com", {"502", "502", "502", "502", "502"}},
        {"STARTTLS", {"502", "502", "502", "502", "502"}},
        {"AUTH PLAIN", {"503", "503", "503", "503", "503"}},
        {"XCLIENT NAME=x", {"550", "550", "550", "550", "550"}},
        {"XFORWARD NAME=x", {"550", "550", "550", "550", "550"}},
        {"FROBNICATE", {"500", "500", "500", "500", "500"}},
        {"", {"500", "500", "500", "500", "500"}},
        {"QUIT", {"221", "221", "221", "221", "221"}},
    };
    for (const Row& row : rows) {
        for (size_t state = 0; state < std::size(ways); ++state) {
            Dialogue dialogue;
            dialogue.start();
            for (size_t at = 0; at < ways[state].size();) {
                const size_t end =
                    std::min(ways[state].find("\r\n", at), ways[state].size() - 2) + 2;
                dialogue.say(ways[state].substr(at, end - at));
                at = end;
            }
            EXPECT_EQ(code_of(dialogue.ask(row.line)), row.codes[state])
                << row.line << " in state " << state;
        }
    }
}

TEST(SmtpSession, WantsHeloWhenTold) {
    Dialogue dialogue("smtpd_helo_required = yes\n");
    dialogue.start();
    EXPECT_EQ(dialogue.ask("MAIL FROM:<>"), "503 5.5.1 Error: send HELO/EHLO first\r\n");
}

// Errors ⇒ the initial state of a transaction: nothing of it may reach the next message.
TEST(SmtpSession, ForgetsTheTransactionWhenItEnds) {
    const std::string_view endings[] = {"RSET\r\n",
                                        "EHLO again\r\n",
                                        "HELO again\r\n",
                                        "DATA\r\nx\r\n.\r\n",
                                        "BDAT 2 LAST\r\nx\n",
                                        "BDAT 9999999 LAST\r\n",
                                        "BDAT 2\r\nx\nBDAT 9999999\r\n"};
    for (const std::string_view ending : endings) {
        Dialogue dialogue("smtpd_forbid_unauth_pipelining = no\nmessage_size_limit = 1000\n");
        dialogue.converse(
            "EHLO me\r\nMAIL FROM:<a@b.test> SMTPUTF8 BODY=8BITMIME RET=FULL ENVID=z\r\n"
            "RCPT TO:<c@example.com> NOTIFY=NEVER\r\n");
        dialogue.say(ending);
        if (ending.find("9999999") != std::string_view::npos)
            dialogue.say(std::string(9999999, 'x'));
        EXPECT_EQ(code_of(dialogue.ask("DATA")), "503") << ending;
        dialogue.say("RSET\r\n");
        EXPECT_EQ(code_of(dialogue.ask("RCPT TO:<c@example.com>")), "503") << ending;
        EXPECT_EQ(code_of(dialogue.ask("DATA")), "503") << ending;
        EXPECT_EQ(code_of(dialogue.ask("MAIL FROM:<n@b.test>")), "250") << ending;
        EXPECT_EQ(code_of(dialogue.ask("DATA")), "554") << ending;
        EXPECT_EQ(code_of(dialogue.ask("RCPT TO:<d@example.com>")), "250") << ending;
        EXPECT_EQ(code_of(dialogue.ask("DATA")), "354") << ending;
        EXPECT_EQ(code_of(dialogue.ask("y\r\n.")), "250") << ending;
        const auto& last = dialogue.world.messages.back();
        EXPECT_EQ(last.content, "y\r\n") << ending;
        ASSERT_EQ(last.envelope.recipients.size(), 1U) << ending;
        EXPECT_EQ(last.envelope.recipients[0].address, "d@example.com") << ending;
        EXPECT_EQ(last.envelope.recipients[0].notify, kNotifyUnset) << ending;
        EXPECT_EQ(last.envelope.sender, "n@b.test") << ending;
        EXPECT_FALSE(last.envelope.smtputf8) << ending;
        EXPECT_FALSE(last.envelope.body_8bit) << ending;
        EXPECT_EQ(last.envelope.dsn_return, DsnReturn::unset) << ending;
        EXPECT_EQ(last.envelope.envelope_id, "") << ending;
    }
}

TEST(SmtpSession, LeavesNothingBehindOfAMailThatFailed) {
    Dialogue dialogue("strict_smtputf8 = yes\n");
    dialogue.converse("EHLO me\r\n");
    EXPECT_EQ(dialogue.ask("MAIL FROM:<a@b.test> SMTPUTF8 BODY=8BITMIME FOO=1"),
              "555 5.5.4 Unsupported option: FOO=1\r\n");
    EXPECT_EQ(code_of(dialogue.ask("RCPT TO:<c@example.com>")), "503");
    EXPECT_EQ(code_of(dialogue.ask("MAIL FROM:<a@b.test>")), "250");
    // SMTPUTF8 of the refused one does not count.
    EXPECT_EQ(code_of(dialogue.ask("RCPT TO:<\xC3\xA4@example.com>")), "553");
}

TEST(SmtpSession, KnowsSmtputf8) {
    Dialogue dialogue("strict_smtputf8 = yes\n");
    dialogue.converse("EHLO me\r\n");
    EXPECT_EQ(dialogue.ask("MAIL FROM:<\xC3\xA4@b.test>"),
              "553 5.6.7 Must declare SMTPUTF8 to send unicode address\r\n");
    EXPECT_EQ(code_of(dialogue.ask("MAIL FROM:<\xC3\xA4@b.test> SMTPUTF8")), "250");
    EXPECT_EQ(code_of(dialogue.ask("RCPT TO:<\xC3\xA4@example.com>")), "250");
    EXPECT_EQ(dialogue.ask("RCPT TO:<\xFF@example.com>"), "500 5.5.2 Error: bad UTF-8 syntax\r\n");
    EXPECT_EQ(code_of(dialogue.ask("DATA")), "354");
    EXPECT_EQ(code_of(dialogue.ask("x\r\n.")), "250");
    EXPECT_EQ(dialogue.world.messages[0].envelope.protocol, "UTF8SMTP");
}

TEST(SmtpSession, RefusesWhatHoldsNul) {
    Dialogue dialogue;
    dialogue.converse("EHLO me\r\n");
    EXPECT_EQ(dialogue.ask("MAIL FROM:<a\0@b.test>"sv), "500 5.5.2 Error: bad syntax\r\n");
}

TEST(SmtpSession, RefusesLinesThatAreTooLong) {
    for (const size_t extra : {size_t{0}, size_t{1}, size_t{2}, size_t{100'000}}) {
        Dialogue dialogue;
        dialogue.start();
        dialogue.heard();
        dialogue.say("NOOP " + std::string(2048 - 5 + extra, 'x') + "\r\n");
        EXPECT_EQ(dialogue.heard(),
                  extra == 0 ? "250 2.0.0 Ok\r\n" : "500 5.5.2 Error: line too long\r\n");
        EXPECT_EQ(dialogue.ask("NOOP"), "250 2.0.0 Ok\r\n");
    }
}

TEST(SmtpSession, ForgetsEndlessLinesAsTheyCome) {
    Dialogue dialogue;
    dialogue.start();
    for (int i = 0; i < 100; ++i) {
        dialogue.say(std::string(10'000, 'x'));
        EXPECT_LT(dialogue.kept().size(), 2050U);
    }
}

TEST(SmtpSession, DisconnectsAfterTooManyErrors) {
    Dialogue dialogue("smtpd_hard_error_limit = 3\n");
    dialogue.converse("EHLO me\r\n");
    dialogue.heard();
    dialogue.say("X1\r\nX2\r\nX3\r\nX4\r\n");
    EXPECT_EQ(
        dialogue.heard(),
        "500 5.5.2 Error: command not recognized\r\n500 5.5.2 Error: command not recognized\r\n"
        "500 5.5.2 Error: command not recognized\r\n421 4.7.0 mx.example.com Error: too many "
        "errors\r\n");
    EXPECT_TRUE(dialogue.world.closed);
    EXPECT_THAT(dialogue.world.logged,
                Contains("too many errors after UNKNOWN from client.example.net[192.0.2.1]"));
}

TEST(SmtpSession, SlowsDownAfterSomeErrors) {
    Dialogue dialogue("smtpd_soft_error_limit = 2\nsmtpd_error_sleep_time = 3s\n");
    dialogue.converse("EHLO me\r\n");
    dialogue.say("X1\r\n");
    EXPECT_EQ(dialogue.world.rested_us, 0);
    dialogue.say("X2\r\nNOOP\r\n");
    EXPECT_EQ(dialogue.world.rested_us, 6'000'000);
}

TEST(SmtpSession, CountsJunkAsErrorsAtLast) {
    Dialogue dialogue("smtpd_junk_command_limit = 2\nsmtpd_hard_error_limit = 1\n");
    dialogue.converse("EHLO me\r\n");
    dialogue.ask("NOOP");
    dialogue.ask("NOOP");
    EXPECT_FALSE(dialogue.world.closed);
    EXPECT_THAT(dialogue.ask("NOOP"), HasSubstr("421 4.7.0"));
}

TEST(SmtpSession, ForgivesErrorsAfterADelivery) {
    Dialogue dialogue("smtpd_hard_error_limit = 3\n");
    dialogue.converse("EHLO me\r\n");
    for (int i = 0; i < 5; ++i) {
        dialogue.say("X\r\nX\r\n");
        dialogue.say("MAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n");
        dialogue.say("x\r\n.\r\n");
    }
    EXPECT_FALSE(dialogue.world.closed);
}

TEST(SmtpSession, SendsBrowsersAway) {
    for (const std::string_view line :
         {"GET / HTTP/1.0", "post / HTTP/1.0", "Host: example.com", "\x16\x03\x01"}) {
        Dialogue dialogue;
        dialogue.start();
        EXPECT_EQ(dialogue.ask(line), "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n")
            << line;
        EXPECT_TRUE(dialogue.world.closed);
    }
}

TEST(SmtpSession, AnswersConfiguredWordsLikeNoop) {
    Dialogue dialogue("smtpd_noop_commands = GET, FOO\n");
    dialogue.start();
    EXPECT_EQ(dialogue.ask("get /"), "250 2.0.0 Ok\r\n");
}

TEST(SmtpSession, PutsUpWithThemWhenTold) {
    Dialogue dialogue("smtpd_forbid_unauth_pipelining = no\n");
    dialogue.converse(
        "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n");
    EXPECT_EQ(dialogue.world.messages.size(), 1U);
    EXPECT_THAT(dialogue.heard(), HasSubstr("221 2.0.0 Bye"));
}

TEST(SmtpSession, RefusesARecipientTooMany) {
    Dialogue dialogue("smtpd_recipient_limit = 2\nsmtpd_recipient_overshoot_limit = 1\n");
    dialogue.converse("EHLO me\r\n");
    dialogue.say("MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n");
    EXPECT_EQ(dialogue.ask("RCPT TO:<c@example.com>"), "452 4.5.3 Error: too many recipients\r\n");
    EXPECT_EQ(dialogue.ask("RCPT TO:<d@example.com>"), "452 4.5.3 Error: too many recipients\r\n");
    EXPECT_EQ(dialogue.world.counted(SmtpdCounter::errors), 1U);
    EXPECT_EQ(code_of(dialogue.ask("DATA")), "354");
}

TEST(SmtpSession, BoundsTheEnvelope) {
    Dialogue dialogue("smtpd_recipient_limit = 10000\nsmtpd_recipient_overshoot_limit = 10000\n",
                      "10.0.0.1");
    dialogue.converse("EHLO me\r\n");
    dialogue.say("MAIL FROM:<>\r\n");
    for (int i = 0; i < 2000; ++i)
        dialogue.say("RCPT TO:<" + std::string(400, 'a') + std::to_string(i) + "@example.com>\r\n");
    EXPECT_THAT(dialogue.heard(), HasSubstr("452 4.5.3"));
    dialogue.say("DATA\r\n");
    dialogue.say(".\r\n");
    ASSERT_EQ(dialogue.world.messages.size(), 1U);
    std::string record;
    encode_envelope(dialogue.world.messages[0].envelope, record);
    EXPECT_LT(record.size(), 300U * 1024);
}

TEST(SmtpSession, RefusesByAnnouncedSize) {
    Dialogue dialogue("message_size_limit = 1000\n");
    dialogue.converse("EHLO me\r\n");
    EXPECT_EQ(dialogue.ask("MAIL FROM:<a@b.test> SIZE=1001"),
              "552 5.3.4 Message size exceeds fixed limit\r\n");
    EXPECT_EQ(dialogue.world.last_log(),
              "NOQUEUE: reject: MAIL from client.example.net[192.0.2.1]: 552 5.3.4 Message size "
              "exceeds fixed limit; "
              "from=<a@b.test> proto=ESMTP helo=<me>");
    EXPECT_EQ(code_of(dialogue.ask("MAIL FROM:<a@b.test> SIZE=1000")), "250");
}

TEST(SmtpSession, TakesAMessageOfExactlyTheLimit) {
    for (const size_t more : {size_t{0}, size_t{1}}) {
        Dialogue dialogue("message_size_limit = 1000\n");
        dialogue.converse("EHLO me\r\n");
        dialogue.say("MAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n");
        dialogue.heard();
        EXPECT_EQ(code_of(dialogue.ask(std::string(998 + more, 'x') + "\r\n.")),
                  more == 0 ? "250" : "552");
    }
}

TEST(SmtpSession, ReadsWhatIsTooBigToItsEnd) {
    Dialogue dialogue("message_size_limit = 1000\n");
    dialogue.converse("EHLO me\r\n");
    dialogue.say("MAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n");
    dialogue.heard();
    for (int i = 0; i < 100; ++i) dialogue.say(std::string(98, 'x') + "\r\n");
    EXPECT_EQ(dialogue.world.content, "");
    EXPECT_EQ(dialogue.heard(), "");
    EXPECT_EQ(dialogue.ask("."), "552 5.3.4 Error: message file too big\r\n");
    EXPECT_TRUE(dialogue.world.messages.empty());
    EXPECT_EQ(code_of(dialogue.ask("MAIL FROM:<>")), "250");
}

TEST(SmtpSession, RefusesMailWhileMemoryIsShort) {
    Dialogue dialogue;
    dialogue.converse("EHLO me\r\n");
    dialogue.world.short_of_memory = true;
    EXPECT_EQ(dialogue.ask("MAIL FROM:<>"), "452 4.3.1 Insufficient system storage\r\n");
}

TEST(SmtpSession, StopsReadingWhileTheArenaIsFull) {
    Dialogue dialogue;
    dialogue.converse("EHLO me\r\n");
    dialogue.say("MAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n");
    dialogue.world.room = 3;
    dialogue.say("one\r\n");
    dialogue.say("two\r\n");
    EXPECT_EQ(dialogue.kept(), "two\r\n");
    EXPECT_FALSE(dialogue.session->takes_input());
    dialogue.world.room = 1000;
    dialogue.say(".\r\n");
    EXPECT_EQ(dialogue.world.messages.at(0).content, "one\r\ntwo\r\n");
}

TEST(SmtpSession, GivesUpAMessageWhenTheArenaStaysFull) {
    Dialogue dialogue;
    dialogue.converse("EHLO me\r\n");
    dialogue.say("MAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n");
    dialogue.world.room = 0;
    dialogue.say("one\r\n");
    dialogue.heard();
    dialogue.session->on_memory_denied();
    EXPECT_EQ(dialogue.ask("two\r\n."), "452 4.3.1 Insufficient system storage\r\n");
    EXPECT_TRUE(dialogue.world.messages.empty());
    EXPECT_EQ(code_of(dialogue.ask("MAIL FROM:<>")), "250");
}

TEST(SmtpSession, StopsReadingWhileRepliesAreUnsent) {
    Dialogue dialogue;
    dialogue.converse("EHLO me\r\n");
    dialogue.world.replies_max = dialogue.world.replies.size() + 1;
    dialogue.say("RSET\r\nRSET\r\n");
    EXPECT_EQ(dialogue.kept(), "RSET\r\n");
    dialogue.world.replies_max = SIZE_MAX;
    dialogue.say("");
    EXPECT_EQ(dialogue.kept(), "");
}

TEST(SmtpSession, TakesNoInputBeforeTheAnswer) {
    Dialogue dialogue;
    dialogue.answer_code = 0;
    dialogue.converse("EHLO me\r\n");
    dialogue.say("MAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n");
    dialogue.heard();
    dialogue.say("x\r\n.\r\nRSET\r\n");
    EXPECT_EQ(dialogue.kept(), "RSET\r\n");
    EXPECT_EQ(dialogue.heard(), "");
    EXPECT_FALSE(dialogue.session->takes_input());
    dialogue.session->on_stored(451, "4.3.0", "Error: queue file write error");
    EXPECT_EQ(dialogue.heard(), "451 4.3.0 Error: queue file write error\r\n");
    dialogue.say("");
    EXPECT_EQ(dialogue.heard(), "250 2.0.0 Ok\r\n");
}

TEST(SmtpSession, RefusesRecipientsWithoutQueue) {
    Dialogue dialogue;
    dialogue.world.ids_left = 0;
    dialogue.converse("EHLO me\r\n");
    dialogue.ask("MAIL FROM:<>");
    EXPECT_EQ(dialogue.ask("RCPT TO:<c@example.com>"),
              "451 4.3.0 Error: queue file write error\r\n");
    EXPECT_EQ(code_of(dialogue.ask("DATA")), "554");
}

TEST(SmtpSession, GoesAtOnceWhenIdleAndAfterTheMessageWhenNot) {
    Dialogue idle;
    idle.converse("EHLO me\r\n");
    idle.heard();
    idle.session->shut_down();
    EXPECT_EQ(idle.heard(), "421 4.3.2 mx.example.com Error: service shutting down\r\n");
    EXPECT_TRUE(idle.world.closed);

    Dialogue busy;
    busy.converse("EHLO me\r\n");
    busy.say("MAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\n");
    busy.session->shut_down();
    EXPECT_FALSE(busy.world.closed);
    busy.say("DATA\r\n");
    busy.heard();
    busy.say("x\r\n.\r\n");
    EXPECT_THAT(busy.heard(),
                testing::MatchesRegex("250 2.0.0 Ok: queued as .*\r\n421 4.3.2 .*\r\n"));
    EXPECT_TRUE(busy.world.closed);
}

// Smuggling: what is the end of the message to one side and not to the other.
TEST(SmtpSession, EndsMessagesAtCrlfDotCrlfOnly) {
    const std::string_view fakes[] = {"\n.\n", "\n.\r\n", "\r\n.\n",
                                      "\r.\r", "\r\n.\r", "\r\n\0.\r\n"sv};
    for (const std::string_view fake : fakes) {
        Dialogue dialogue;
        dialogue.converse("EHLO me\r\n");
        dialogue.say("MAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n");
        dialogue.say("x" + std::string(fake) + "MAIL FROM:<smuggled@example.net>\r\n.\r\n");
        ASSERT_EQ(dialogue.world.messages.size(), 1U);
        EXPECT_THAT(dialogue.world.messages[0].content, HasSubstr("smuggled"));
    }
}

TEST(SmtpSession, RefusesBareNewlinesWhenTold) {
    Dialogue dialogue("smtpd_forbid_bare_newline = reject\n");
    dialogue.converse("EHLO me\r\n");
    dialogue.say("MAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n");
    EXPECT_EQ(dialogue.ask("354").substr(0, 0), "");
    EXPECT_EQ(dialogue.ask("a\nb\r\n."), "550 5.5.2 mx.example.com Error: bare <LF> received\r\n");
    EXPECT_FALSE(dialogue.world.closed);
    dialogue.say("NOOP\n");
    EXPECT_EQ(dialogue.heard(), "550 5.5.2 mx.example.com Error: bare <LF> received\r\n");
    EXPECT_TRUE(dialogue.world.closed);
}

TEST(SmtpSession, ExcusesMyNetworksFromTheBareNewlinePolicy) {
    Dialogue dialogue("smtpd_forbid_bare_newline = reject\n", "10.1.2.3");
    dialogue.converse("EHLO me\n");
    dialogue.say("MAIL FROM:<>\nRCPT TO:<c@elsewhere.test>\nDATA\n");
    dialogue.say("a\n.\n");
    EXPECT_EQ(dialogue.world.messages.at(0).content, "a\r\n");
}

TEST(SmtpSession, NotesBareNewlinesWhenTold) {
    Dialogue dialogue("smtpd_forbid_bare_newline = note\n");
    dialogue.converse("EHLO me\r\n");
    dialogue.say("MAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n");
    dialogue.say("a\nb\r\n.\r\nQUIT\r\n");
    EXPECT_THAT(dialogue.world.last_log(), testing::EndsWith(" notes=bare_lf"));
}

TEST(SmtpSession, KeepsHeloFromLeavingItsPlace) {
    Dialogue dialogue;
    dialogue.converse("EHLO a b;c\t>d\r\n");
    dialogue.say("MAIL FROM:<>\r\nRCPT TO:<x@elsewhere.test>\r\n");
    EXPECT_THAT(dialogue.world.last_log(), testing::EndsWith("helo=<a?b?c?"
                                                             "?d>"));
}

TEST(SmtpSession, VrfySaysNoMoreThanRcpt) {
    Dialogue dialogue;
    dialogue.converse("EHLO me\r\n");
    EXPECT_EQ(dialogue.ask("VRFY <c@example.com>"), "252 2.0.0 <c@example.com>\r\n");
    EXPECT_EQ(dialogue.ask("VRFY x@elsewhere.test"),
              "554 5.7.1 <x@elsewhere.test>: Relay access denied\r\n");
    Dialogue disabled("disable_vrfy_command = yes\n");
    disabled.start();
    EXPECT_EQ(disabled.ask("VRFY c@example.com"), "502 5.5.1 VRFY command is disabled\r\n");
}

}  // namespace
}  // namespace posthaste::smtpd
