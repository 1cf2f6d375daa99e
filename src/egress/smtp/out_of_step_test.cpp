// A server that answers once too often, or not often enough.
#include <gtest/gtest.h>

#include "egress/smtp/client_session.h"
#include "egress/smtp/client_session_testing.h"

namespace posthaste::smtp {
namespace {

// Both messages are out: the first one whole, the second one's commands behind it.
struct TwoMessages : Talk {
    TwoMessages() {
        greet({first.get(), second.get()});
        hears("250 ok\r\n250 ok\r\n354 go\r\n");
    }

    Outcome outcome(const Job& job) const { return job.recipients[0].status.outcome; }

    std::unique_ptr<Job> first = make_job({"a@dest"});
    std::unique_ptr<Job> second = make_job({"b@dest"});
};

TEST(OutOfStep, AnAnswerGivenTwiceIsNoAnswerToTheNextMessage) {
    for (const bool late : {false, true}) {
        TwoMessages talk;
        talk.hears("250 Message OK\r\n");
        if (late) {
            talk.hears("250 Ok\r\n");
            talk.hears("250 sender ok\r\n250 recipient ok\r\n");
        } else {
            talk.hears("250 Ok\r\n250 sender ok\r\n250 recipient ok\r\n");
        }
        EXPECT_TRUE(talk.dead) << "250 is no answer to DATA";
        EXPECT_EQ(talk.warnings.size(), 1U);
        EXPECT_EQ(talk.outcome(*talk.first), Outcome::sent) << "whichever answers it, it is a yes";
        EXPECT_FALSE(talk.first->hop_failed);
        EXPECT_EQ(talk.returned, (std::vector<Job*>{talk.second.get()}));
        EXPECT_FALSE(talk.second->recipients[0].settled);
    }
}

TEST(OutOfStep, AYesIsNotBelievedWhenARefusalMayHaveBeenTheAnswer) {
    TwoMessages talk;
    talk.hears("250 taken by the proxy\r\n554 5.7.1 refused behind it\r\n250 sender ok\r\n");
    talk.hears("250 recipient ok\r\n354 go\r\n");
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(talk.outcome(*talk.first), Outcome::deferred);
    EXPECT_EQ(talk.outcome(*talk.second), Outcome::deferred);
}

TEST(OutOfStep, TheAnswerToRsetShowsThatARefusalWasTheAnswerToTheMessage) {
    Talk talk;
    auto job = make_job({"a@dest"});
    talk.greet({job.get()});
    EXPECT_TRUE(talk.hears("250 ok\r\n250 ok\r\n354 go\r\n").ends_with("\r\n.\r\nRSET\r\n"));
    talk.hears("250 taken by the proxy\r\n");
    EXPECT_TRUE(talk.done.empty());
    talk.hears("554 5.7.1 refused behind it\r\n");
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(job->recipients[0].status.outcome, Outcome::deferred);
}

TEST(OutOfStep, AnAnswerToRsetIsNoProofWhileMoreIsDue) {
    Talk talk;
    auto first = make_job({"a@dest"});
    auto second = make_job({"b@dest"});
    talk.greet({first.get()});
    talk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    talk.jobs = {second.get()};
    talk.on_ready();
    // The answer to the first message is missing: what follows is RSET's, MAIL's, RCPT's and DATA's.
    talk.hears("250 reset\r\n250 sender ok\r\n250 recipient ok\r\n");
    EXPECT_TRUE(talk.done.empty());
    talk.hears("354 go\r\n");
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(first->recipients[0].status.outcome, Outcome::deferred);
}

TEST(OutOfStep, WhatAMissingReplyLeftInDoubtIsDeferred) {
    TwoMessages talk;
    talk.hears("250 2.0.0 whose\r\n550 5.1.1 whose\r\n");
    talk.session.on_lost(true);
    EXPECT_EQ(talk.outcome(*talk.first), Outcome::deferred);
    EXPECT_EQ(talk.outcome(*talk.second), Outcome::deferred);
}

TEST(OutOfStep, ARefusalBehindAYesInDoubtIsNobodysWhenTheConnectionIsLost) {
    TwoMessages talk;
    talk.hears("250 taken by the proxy\r\n554 5.7.1 whose\r\n");
    talk.session.on_lost(false);
    EXPECT_EQ(talk.outcome(*talk.first), Outcome::deferred);
    EXPECT_EQ(talk.outcome(*talk.second), Outcome::deferred);

    Talk alone;
    auto job = make_job({"a@dest"});
    alone.greet({job.get()});
    alone.hears("554 5.7.1 you are on a list\r\n");
    alone.session.on_lost(false);
    EXPECT_EQ(job->recipients[0].status.outcome, Outcome::bounced);
}

TEST(OutOfStep, AServerThatHangsUpBehindItsYesHasTheMessage) {
    TwoMessages talk;
    talk.hears("250 2.0.0 taken\r\n");
    talk.session.on_lost(false);
    EXPECT_EQ(talk.outcome(*talk.first), Outcome::sent);
    EXPECT_EQ(talk.returned, (std::vector<Job*>{talk.second.get()}));
}

TEST(OutOfStep, AMissingAnswerIsNotMadeUpByTheNextCommands) {
    TwoMessages talk;
    talk.hears("250 sender ok\r\n250 recipient ok\r\n354 go\r\n");
    EXPECT_TRUE(talk.dead) << "354 is no answer to RCPT";
    EXPECT_EQ(talk.outcome(*talk.first), Outcome::deferred);
    EXPECT_NE(talk.first->recipients[0].status.text.find("more than once"), std::string::npos);
    EXPECT_EQ(talk.returned, (std::vector<Job*>{talk.second.get()}));
}

TEST(OutOfStep, NoContentIsSentWhileAReplyWaitsThatNobodyAskedFor) {
    for (const std::string_view more : {"250 Ok\r\n", "250 O", "x"}) {
        Talk talk;
        auto job = make_job({"a@dest"});
        talk.greet({job.get()});
        EXPECT_EQ(talk.hears("250 ok\r\n250 ok\r\n354 go\r\n" + std::string(more)), "");
        EXPECT_TRUE(talk.dead);
        EXPECT_EQ(job->recipients[0].status.outcome, Outcome::deferred);
    }
}

TEST(OutOfStep, WithoutPipeliningNoCommandIsAnsweredByWhatCameBeforeIt) {
    for (const std::string_view spare : {"554 5.7.1 no\r\n", "250 Ok\r\n"}) {
        Talk talk;
        auto first = make_job({"a@dest"});
        auto second = make_job({"b@dest"});
        talk.jobs = {first.get(), second.get()};
        for (const std::string_view reply :
             {"220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"})
            talk.hears(reply);
        EXPECT_EQ(talk.hears("250 taken\r\n" + std::string(spare)), "") << "no MAIL";
        EXPECT_TRUE(talk.dead);
        EXPECT_EQ(first->recipients[0].status.outcome,
                  spare[0] == '2' ? Outcome::sent : Outcome::deferred);
        EXPECT_FALSE(second->recipients[0].settled);
    }
}

TEST(OutOfStep, GreetingAndHelloAreNotAnsweredByWhatCameBeforeThem) {
    Talk twice;
    EXPECT_EQ(twice.hears("220 mx\r\n220 mx\r\n"), "");
    EXPECT_TRUE(twice.dead);
    Talk early;
    early.hears("220 mx\r\n");
    EXPECT_EQ(early.hears("250 mx\r\n250 Ok\r\n"), "");
    EXPECT_TRUE(early.dead);
    Talk closing;
    closing.hears("220 mx\r\n421 too many\r\n");
    EXPECT_TRUE(closing.dead);
    EXPECT_TRUE(closing.warnings.empty()) << "421 may come at any time";
}

TEST(OutOfStep, AnIdleConnectionOnWhichTheServerSpeaksIsClosed) {
    Talk talk;
    talk.hears("220 mx\r\n");
    talk.hears("250 mx\r\n");
    talk.hears("250 what\r\n");
    EXPECT_TRUE(talk.dead);
    ASSERT_EQ(talk.warnings.size(), 1U);
    EXPECT_EQ(talk.warnings[0],
              "host mx[192.0.2.1] is out of step, closing the connection: it said "
              "without being asked: 250 what");
}

// Who is refused is told so when RSET has shown that the refusal was the answer.
TEST(OutOfStep, ARefusalCountsWhenTheConversationIsInStepBehindIt) {
    Talk talk;
    auto job = make_job({"a@dest"});
    talk.greet({job.get()});
    EXPECT_EQ(talk.hears("250 ok\r\n550 5.1.1 no such user\r\n503 5.5.1 no recipients\r\n"),
              "RSET\r\n");
    EXPECT_TRUE(talk.done.empty());
    talk.hears("250 ok\r\n");
    ASSERT_EQ(talk.done.size(), 1U);
    EXPECT_EQ(job->recipients[0].status.outcome, Outcome::bounced);

    Talk shifted;
    auto other = make_job({"a@dest", "b@dest"});
    shifted.greet({other.get()});
    // One yes too many: what looks like the refusal of DATA is that of b.
    shifted.hears("250 spare\r\n250 sender\r\n250 a\r\n550 5.1.1 b\r\n");
    shifted.hears("354 go\r\n");
    EXPECT_TRUE(shifted.dead) << "354 is no answer to RSET";
    EXPECT_EQ(other->recipients[0].status.outcome, Outcome::deferred);
    EXPECT_EQ(other->recipients[1].status.outcome, Outcome::deferred);
}

TEST(OutOfStep, AServerThatDoesNotKnowRsetIsBelievedAndLeft) {
    Talk talk;
    auto job = make_job({"a@dest"});
    talk.jobs = {job.get()};
    for (const std::string_view reply :
         {"220 mx\r\n", "250 mx\r\n", "550 5.7.1 not you\r\n", "502 what\r\n"})
        talk.hears(reply);
    EXPECT_TRUE(talk.dead);
    EXPECT_EQ(job->recipients[0].status.outcome, Outcome::bounced);
    EXPECT_TRUE(talk.warnings.empty());
}

}  // namespace
}  // namespace posthaste::smtp
