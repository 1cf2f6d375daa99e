#include "cleanup/cleanup/header_pass.h"

#include <gtest/gtest.h>
#include <random>

#include "mail/wire/submitted_message.h"

namespace posthaste::cleanup {
namespace {

CleanupPolicy policy() {
    CleanupPolicy out;
    out.host = "mx.example";
    out.origin = "example";
    out.mail_name = "Posthaste";
    out.local_headers = {"example", ""};
    OpenReport report;
    EXPECT_TRUE(out.local_clients.open("127.0.0.0/8", report));
    out.dropped_headers = {"bcc", "content-length", "resent-bcc", "return-path"};
    out.header_bytes_max = 102400;
    out.header_addresses_max = 10240;
    out.hops_max = 50;
    return out;
}

Envelope envelope(std::string client = "192.0.2.1") {
    Envelope out;
    out.id = 1'700'000'000'000'000;
    out.sender = "me@a.example";
    out.recipients.push_back({"joe@b.example", "", kNotifyUnset});
    out.client_name = "client.example";
    out.client_address = std::move(client);
    out.helo = "helo.example";
    out.protocol = "ESMTP";
    return out;
}

constexpr HeaderPass::Times kTimes{"Sun, 22 Nov 2026 07:30:00 +0000 (UTC)"};

struct Passed {
    std::string header;
    std::string message;  // header + untouched body
    HeaderPass::Outcome outcome;
    std::string message_id;
    std::string resent_message_id;
};

Passed pass(std::string_view message, const CleanupPolicy& with = policy(),
            const Envelope& from = envelope()) {
    HeaderPass header_pass;
    Passed out;
    out.outcome = header_pass.run(with, from, kTimes, message, true, out.header);
    out.message_id = out.outcome.message_id.value_or("none");
    out.resent_message_id = out.outcome.resent_message_id.value_or("none");
    out.message = out.header + std::string(message.substr(out.outcome.body_offset));
    return out;
}

std::string received(const Envelope& from = envelope()) {
    return "Received: from helo.example (client.example [" + from.client_address +
           "])\r\n\tby mx.example (Posthaste) with ESMTP id " + queue_id_text(from.id) +
           "\r\n\tfor <joe@b.example>; Sun, 22 Nov 2026 07:30:00 +0000 (UTC)\r\n";
}

TEST(HeaderPass, PutsReceivedFirstAndTouchesNothingElse) {
    const std::string message =
        "Subject:  hi\r\n there\r\nX-Odd:x\r\nMessage-ID: <1@a>\r\n\r\nbody\r\n\r\nmore";
    const auto passed = pass(message);
    EXPECT_EQ(passed.message, received() + message);
    EXPECT_EQ(passed.message_id, "<1@a>");
    EXPECT_EQ(passed.resent_message_id, "none");
}

TEST(HeaderPass, NamesNoRecipientWhenThereAreMore) {
    auto two = envelope();
    two.recipients.push_back({"ann@b.example", "", kNotifyUnset});
    EXPECT_EQ(pass("A: b\r\n\r\n", policy(), two).header.find("for <"), std::string::npos);
}

TEST(HeaderPass, AddsWhatALocalClientLeftOut) {
    const auto local = envelope("127.0.0.1");
    const auto passed = pass("Subject: x\r\n\r\nbody", policy(), local);
    const std::string id = "<" + queue_id_text(local.id) + "@mx.example>";
    EXPECT_EQ(
        passed.message,
        received(local) + "Subject: x\r\nMessage-Id: " + id +
            "\r\nDate: Sun, 22 Nov 2026 07:30:00 +0000 (UTC)\r\nFrom: me@a.example\r\n\r\nbody");
    EXPECT_EQ(passed.message_id, id);
}

TEST(HeaderPass, AddsNothingForRemoteClientsUnlessAlways) {
    EXPECT_EQ(pass("Subject: x\r\n\r\nbody").message, received() + "Subject: x\r\n\r\nbody");
    auto always = policy();
    always.always_add_missing_headers = true;
    EXPECT_NE(pass("Subject: x\r\n\r\nbody", always).header.find("\r\nDate: "), std::string::npos);
}

TEST(HeaderPass, ADomainForRemoteHeadersAddsWhatIsMissingToo) {
    OpenReport report;
    const std::string text =
        "myhostname = mx.example\nremote_header_rewrite_domain = domain.invalid\n";
    const auto plain = CleanupPolicy::read(Settings::initial(text), {}, report);
    ASSERT_TRUE(plain) << report.error;
    const std::string header = pass("To: a, b@host\r\n\r\n", *plain).header;
    EXPECT_NE(header.find("To: a@domain.invalid, b@host\r\n"), std::string::npos) << header;
    EXPECT_NE(header.find("\r\nDate: "), std::string::npos) << header;
    const auto dotted =
        CleanupPolicy::read(Settings::initial(text + "append_dot_mydomain = yes\n"), {}, report);
    ASSERT_TRUE(dotted) << report.error;
    EXPECT_NE(pass("To: b@host\r\n\r\n", *dotted).header.find("To: b@host.domain.invalid\r\n"),
              std::string::npos);
}

TEST(HeaderPass, AddsOnlyWhatIsMissing) {
    auto always = policy();
    always.always_add_missing_headers = true;
    const std::string message = "dAte: x\r\nFROM: y@z.example\r\nmessage-id: <z>\r\n\r\n";
    EXPECT_EQ(pass(message, always).message, received() + message);
}

TEST(HeaderPass, LooksAtTheResentFieldsOfAResentMessage) {
    auto always = policy();
    always.always_add_missing_headers = true;
    const auto passed = pass("Resent-To: a@b.example\r\nResent-Message-ID: <r>\r\n\r\n", always);
    EXPECT_EQ(passed.message, received() +
                                  "Resent-To: a@b.example\r\nResent-Message-ID: <r>\r\n"
                                  "Resent-Date: Sun, 22 Nov 2026 07:30:00 +0000 (UTC)\r\n"
                                  "Resent-From: me@a.example\r\n\r\n");
    EXPECT_EQ(passed.message_id, "none");
    EXPECT_EQ(passed.resent_message_id, "<r>");
    EXPECT_EQ(pass("Resent-To: a@b.example\r\nMessage-Id: <1>\r\n\r\n", always).message_id, "<1>");
    EXPECT_EQ(pass("Message-Id:\r\n\r\n", always).message_id, "");
}

TEST(HeaderPass, TheEmptySenderIsTheMailerDaemon) {
    auto bounce = envelope("127.0.0.1");
    bounce.sender.clear();
    EXPECT_NE(pass("\r\n", policy(), bounce).header.find("\r\nFrom: MAILER-DAEMON\r\n"),
              std::string::npos);
}

TEST(HeaderPass, LinesOfAMailboxFileAtItsHeadAreFields) {
    const auto passed =
        pass("From me Mon Nov 30\r\n>From you Mon\r\nA: 1\r\nFrom x: 2\r\n\r\nFrom body");
    EXPECT_EQ(passed.message, received() +
                                  "X-Mailbox-Line: From me Mon Nov 30\r\n"
                                  "X-Mailbox-Line: >From you Mon\r\nA: 1\r\n\r\n"
                                  "From x: 2\r\n\r\nFrom body");
    std::string many;
    for (size_t n = 0; n < kMailboxLinesMax; ++n) many += "From x\r\n";
    EXPECT_TRUE(pass(many + "From x\r\n").message.ends_with("Line: From x\r\n\r\nFrom x\r\n"));
    EXPECT_EQ(pass("From and no line end").message, received() + "\r\nFrom and no line end");
}

TEST(HeaderPass, TakesBlanksBeforeTheColonAway) {
    EXPECT_EQ(pass("A: 1\r\nSubject \t: x\r\n y : z\r\nB :\r\nTo : <x@y.example>\r\n\r\n").message,
              received() + "A: 1\r\nSubject: x\r\n y : z\r\nB:\r\nTo: <x@y.example>\r\n\r\n");
    EXPECT_EQ(pass("To : x\r\nBcc : y\r\nA: 1\r\n\r\n", policy(), envelope("127.0.0.1"))
                  .header.find("To: x@example\r\nA: 1\r\n"),
              received(envelope("127.0.0.1")).size());
}

TEST(HeaderPass, DropsTheFieldsThatMustNotGoOn) {
    EXPECT_EQ(
        pass("Bcc: secret@x\r\n\tmore\r\nA: 1\r\nReturn-Path: <x>\r\nCONTENT-LENGTH: 5\r\nB: 2\r\n"
             "Resent-Bcc: y\r\n\r\nBcc: stays\r\n")
            .message,
        received() + "A: 1\r\nB: 2\r\n\r\nBcc: stays\r\n");
}

TEST(HeaderPass, CompletesAddressesOfLocalClientsOnly) {
    auto always = policy();
    always.always_add_missing_headers = false;
    const std::string_view message = "To: joe, ann@x.example\r\nSubject: joe\r\nCc: bob\r\n\r\n";
    EXPECT_EQ(pass(message, always).message, received() + std::string(message));
    const auto local = pass(message, always, envelope("127.0.0.1")).header;
    EXPECT_NE(local.find("To: joe@example, ann@x.example\r\nSubject: joe\r\nCc: bob@example\r\n"),
              std::string::npos);
}

TEST(HeaderPass, CompletesAddressesOfRemoteClientsWithTheDomainForThem) {
    auto marked = policy();
    marked.remote_headers = {"domain.invalid", "domain.invalid"};
    EXPECT_EQ(pass("From: joe\r\n\r\n", marked).message,
              received() + "From: joe@domain.invalid\r\n\r\n");
}

TEST(HeaderPass, PutsInTheEmptyLineThatIsMissing) {
    EXPECT_EQ(pass("Subject: x\r\nthis is no header\r\n").message,
              received() + "Subject: x\r\n\r\nthis is no header\r\n");
    EXPECT_EQ(pass("no header at all\r\n").message, received() + "\r\nno header at all\r\n");
    EXPECT_EQ(pass("Subject: all header\r\n").message, received() + "Subject: all header\r\n\r\n");
    EXPECT_EQ(pass("").message, received() + "\r\n");
    EXPECT_EQ(pass("\r\nbody").message, received() + "\r\nbody");
}

TEST(HeaderPass, RefusesTooManyHops) {
    auto few = policy();
    few.hops_max = 3;
    EXPECT_FALSE(pass("Received: a\r\n\r\n", few).outcome.too_many_hops);
    EXPECT_TRUE(pass("Received: a\r\nX: y\r\nReceived: b\r\n\r\n", few).outcome.too_many_hops)
        << "with ours the third";
    EXPECT_FALSE(pass("Received: a\r\n\r\nReceived: in the body\r\n", few).outcome.too_many_hops);
}

TEST(HeaderPass, CutsAFieldThatIsTooLongAtTheEndOfALine) {
    auto narrow = policy();
    narrow.header_bytes_max = 20;
    const auto folded =
        pass("A: b\r\nTo: a,\r\n b,\r\n c,\r\n d,\r\n e\r\nC: d\r\n\r\nbody", narrow);
    EXPECT_EQ(folded.message, received() + "A: b\r\nTo: a,\r\n b,\r\n c,\r\nC: d\r\n\r\nbody");
    EXPECT_EQ(folded.outcome.fields_cut, 1U);
    EXPECT_EQ(pass("X: 45678901234567890123\r\nC: d\r\n\r\n", narrow).message,
              received() + "X: 45678901234567890\r\nC: d\r\n\r\n");
    EXPECT_EQ(pass("A-name-beyond-the-limit: x\r\nC: d\r\n\r\n", narrow).message,
              received() + "C: d\r\n\r\n");
}

TEST(HeaderPass, WhatLiesBeyondItsBoundIsBody) {
    // The copy ends within the third field: all of the field stays together.
    const std::string message = "A: 1\r\nB: 2\r\nC: 3\r\n 4\r\n 5\r\n\r\nbody";
    HeaderPass header_pass;
    std::string header;
    const auto outcome = header_pass.run(policy(), envelope(), kTimes,
                                         std::string_view(message).substr(0, 21), false, header);
    EXPECT_EQ(header + message.substr(outcome.body_offset),
              received() + "A: 1\r\nB: 2\r\n\r\nC: 3\r\n 4\r\n 5\r\n\r\nbody");
    EXPECT_TRUE(outcome.rest_is_body);
    EXPECT_FALSE(pass("A: 1\r\n\r\nbody").outcome.rest_is_body);
    EXPECT_FALSE(pass("A: 1\r\n").outcome.rest_is_body) << "a header and nothing else";
}

// Whatever comes: behind our Received:, a remote message whose header stays is the same to the
// byte.
TEST(HeaderPass, IsAnIdentityOnMessagesThatNeedNothing) {
    const auto seed = std::random_device{}();
    std::mt19937 random(seed);
    const std::string_view pieces[] = {
        "Subject: a\r\n", "X-A:b\r\n", " folded\r\n", "\tmore\r\n",     "To: <x>, (\r\n",
        "Date:\r\n",      "body text", "\r\n",        "\r\n\r\n",       ":\r\n",
        "a b: c\r\n",     "From: x\n", "\xff\x80",    "Received: z\r\n"};
    auto nothing_dropped = policy();
    nothing_dropped.dropped_headers.clear();
    for (int round = 0; round < 5000; ++round) {
        std::string message;
        for (auto count = random() % 12; count > 0; --count)
            message += pieces[random() % std::size(pieces)];
        const auto passed = pass(message, nothing_dropped);
        // At most one empty line was put in.
        const std::string after = passed.message.substr(received().size());
        const std::string fields = message.substr(0, passed.outcome.body_offset);
        const std::string body = message.substr(passed.outcome.body_offset);
        ASSERT_EQ(passed.message.substr(0, received().size()), received()) << "seed " << seed;
        ASSERT_TRUE(after == message || after == fields + "\r\n" + body)
            << "seed " << seed << " message " << message;
        ASSERT_EQ(after.substr(after.size() - body.size()), body) << "seed " << seed;
    }
}

// A megabyte of "a,a,a" would become a hundred with a long domain.
TEST(HeaderPass, CompletingAddressesHasABound) {
    CleanupPolicy with = policy();
    with.local_headers = {std::string(200, 'o') + ".example", ""};
    std::string field = "To: a";
    while (field.size() < 4'000) field += ",a";
    field += "\r\n";
    std::string message;
    while (message.size() + field.size() < kHeaderSectionBytesMax) message += field;
    const Passed passed = pass(message, with, envelope("127.0.0.1"));
    EXPECT_LE(passed.header.size(), wire::kHeaderWrittenBytesMax);
    EXPECT_GT(passed.header.size(), message.size() + 500'000);
    EXPECT_NE(passed.header.find("To: a@ooo"), std::string::npos);
    // What came after is there, as it came.
    const size_t rest = passed.header.find(field + field);
    ASSERT_NE(rest, std::string::npos);
    EXPECT_EQ(passed.header.find("a@ooo", rest), std::string::npos);
    size_t fields = 0;
    for (size_t at = 0; (at = passed.header.find("To: a", at)) != std::string::npos; ++at) ++fields;
    EXPECT_EQ(fields, message.size() / field.size());
}

}  // namespace
}  // namespace posthaste::cleanup
