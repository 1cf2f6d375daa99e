#include "egress/smtp/client_session.h"

#include <deque>
#include <gtest/gtest.h>
#include <vector>

#include "base/codec.h"

namespace posthaste::smtp {
namespace {

const std::string kBody = "Subject: x\r\n\r\nhello\r\n.dot\r\n";

std::unique_ptr<Job> make_job(const std::vector<std::string>& recipients,
                              std::string_view content = kBody) {
    auto job = std::make_unique<Job>();
    wire::DeliveryJob sent;
    sent.id = 1'700'000'000'000'000;
    sent.sender = "s@example.org";
    sent.size_bytes = content.size();
    for (uint32_t i = 0; i < recipients.size(); ++i)
        sent.recipients.push_back({i, recipients[i], {}, 0});
    wire::encode(sent, job->record);
    EXPECT_TRUE(wire::decode(job->record, job->wire));
    job->content = {content};
    job->recipients.resize(recipients.size());
    return job;
}

// Stands for the link: collects what is said, feeds jobs as they fit.
class Talk : public ClientSession::Line {
 public:
    explicit Talk(SmtpConfig config = {}, bool detect_loop = true)
        : config_(std::move(config)),
          session(config_, "mx[192.0.2.1]", "dest", detect_loop, *this) {
        config_.helo_name = "client.test";
        config_.myhostname = "client.test";
        config_.chunking = true;
        config_.data_xfer_timeout_us = 1;
        session.start();
    }

    void send(std::string_view text) override {
        said += text;
        handed += text.size();
    }

    void send_borrowed(std::string_view bytes) override { send(bytes); }

    uint64_t output_mark() const override { return handed; }

    bool is_taken(uint64_t mark) const override { return mark <= std::min(handed, taken_at_most); }

    void wait_at_most(int64_t) override {}

    void on_ready() override {
        while (!jobs.empty() && session.can_begin()) {
            Job* job = jobs.front();
            jobs.pop_front();
            session.begin(*job);
        }
    }

    void on_job_done(Job& job) override { done.push_back(&job); }

    void on_job_returned(Job& job) override { returned.push_back(&job); }

    void on_dead(const DeliveryStatus& refusal) override {
        dead = true;
        why = refusal;
    }

    // What the client says in answer to these bytes.
    std::string hears(std::string_view bytes) {
        said.clear();
        session.on_bytes(bytes);
        return said;
    }

 private:
    SmtpConfig config_;

 public:
    std::string said;
    uint64_t handed = 0;
    uint64_t taken_at_most = UINT64_MAX;
    std::deque<Job*> jobs;
    std::vector<Job*> done;
    std::vector<Job*> returned;
    bool dead = false;
    DeliveryStatus why;
    ClientSession session;
};

constexpr std::string_view kPipelining = "250-mx\r\n250-PIPELINING\r\n250 SIZE 10000\r\n";

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
    EXPECT_EQ(talk.hears("250 2.0.0 Ok: queued as X\r\n"), "");
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
              "Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\n");
    ASSERT_EQ(talk.done, (std::vector<Job*>{first.get()}));
    talk.hears("250 2.0.0 two\r\n");
    ASSERT_EQ(talk.done.size(), 2U);
    EXPECT_EQ(second->recipients[0].status.text, "250 2.0.0 two");
}

TEST(ClientSession, SendsSmallBodiesWithTheirCommandsWhenTheServerTakesChunks) {
    Talk talk;
    auto job = make_job({"a@dest"});
    talk.jobs = {job.get()};
    talk.hears("220 mx\r\n");
    EXPECT_EQ(talk.hears("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n"),
              "MAIL FROM:<s@example.org>\r\nRCPT TO:<a@dest>\r\nBDAT 27 LAST\r\n" + kBody);
    talk.hears("250 ok\r\n250 ok\r\n250 2.0.0 taken\r\n");
    EXPECT_EQ(job->recipients[0].status.outcome, Outcome::sent);
}

