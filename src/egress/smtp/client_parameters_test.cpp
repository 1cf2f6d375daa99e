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

TEST(ClientParameters, AddressesGoInTheirExternalForm) {
    auto job = make_job_for({{0, "foo..bar.@dest", "", kNotifyUnset}});
    job->wire.sender = "\"us\\er\"@source";
    const std::string said = said_for(*job, "250-PIPELINING\r\n250 DSN\r\n");
    EXPECT_NE(said.find("MAIL FROM:<user@source>\r\nRCPT TO:<\"foo..bar.\"@dest> "
                        "ORCPT=rfc822;\"foo..bar.\"@dest\r\n"),
              std::string::npos)
        << said;
}

TEST(ClientParameters, AnOriginalRecipientOfTypeUtf8IsWrittenAsRfc6533Says) {
    for (const bool offered : {true, false}) {
        for (const bool declared : {true, false}) {
            const auto job =
                make_job_for({{0, "a@dest", "utf-8;j\xc3\xb6+rg@b.test", kNotifyUnset}});
            job->wire.smtputf8 = declared;
            const std::string said =
                said_for(*job, std::string("250-PIPELINING\r\n") +
                                   (offered ? "250-SMTPUTF8\r\n" : "") + "250 DSN\r\n");
            const std::string wanted = offered && declared ? "utf-8;j\xc3\xb6\\x{2B}rg@b.test\r\n"
                                                           : "utf-8;j\\x{F6}\\x{2B}rg@b.test\r\n";
            EXPECT_NE(said.find(wanted), std::string::npos) << said;
        }
    }
    const auto first = make_job_for({{0, "j\xc3\xb6@dest", "", kNotifyUnset}});
    const std::string said = said_for(*first, "250-SMTPUTF8\r\n250-PIPELINING\r\n250 DSN\r\n");
    EXPECT_NE(said.find(" ORCPT=utf-8;j\\x{F6}@dest\r\n"), std::string::npos) << said;
}

TEST(ClientParameters, Smtputf8IsAskedForWhereTheMessageNeedsIt) {
    struct Case {
        const char* sender;
        const char* recipient;
        std::string content;
        bool needs;
    };

    const Case cases[] = {
        {"s@source", "a@dest", "Subject: x\r\n\r\nj\xc3\xb6rg\r\n", false},
        {"s@source", "a@dest", "Subject: x\r\n", false},
        {"s@source", "a@dest", "Subject: j\xc3\xb6rg\r\n\r\nbody\r\n", true},
        {"s@source", "j\xc3\xb6rg@dest", "Subject: x\r\n\r\nbody\r\n", true},
        {"j\xc3\xb6rg@source", "a@dest", "Subject: x\r\n\r\nbody\r\n", true},
    };
    for (const Case& it : cases) {
        for (const bool declared : {true, false}) {
            const auto make = [&] {
                auto job = make_job_for({{0, it.recipient, "", kNotifyUnset}}, it.content);
                job->wire.sender = it.sender;
                job->wire.smtputf8 = declared;
                return job;
            };
            const auto without = make();
            const std::string said = said_for(*without, "250 PIPELINING\r\n");
            const bool refused = declared && it.needs;
            EXPECT_EQ(said.empty(), refused) << it.content << it.recipient;
            EXPECT_EQ(said.find("SMTPUTF8"), std::string::npos);
            EXPECT_EQ(without->recipients[0].settled, refused);
            EXPECT_EQ(without->recipients[0].status.dsn == "5.6.7", refused);
            const auto with = make();
            EXPECT_EQ(said_for(*with, "250-PIPELINING\r\n250 SMTPUTF8\r\n").find(" SMTPUTF8\r\n") !=
                          std::string::npos,
                      declared);
        }
    }
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
