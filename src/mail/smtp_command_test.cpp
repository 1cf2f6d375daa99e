#include "mail/smtp_command.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

std::string reply(const ParameterFault& wrong) {
    if (wrong.code == 0) return "ok";
    return std::to_string(wrong.code) + " " + wrong.enhanced + " " + wrong.text;
}

std::string mail(std::string_view argument, bool allow_utf8 = false) {
    MailCommand out;
    return reply(parse_mail(argument, {.offers_utf8 = allow_utf8}, out));
}

std::string rcpt(std::string_view argument, bool allow_utf8 = false) {
    RcptCommand out;
    return reply(parse_rcpt(argument, {.offers_utf8 = allow_utf8}, false, out));
}

std::string bdat(std::string_view argument) {
    BdatCommand out;
    return reply(parse_bdat(argument, out));
}

TEST(CommandLine, IsSplitIntoVerbAndArgument) {
    const CommandLine line = parse_command_line("  MaIl \t FROM:<a@b>  SIZE=1 \t ");
    EXPECT_EQ(line.verb, Verb::mail);
    EXPECT_EQ(line.word, "MaIl");
    EXPECT_EQ(line.argument, "FROM:<a@b>  SIZE=1");
    EXPECT_EQ(parse_command_line("QUIT").argument, "");
}

TEST(CommandLine, KnowsEveryVerbByItsName) {
    for (int i = static_cast<int>(Verb::helo); i <= static_cast<int>(Verb::xforward); ++i) {
        const auto verb = static_cast<Verb>(i);
        EXPECT_EQ(parse_command_line(name_of(verb)).verb, verb) << name_of(verb);
    }
}