TEST(ClientSession, BeginsAnewAfterAChunkThatMayHaveBeenRefused) {
    Talk talk;
    auto first = make_job({"a@dest"});
    auto second = make_job({"b@dest"});
    talk.jobs = {first.get(), second.get()};
    talk.hears("220 mx\r\n");
    const std::string said = talk.hears("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    EXPECT_NE(said.find(kBody + "RSET\r\nMAIL FROM"), std::string::npos) << said;
    talk.hears(
        "250 ok\r\n550 5.1.1 no\r\n554 5.5.1 no valid recipients\r\n250 reset\r\n250 ok\r\n250 "
        "ok\r\n250 taken\r\n");
    EXPECT_EQ(first->recipients[0].status.outcome, Outcome::bounced);
    EXPECT_EQ(second->recipients[0].status.outcome, Outcome::sent);
}

TEST(ClientSession, AnswersA354WithAnEmptyMessageWhenNobodyWasAccepted) {
    Talk talk;
    auto job = make_job({"a@dest"});
    talk.jobs = {job.get()};
    talk.hears("220 mx\r\n");
    talk.hears(kPipelining);
    EXPECT_EQ(talk.hears("250 ok\r\n450 4.2.1 later\r\n354 go\r\n"), ".\r\n");
    EXPECT_TRUE(talk.done.empty()) << "the answer to the empty message is still to come";
    talk.hears("554 no valid recipients\r\n");
    ASSERT_EQ(talk.done.size(), 1U);
    EXPECT_EQ(job->recipients[0].status.outcome, Outcome::deferred);
    EXPECT_EQ(job->recipients[0].status.dsn, "4.2.1");
}

TEST(ClientSession, ResetsBeforeTheNextMessageWhenDataWasRefused) {
    Talk talk;
    auto first = make_job({"a@dest"});
    auto second = make_job({"b@dest"});
    talk.jobs = {first.get(), second.get()};
    talk.hears("220 mx\r\n");
    talk.hears(kPipelining);
    const std::string said = talk.hears("250 ok\r\n250 ok\r\n452 4.3.1 full\r\n");
    EXPECT_EQ(first->recipients[0].status.text,
              "host mx[192.0.2.1] said: 452 4.3.1 full (in reply to DATA command)");
    EXPECT_EQ(said.substr(0, 10), "RSET\r\nMAIL");
}

TEST(ClientSession, A354ThatNobodyAskedForIsNoYes) {
    const auto fate = [](std::string_view mail, std::string_view rcpt, std::string_view dot) {
        Talk talk;
        auto job = make_job({"a@dest"});
        talk.jobs = {job.get()};
        talk.hears("220 mx\r\n");
        talk.hears("250 mx\r\n");
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

TEST(ClientSession, BreaksLinesThatAreTooLongForSmtp) {
    SmtpConfig config;
    config.line_bytes_max = 20;
    const std::string content = "." + std::string(29, 'x') + "\r\n" + std::string(20, 'y') + "\r\n";
    const std::string broken = std::string(19, 'x') + "\r\n " + std::string(10, 'x') + "\r\n" +
                               std::string(20, 'y') + "\r\n";
    Talk by_data(config);
    auto first = make_job({"a@dest"}, content);
    by_data.jobs = {first.get()};
    by_data.hears("220 mx\r\n");
    by_data.hears(kPipelining);
    // The doubled dot makes the first piece one shorter.
    EXPECT_EQ(by_data.hears("250 ok\r\n250 ok\r\n354 go\r\n"),
              ".." + std::string(18, 'x') + "\r\n " + std::string(11, 'x') + "\r\n" +
                  std::string(20, 'y') + "\r\n.\r\n");
    Talk by_chunk(config);
    auto second = make_job({"a@dest"}, content);
    by_chunk.jobs = {second.get()};
    by_chunk.hears("220 mx\r\n");
    const std::string said = by_chunk.hears("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    const std::string wanted = "BDAT " + std::to_string(broken.size() + 1) + " LAST\r\n." + broken;
    EXPECT_EQ(said.substr(said.find("BDAT")), wanted);
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
    talk.jobs = {job.get()};
    talk.hears("220 mx\r\n");
    talk.hears(kPipelining);
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
    talk.jobs = {first.get()};
    talk.hears("220 mx\r\n");
    talk.hears(kPipelining);
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
    talk.jobs = {first.get(), second.get()};
    talk.hears("220 mx\r\n");
    talk.hears(kPipelining);
    talk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    talk.hears("250 taken\r\n421 4.7.0 enough\r\n");
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(first->recipients[0].status.outcome, Outcome::sent);
    EXPECT_EQ(talk.returned, (std::vector<Job*>{second.get()}));
}

// The same replies mean the same conversation however TCP cuts them.
TEST(ClientSession, DoesNotDependOnWhereRepliesAreCut) {
    const std::string replies =
        "220 mx\r\n" + std::string(kPipelining) +
        "250 ok\r\n550 5.1.1 a\r\n250-b\r\n250 c\r\n354 go\r\n250 2.0.0 done\r\n";
    const auto converse = [&](size_t cut) {
        Talk talk;
        auto job = make_job({"a@dest", "b@dest"});
        talk.jobs = {job.get()};
        std::string all = talk.hears(std::string_view(replies).substr(0, cut));
        all += talk.hears(std::string_view(replies).substr(cut));
        EXPECT_EQ(talk.done.size(), 1U) << "cut at " << cut;
        return all + job->recipients[0].status.text + job->recipients[1].status.text;
    };
    const std::string whole = converse(0);
    for (size_t cut = 1; cut < replies.size(); ++cut)
        EXPECT_EQ(converse(cut), whole) << "cut at " << cut;
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
    for (const bool chunking : {false, true}) {
        Talk talk;
        auto job = make_job({"a@dest"});
        auto next = make_job({"b@dest"});
        talk.jobs = {job.get(), next.get()};
        talk.hears("220 mx ESMTP\r\n");
        talk.hears(chunking ? "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n" : kPipelining);
        if (!chunking) talk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
        talk.taken_at_most = 60;
        talk.hears(chunking ? "250 ok\r\n250 ok\r\n250 2.0.0 Ok\r\n" : "250 2.0.0 Ok\r\n");
        EXPECT_TRUE(talk.dead);
        ASSERT_EQ(talk.done.size(), 1U);
        EXPECT_EQ(job->recipients[0].status.outcome, Outcome::deferred);
        EXPECT_NE(job->recipients[0].status.text.find("before it had the whole message"),
                  std::string::npos);
        EXPECT_EQ(talk.returned.size(), 1U) << "the one behind it was not touched";
    }
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
