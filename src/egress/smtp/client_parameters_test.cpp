// What MAIL and RCPT carry, as far as the server offers it.
#include <gtest/gtest.h>

#include "egress/smtp/client_session.h"
#include "egress/smtp/client_session_testing.h"

namespace posthaste::smtp {
namespace {

// What the client says when it has heard these offers.
std::string said_for(Job& job, const std::string& offers) {
    return Talk().greet({&job}, "250-mx\r\n" + offers);
}

TEST(ClientParameters, AnOriginalRecipientCanNotBringAParameterOfItsOwn) {
    const auto job = make_job_for({{0, "a@dest", "rfc822;x y+z=w@else", kNotifyUnset}});
    EXPECT_NE(said_for(*job, "250-PIPELINING\r\n250 DSN\r\n")
                  .find("RCPT TO:<a@dest> ORCPT=rfc822;x+20y+2Bz+3Dw@else\r\n"),
              std::string::npos);
}

TEST(ClientParameters, WithoutAnOriginalRecipientTheAddressIsIt) {
    const auto job = make_job_for({{0, "a+b@dest", "", kNotifyUnset}});
    EXPECT_NE(said_for(*job, "250-PIPELINING\r\n250 DSN\r\n")
                  .find("RCPT TO:<a+b@dest> ORCPT=rfc822;a+2Bb@dest\r\n"),
              std::string::npos);
    const auto plain = make_job_for({{0, "a+b@dest", "", kNotifyUnset}});
    EXPECT_EQ(said_for(*plain, "250 PIPELINING\r\n").find("ORCPT"), std::string::npos);
}

TEST(ClientParameters, AMessageOfExactlyTheServersSizeGoes) {
    const std::string limit = std::to_string(kBody.size());
    const auto fits = make_job_for({{0, "a@dest", "", kNotifyUnset}});
    EXPECT_NE(said_for(*fits, "250 SIZE " + limit + "\r\n").find("SIZE=" + limit),
              std::string::npos);
    const std::string longer = kBody + "x";
    const auto too_long = make_job_for({{0, "a@dest", "", kNotifyUnset}}, longer);
    EXPECT_EQ(said_for(*too_long, "250 SIZE " + limit + "\r\n"), "");
    EXPECT_EQ(too_long->recipients[0].status.dsn, "5.3.4");
}

TEST(ClientParameters, OnlyCode552MayMeanTooManyRecipients) {
    Talk talk;
    auto job = make_job({"a@dest", "b@dest"});
    talk.greet({job.get()});
    talk.hears("250 ok\r\n250 ok\r\n551 not here\r\n354 go\r\n");
    EXPECT_EQ(job->recipients[1].status.outcome, Outcome::bounced);
}

TEST(ClientParameters, ResetsAfterAllRecipientsWereRefused) {
    Talk talk;
    auto first = make_job({"a@dest"});
    auto second = make_job({"b@dest"});
    talk.greet({first.get(), second.get()}, "250 mx\r\n");
    talk.hears("250 ok\r\n");
    EXPECT_EQ(talk.hears("550 5.1.1 no\r\n"), "RSET\r\n");
    EXPECT_EQ(talk.hears("250 ok\r\n"), "MAIL FROM:<s@example.org>\r\n");
}

}  // namespace
}  // namespace posthaste::smtp