TEST(CommandLine, OfAnythingElseIsUnknown) {
    for (const char* line : {"", " ", "MAI", "MAILX", "UNKNOWN", "MAIL:", "STARTTLSS",
                             "GET / HTTP/1.1", "\x0d", "\xff"}) {
        EXPECT_EQ(parse_command_line(line).verb, Verb::unknown) << line;
    }
    EXPECT_EQ(parse_command_line(std::string_view("MAIL\0", 5)).verb, Verb::unknown);
    EXPECT_EQ(parse_command_line(std::string(100'000, 'A')).verb, Verb::unknown);
}

TEST(MailCommand, FillsEveryParameter) {
    MailCommand out;
    const std::string argument =
        "from:<A@b.example> size=123 Body=8bitmime SMTPUTF8 RET=hdrs ENVID=a+2Bb";
    ASSERT_EQ(reply(parse_mail(argument, {.offers_utf8 = true}, out)), "ok");
    EXPECT_EQ(out.sender, "A@b.example");
    EXPECT_EQ(out.size_bytes, 123U);
    EXPECT_TRUE(out.body_8bit);
    EXPECT_TRUE(out.smtputf8);
    EXPECT_EQ(out.dsn_return, DsnReturn::headers);
    EXPECT_EQ(out.envelope_id, "a+b");
}

TEST(MailCommand, ForgetsTheOneBefore) {
    MailCommand out;
    ASSERT_EQ(reply(parse_mail("FROM:<a@b> SIZE=5 BODY=8BITMIME RET=FULL ENVID=x",
                               {.offers_utf8 = true}, out)),
              "ok");
    ASSERT_EQ(reply(parse_mail("FROM:<>", {.offers_utf8 = true}, out)), "ok");
    EXPECT_EQ(out.sender, "");
    EXPECT_EQ(out.size_bytes, 0U);
    EXPECT_FALSE(out.body_8bit);
    EXPECT_EQ(out.dsn_return, DsnReturn::unset);
    EXPECT_EQ(out.envelope_id, "");
}

TEST(MailCommand, AnswersFaultsAsPostfixDoes) {
    const std::string syntax = "501 5.5.4 Syntax: MAIL FROM:<address>";
    EXPECT_EQ(mail(""), syntax);
    EXPECT_EQ(mail("FROM"), syntax);
    EXPECT_EQ(mail("FROM:"), syntax);
    EXPECT_EQ(mail("FROM: \t"), syntax);
    EXPECT_EQ(mail("TO:<a@b>"), syntax);
    EXPECT_EQ(mail("<a@b>"), syntax);
    EXPECT_EQ(mail("FROM:<a@b"), "501 5.1.7 Bad sender address syntax");
    EXPECT_EQ(mail("FROM:<a@b>SIZE=1"), "501 5.1.7 Bad sender address syntax");
    EXPECT_EQ(mail("FROM:<a@b> SIZE=x"), "501 5.5.4 Bad message size syntax");
    EXPECT_EQ(mail("FROM:<a@b> SIZE="), "501 5.5.4 Bad message size syntax");
    EXPECT_EQ(mail("FROM:<a@b> SIZE=-1"), "501 5.5.4 Bad message size syntax");
    EXPECT_EQ(mail("FROM:<a@b> SIZE=99999999999999999999"),
              "552 5.3.4 Message size exceeds file system imposed limit");
    EXPECT_EQ(mail("FROM:<a@b> BODY=BINARYMIME"), "555 5.5.4 Unsupported option: BODY=BINARYMIME");
    EXPECT_EQ(mail("FROM:<a@b> FOO\x01"), "555 5.5.4 Unsupported option: FOO?");
    EXPECT_EQ(mail("FROM:<a@b> RET=ALL"), "501 5.5.4 Bad RET parameter syntax");
    EXPECT_EQ(mail("FROM:<a@b> RET=FULL RET=HDRS"), "501 5.5.4 Bad RET parameter syntax");
    EXPECT_EQ(mail("FROM:<a@b> ENVID="), "501 5.5.4 Bad ENVID parameter syntax");
    EXPECT_EQ(mail("FROM:<a@b> ENVID=+0A"), "501 5.5.4 Bad ENVID parameter syntax");
    EXPECT_EQ(mail("FROM:<a@b> ENVID=a ENVID=b"), "501 5.5.4 Bad ENVID parameter syntax");
    EXPECT_EQ(mail("FROM:<a@b> ENVID=" + std::string(kEnvelopeIdBytesMax + 1, 'x')),
              "501 5.5.4 Bad ENVID parameter syntax");
}

TEST(MailCommand, WantsSmtputf8DeclaredForAUnicodeSender) {
    EXPECT_EQ(mail("FROM:<\xc3\xb6@b>"), "501 5.1.7 Bad sender address syntax");
    EXPECT_EQ(mail("FROM:<a@b> SMTPUTF8"), "555 5.5.4 Unsupported option: SMTPUTF8");
    EXPECT_EQ(mail("FROM:<\xc3\xb6@b> SMTPUTF8", true), "ok");
    EXPECT_EQ(mail("FROM:<\xc3\xb6@b>", true), "ok") << "as in Postfix";
    EXPECT_EQ(mail("FROM:<\xc3\xb6@b>"), "501 5.1.7 Bad sender address syntax");
    const MailRules strict{.offers_utf8 = true, .strict_utf8 = true, .strict_path = true};
    MailCommand mail;
    EXPECT_EQ(reply(parse_mail("FROM:<\xc3\xb6@b>", strict, mail)),
              "553 5.6.7 Must declare SMTPUTF8 to send unicode address");
    EXPECT_EQ(reply(parse_mail("FROM:<\xc3\xb6@b> SMTPUTF8", strict, mail)), "ok");
    EXPECT_EQ(reply(parse_mail("FROM:a@b", strict, mail)), "501 5.1.7 Bad sender address syntax");
    RcptCommand rcpt;
    EXPECT_EQ(reply(parse_rcpt("TO:<\xc3\xb6@b>", strict, false, rcpt)),
              "553 5.6.7 Must declare SMTPUTF8 to send unicode address");
    EXPECT_EQ(reply(parse_rcpt("TO:<\xc3\xb6@b>", strict, true, rcpt)), "ok");
    EXPECT_EQ(reply(parse_rcpt("TO:a@b", strict, true, rcpt)),
              "501 5.1.3 Bad recipient address syntax");
}

TEST(RcptCommand, FillsEveryParameter) {
    RcptCommand out;
    ASSERT_EQ(
        reply(parse_rcpt("To:<a@b> NOTIFY=success,DELAY ORCPT=rfc822;c+2Bd@e", {}, false, out)),
        "ok");
    EXPECT_EQ(out.recipient, "a@b");
    EXPECT_EQ(out.notify, kNotifySuccess | kNotifyDelay);
    EXPECT_EQ(out.original_recipient, "rfc822;c+d@e");
    ASSERT_EQ(reply(parse_rcpt("TO:<a@b> NOTIFY=never", {}, false, out)), "ok");
    EXPECT_EQ(out.notify, kNotifyNever);
    EXPECT_EQ(out.original_recipient, "");
}

TEST(RcptCommand, AnswersFaultsAsPostfixDoes) {
    EXPECT_EQ(rcpt("TO:"), "501 5.5.4 Syntax: RCPT TO:<address>");
    EXPECT_EQ(rcpt("FROM:<a@b>"), "501 5.5.4 Syntax: RCPT TO:<address>");
    EXPECT_EQ(rcpt("TO:<>"), "501 5.1.3 Bad recipient address syntax");
    EXPECT_EQ(rcpt("TO:<a b@c>"), "501 5.1.3 Bad recipient address syntax");
    EXPECT_EQ(rcpt("TO:<\xc3\xb6@b>"), "501 5.1.3 Bad recipient address syntax");
    EXPECT_EQ(rcpt("TO:<\xc3\xb6@b>", true), "ok");
    EXPECT_EQ(rcpt("TO:<a@b> SIZE=1"), "555 5.5.4 Unsupported option: SIZE=1");
    for (const char* notify : {"", "NEVER,DELAY", "DELAY,NEVER", "DELAY,", ",DELAY", "SOMETIMES"}) {
        EXPECT_EQ(rcpt(std::string("TO:<a@b> NOTIFY=") + notify),
                  "501 5.5.4 Error: Bad NOTIFY parameter syntax")
            << notify;
    }
    EXPECT_EQ(rcpt("TO:<a@b> NOTIFY=DELAY NOTIFY=DELAY"),
              "501 5.5.4 Error: Bad NOTIFY parameter syntax");
    for (const char* original :
         {"", "a@b", ";a@b", "rfc 822;a", "rfc822;a+0Db", "rfc822;a+", "r\"f;a"}) {
        EXPECT_EQ(rcpt(std::string("TO:<a@b> ORCPT=") + original).substr(0, 3), "501") << original;
    }
    EXPECT_EQ(rcpt("TO:<a@b> ORCPT=rfc822;a ORCPT=rfc822;a"),
              "501 5.5.4 Error: Bad ORCPT parameter syntax");
    EXPECT_EQ(rcpt("TO:<a@b> ORCPT=rfc822;").substr(0, 2), "ok");
    EXPECT_EQ(rcpt("TO:<a@b> ORCPT=rfc822;" + std::string(kOrcptBytesMax, 'x')),
              "501 5.5.4 Error: Bad ORCPT parameter syntax");
}

TEST(BdatCommand, HasACountAndMayBeTheLast) {
    BdatCommand out;
    ASSERT_EQ(reply(parse_bdat("86 LAST", out)), "ok");
    EXPECT_EQ(out.size_bytes, 86U);
    EXPECT_TRUE(out.last);
    ASSERT_EQ(reply(parse_bdat("0", out)), "ok");
    EXPECT_EQ(out.size_bytes, 0U);
    EXPECT_FALSE(out.last);
    for (const char* bad :
         {"", "LAST", "-1", "1x", "1 LASTLY", "1 LAST x", "1 2", "9223372036854775808", "0x10"}) {
        EXPECT_EQ(bdat(bad), "501 5.5.4 Syntax: BDAT count [LAST]") << bad;
    }
}

}  // namespace
}  // namespace posthaste
