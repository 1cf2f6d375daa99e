#include "egress/smtp/client_session.h"

#include <gtest/gtest.h>
#include <vector>

#include "egress/smtp/client_session_testing.h"

namespace posthaste::smtp {
namespace {

TEST(ClientSession, SendsOneCommandAtATimeWithoutPipelining) {
    Talk talk;
    auto job = make_job({"a@dest", "b@dest"});
    talk.jobs = {job.get()};
    EXPECT_EQ(talk.hears("220 mx ESMTP\r\n"), "EHLO client.test\r\n");
    EXPECT_EQ(talk.hears("250 mx\r\n"), "MAIL FROM:<s@example.org>\r\n");
    EXPECT_EQ(talk.hears("250 ok\r\n"), "RCPT TO:<a@dest>\r\n");
    EXPECT_EQ(talk.hears("550 5.1.1 no such user\r\n"), "RCPT TO:<b@dest>\r\n");
    EXPECT_EQ(talk.hears("250 ok\r\n"), "DATA\r\n");
    EXPECT_EQ(talk.hears("354 go\r\n"), "Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\n");
    EXPECT_EQ(talk.hears("250 2.0.0 Ok: queued as X\r\n"), "RSET\r\n");
    EXPECT_TRUE(talk.done.empty());
    talk.hears("250 2.0.0 Ok\r\n");
    ASSERT_EQ(talk.done.size(), 1U);
    EXPECT_EQ(job->recipients[0].status.outcome, Outcome::bounced);
    EXPECT_EQ(job->recipients[0].status.dsn, "5.1.1");
    EXPECT_EQ(job->recipients[0].status.text,
              "host mx[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT TO command)");
    EXPECT_EQ(job->recipients[1].status.outcome, Outcome::sent);
    EXPECT_EQ(job->recipients[1].status.text, "250 2.0.0 Ok: queued as X");
    EXPECT_TRUE(talk.session.idle());
}

TEST(ClientSession, SendsTheNextMessagesCommandsBehindTheFinalDot) {
    Talk talk;
    auto first = make_job({"a@dest"});
    auto second = make_job({"b@dest"});
    talk.jobs = {first.get(), second.get()};
    talk.hears("220 mx\r\n");
    EXPECT_EQ(talk.hears(kPipelining),
              "MAIL FROM:<s@example.org> SIZE=27\r\nRCPT TO:<a@dest>\r\nDATA\r\n");
    EXPECT_EQ(talk.hears("250 ok\r\n250 ok\r\n354 go\r\n"),
              "Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\n"
              "MAIL FROM:<s@example.org> SIZE=27\r\nRCPT TO:<b@dest>\r\nDATA\r\n");
    EXPECT_EQ(talk.hears("250 2.0.0 one\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
              "Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\nRSET\r\n");
    ASSERT_EQ(talk.done, (std::vector<Job*>{first.get()}));
    talk.hears("250 2.0.0 two\r\n250 2.0.0 reset\r\n");
    ASSERT_EQ(talk.done.size(), 2U);
    EXPECT_EQ(second->recipients[0].status.text, "250 2.0.0 two");
}

TEST(ClientSession, LeavesAServerThatWantsAMessageForNobody) {
    Talk talk;
    auto job = make_job({"a@dest"});
    talk.greet({job.get()});
    auto next = make_job({"b@dest"});
    talk.jobs = {next.get()};
    EXPECT_EQ(talk.hears("250 ok\r\n450 4.2.1 later\r\n354 go\r\n"), "")
        << "no empty message, and no commands that would be one";
    EXPECT_EQ(talk.jobs.size(), 1U);
    EXPECT_TRUE(talk.dead);
    ASSERT_EQ(talk.done.size(), 1U);
    EXPECT_EQ(job->recipients[0].status.outcome, Outcome::deferred);
    EXPECT_EQ(job->recipients[0].status.dsn, "4.2.1");
}

TEST(ClientSession, ResetsBeforeTheNextMessageWhenDataWasRefused) {
    Talk talk;
    auto first = make_job({"a@dest"});
    auto second = make_job({"b@dest"});
    talk.greet({first.get(), second.get()});
    const std::string said = talk.hears("250 ok\r\n250 ok\r\n452 4.3.1 full\r\n");
    EXPECT_EQ(first->recipients[0].status.text,
              "host mx[192.0.2.1] said: 452 4.3.1 full (in reply to DATA command)");
    EXPECT_EQ(said.substr(0, 10), "RSET\r\nMAIL");
}

TEST(ClientSession, A354ThatNobodyAskedForIsNoYes) {
    const auto fate = [](std::string_view mail, std::string_view rcpt, std::string_view dot) {
        Talk talk;
        auto job = make_job({"a@dest"});
        talk.greet({job.get()}, "250 mx\r\n");
        for (const std::string_view reply : {mail, rcpt, std::string_view("354 go\r\n"), dot})
            talk.hears(reply);
        talk.session.on_lost(false);
        return job->recipients[0].status.outcome;
    };
    EXPECT_EQ(fate("250 ok\r\n", "250 ok\r\n", "250 ok\r\n"), Outcome::sent);
    EXPECT_EQ(fate("354 go\r\n", "250 ok\r\n", "250 ok\r\n"), Outcome::deferred);
    EXPECT_EQ(fate("250 ok\r\n", "354 go\r\n", "250 ok\r\n"), Outcome::deferred);
    EXPECT_EQ(fate("250 ok\r\n", "250 ok\r\n", "354 go\r\n"), Outcome::deferred);
    Talk talk;
    talk.hears("220 mx\r\n");
    EXPECT_EQ(talk.hears("354 go\r\n"), "HELO client.test\r\n") << "no answer to EHLO";
}

TEST(ClientSession, FallsBackToHeloWhenEhloIsRefused) {
    for (const char* refusal : {"502 what\r\n", "450 not now\r\n"}) {
        Talk talk;
        talk.hears("220 mx\r\n");
        EXPECT_EQ(talk.hears(refusal), "HELO client.test\r\n");
        talk.hears("250 mx\r\n");
        EXPECT_TRUE(talk.session.idle());
    }
}

TEST(ClientSession, GoesWhenTheServerSaysThatItIsClosing) {
    Talk talk;
    talk.hears("220 mx\r\n");
    EXPECT_EQ(talk.hears("421 4.3.2 closing\r\n"), "");
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(talk.why.outcome, Outcome::deferred);
}

TEST(ClientSession, BreaksLinesThatAreTooLongForSmtpAndSaysSo) {
    SmtpConfig config;
    config.line_bytes_max = 20;
    const std::string content =
        "." + std::string(29, 'x') + "\r\n." + std::string(19, 'y') + "\r\n";
    Talk talk(config);
    auto job = make_job({"a@dest"}, content);
    talk.greet({job.get()});
    EXPECT_EQ(talk.hears("250 ok\r\n250 ok\r\n354 go\r\n"),
              ".." + std::string(19, 'x') + "\r\n " + std::string(10, 'x') + "\r\n.." +
                  std::string(19, 'y') + "\r\n.\r\nRSET\r\n")
        << "the doubled dot does not count";
    ASSERT_EQ(talk.notes.size(), 1U);
    EXPECT_TRUE(talk.notes[0].ends_with(": breaking line > 20 bytes with <CR><LF>SPACE"));
}

TEST(ClientSession, ARefusedGreetingIsTemporaryUnlessMainCfSaysOtherwise) {
    SmtpConfig config;
    Talk talk(config);
    talk.hears("554 go away\r\n");
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(talk.why.outcome, Outcome::deferred);
    EXPECT_EQ(talk.why.text, "host mx[192.0.2.1] refused to talk to me: 554 go away");
}

TEST(ClientSession, NoticesThatItTalksToItself) {
    Talk talk;
    talk.hears("220 x\r\n");
    talk.hears("250-client.test\r\n250 SIZE\r\n");
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(talk.why.outcome, Outcome::bounced);
    EXPECT_EQ(talk.why.dsn, "5.4.6");
}

TEST(ClientSession, ReadsExtensionsThatAreWrittenWithAnEqualsSign) {
    Talk talk;
    const std::string large(20'000, 'x');
    auto job = make_job({"a@dest"}, large);
    talk.jobs = {job.get()};
    talk.hears("220 mx\r\n");
    EXPECT_EQ(talk.hears("250-mx\r\n250-AUTH=LOGIN\r\n250 SIZE=10000\r\n"), "");
    ASSERT_EQ(talk.done.size(), 1U);
    EXPECT_EQ(job->recipients[0].status.dsn, "5.3.4");
}

TEST(ClientSession, BouncesWhatIsTooLargeForTheServerWithoutTrying) {
    Talk talk;
    const std::string large(20'000, 'x');
    auto job = make_job({"a@dest"}, large);
    talk.jobs = {job.get()};
    talk.hears("220 mx\r\n");
    EXPECT_EQ(talk.hears(kPipelining), "");
    ASSERT_EQ(talk.done.size(), 1U);
    EXPECT_EQ(job->recipients[0].status.dsn, "5.3.4");
}

TEST(ClientSession, ALostConnectionAfterTheDotDefersAndSaysSo) {
    Talk talk;
    auto job = make_job({"a@dest"});
    talk.greet({job.get()});
    talk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    talk.session.on_lost(false);
    ASSERT_EQ(talk.done.size(), 1U);
    EXPECT_EQ(job->recipients[0].status.outcome, Outcome::deferred);
    EXPECT_EQ(job->recipients[0].status.text,
              "lost connection with mx[192.0.2.1] while sending end of data -- message may be sent "
              "more than once");
    EXPECT_TRUE(job->hop_failed);
}

TEST(ClientSession, ReturnsAMessageThatAReusedConnectionNeverAnswered) {
    Talk talk;
    auto first = make_job({"a@dest"});
    auto second = make_job({"b@dest"});
    talk.greet({first.get()});
    talk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    talk.hears("250 taken\r\n");
    talk.jobs = {second.get()};
    talk.on_ready();
    talk.session.on_lost(false);
    EXPECT_EQ(talk.returned, (std::vector<Job*>{second.get()}));
    EXPECT_FALSE(second->recipients[0].settled);
}

TEST(ClientSession, A421ClosesTheSessionAndSparesTheMessageNotYetBegun) {
    Talk talk;
    auto first = make_job({"a@dest"});
    auto second = make_job({"b@dest"});
    talk.greet({first.get(), second.get()});
    talk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    talk.hears("250 taken\r\n421 4.7.0 enough\r\n");
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(first->recipients[0].status.outcome, Outcome::sent);
    EXPECT_EQ(talk.returned, (std::vector<Job*>{second.get()}));
}

// The same replies mean the same conversation however TCP cuts them.
TEST(ClientSession, DoesNotDependOnWhereRepliesAreCut) {
    // Each answers what was said before it.
    const std::vector<std::string> flights = {
        "220-mx\r\n220 ESMTP\r\n", std::string(kPipelining),
        "250 ok\r\n550 5.1.1 a\r\n250-b\r\n250 c\r\n354 go\r\n", "250 2.0.0 done\r\n250 reset\r\n"};
    const auto converse = [&](size_t cut_flight, size_t cut) {
        Talk talk;
        auto job = make_job({"a@dest", "b@dest", "c@dest"});
        job->recipients[2].settled = true;
        talk.jobs = {job.get()};
        std::string all;
        for (size_t i = 0; i < flights.size(); ++i) {
            const std::string_view flight = flights[i];
            const size_t here = i == cut_flight ? cut : 0;
            all += talk.hears(flight.substr(0, here));
            all += talk.hears(flight.substr(here));
        }
        EXPECT_EQ(talk.done.size(), 1U) << "cut at " << cut;
        return all + job->recipients[0].status.text + job->recipients[1].status.text;
    };
    const std::string whole = converse(0, 0);
    for (size_t i = 0; i < flights.size(); ++i) {
        for (size_t cut = 1; cut < flights[i].size(); ++cut)
            EXPECT_EQ(converse(i, cut), whole) << "flight " << i << " cut at " << cut;
    }
}

TEST(ClientSession, AnyReplyThatAsksForMoreLetsTheMessageGo) {
    for (const std::string_view code : {"300", "334", "345", "350", "354"}) {
        Talk talk;
        auto job = make_job({"a@dest"});
        talk.greet({job.get()});
        talk.hears("250 ok\r\n250 ok\r\n" + std::string(code) + " go\r\n");
        talk.hears("250 ok\r\n");
        EXPECT_EQ(job->recipients[0].status.outcome, Outcome::sent) << code;
    }
}

TEST(ClientSession, Code552MeansTooManyRecipientsOnlyWhereNothingSaysOtherwise) {
    const auto fate = [](std::string_view first, std::string_view second) {
        Talk talk;
        auto job = make_job({"a@dest", "b@dest"});
        talk.greet({job.get()});
        talk.hears("250 ok\r\n" + std::string(first) + std::string(second) + "354 go\r\n");
        talk.hears("250 ok\r\n");
        return job->recipients[1].status.outcome;
    };
    EXPECT_EQ(fate("250 ok\r\n", "552 too many recipients\r\n"), Outcome::deferred);
    EXPECT_EQ(fate("250 ok\r\n", "552 5.5.3 too many recipients\r\n"), Outcome::deferred);
    EXPECT_EQ(fate("250 ok\r\n", "552 5.2.2 mailbox full\r\n"), Outcome::bounced);
    EXPECT_EQ(fate("550 no\r\n", "552 quota\r\n"), Outcome::bounced) << "none was taken before it";
}

TEST(ClientSession, AServerThatKnowsNoHelloMayLearnIt) {
    Talk talk;
    talk.hears("220 mx\r\n");
    talk.hears("502 5.5.1 what\r\n");
    talk.hears("502 5.5.1 what\r\n");
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(talk.why.outcome, Outcome::deferred);
    EXPECT_EQ(talk.why.dsn, "4.5.1");
}

TEST(ClientSession, AServerThatRefusesBothHellosRefusesTheMail) {
    Talk talk;
    talk.hears("220 mx\r\n");
    talk.hears("550 5.7.1 not you\r\n");
    talk.hears("550 5.7.1 not you\r\n");
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(talk.why.outcome, Outcome::bounced);
    EXPECT_EQ(talk.why.text, "host mx[192.0.2.1] refused to talk to me: 550 5.7.1 not you");
}

TEST(ClientSession, AConnectionLostInTheMidstOfAMessageIsNoDoubt) {
    Talk talk;
    auto job = make_job({"a@dest"});
    talk.greet({job.get()});
    talk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    talk.taken_at_most = 60;
    talk.session.on_lost(false);
    EXPECT_EQ(job->recipients[0].status.text,
              "lost connection with mx[192.0.2.1] while sending message body");
}

// Byte by byte a reply takes no longer than at once.
TEST(ClientSession, ADrippingServerGetsNoMoreTimeThanOthers) {
    Talk talk;
    auto job = make_job({"a@dest"});
    talk.greet({job.get()}, "250 mx\r\n");
    const int armed = talk.armed;
    for (const char byte : std::string_view("250-a\r\n250-b\r\n250 c")) talk.hears({&byte, 1});
    EXPECT_EQ(talk.armed, armed);
    talk.hears("\r\n");
    EXPECT_GT(talk.armed, armed);
}

TEST(ClientSession, WithoutAlwaysSendEhloTheGreetingDecides) {
    SmtpConfig config;
    config.always_send_ehlo = false;
    EXPECT_EQ(Talk(config).hears("220 mx ESMTP ready\r\n"), "EHLO client.test\r\n");
    EXPECT_EQ(Talk(config).hears("220 mx ready\r\n"), "HELO client.test\r\n");
    config.always_send_ehlo = true;
    EXPECT_EQ(Talk(config).hears("220 mx ready\r\n"), "EHLO client.test\r\n");
}

// Until the last byte of a job is taken its blocks must not be given to other mail.
TEST(ClientSession, HangsUpOnAServerThatAnswersBeforeItHasTheMessage) {
    Talk talk;
    auto job = make_job({"a@dest"});
    auto next = make_job({"b@dest"});
    talk.jobs = {job.get(), next.get()};
    talk.hears("220 mx ESMTP\r\n");
    talk.hears(kPipelining);
    talk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    talk.taken_at_most = 60;
    talk.hears("250 2.0.0 Ok\r\n");
    EXPECT_TRUE(talk.dead);
    ASSERT_EQ(talk.done.size(), 1U);
    EXPECT_EQ(job->recipients[0].status.outcome, Outcome::deferred);
    EXPECT_NE(job->recipients[0].status.text.find("before it had the whole message"),
              std::string::npos);
    EXPECT_EQ(talk.returned.size(), 1U) << "the one behind it was not touched";
}

TEST(ClientSession, BelievesAnEarlyRefusalAndHangsUp) {
    Talk talk;
    auto job = make_job({"a@dest"});
    talk.jobs = {job.get()};
    talk.hears("220 mx ESMTP\r\n");
    talk.hears(kPipelining);
    talk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    talk.taken_at_most = 60;
    talk.hears("552 5.3.4 too big\r\n");
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(job->recipients[0].status.outcome, Outcome::bounced);
    EXPECT_EQ(job->recipients[0].status.dsn, "5.3.4");
}

TEST(ClientSession, AServerOfOurNameIsUsOnlyWhereLoopsAreDetected) {
    for (const bool detect : {false, true}) {
        Talk talk({}, detect);
        talk.hears("220 client.test ESMTP\r\n");
        talk.hears("250-client.test\r\n250 PIPELINING\r\n");
        EXPECT_EQ(talk.dead, detect);
    }
}

}  // namespace
}  // namespace posthaste::smtp
