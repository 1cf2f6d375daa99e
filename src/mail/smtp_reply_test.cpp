#include "mail/smtp_reply.h"

#include <gtest/gtest.h>
#include <vector>

namespace posthaste {
namespace {

using State = SmtpReplyParser::State;

// Everything a parser says about the bytes, given in pieces.
std::string read_all(const std::vector<std::string_view>& pieces) {
    SmtpReplyParser parser;
    SmtpReply reply;
    std::string story;
    for (std::string_view piece : pieces) {
        while (true) {
            const State state = parser.consume(piece, reply);
            if (state == State::incomplete) break;
            if (state == State::malformed) return story + "malformed";
            story += std::to_string(reply.code) + "|" + reply.dsn + "|" + reply.text + "|" +
                     reply.lines + "\n";
        }
        EXPECT_TRUE(piece.empty());
    }
    return story + (parser.idle() ? "idle" : "waiting");
}

std::string read_all(std::string_view bytes) {
    return read_all(std::vector<std::string_view>{bytes});
}

TEST(SmtpReply, OfOneLine) {
    EXPECT_EQ(read_all("250 2.1.0 Ok\r\n"), "250|2.1.0|250 2.1.0 Ok|2.1.0 Ok\n\nidle");
    EXPECT_EQ(read_all("250\r\n"), "250||250|\n\nidle");
    EXPECT_EQ(read_all("354 End data\n"), "354||354 End data|End data\n\nidle");
    EXPECT_EQ(read_all("550 5.7.2\r\n"), "550|5.7.2|550 5.7.2|5.7.2\n\nidle");
}

TEST(SmtpReply, OfManyLinesIsJoined) {
    EXPECT_EQ(read_all("250-host\r\n250-PIPELINING\r\n250 SIZE 10\r\n"),
              "250||250-host 250-PIPELINING 250 SIZE 10|host\nPIPELINING\nSIZE 10\n\nidle");
    EXPECT_EQ(
        read_all("550-5.1.1 No\r\n550-\r\n550 5.1.2 such user\r\n"),
        "550|5.1.2|550-5.1.1 No 550- 550 5.1.2 such user|5.1.1 No\n\n5.1.2 such user\n\nidle");
}

TEST(SmtpReply, HasTheEnhancedCodeOfItsLastLine) {
    EXPECT_EQ(read_all("550-5.1.1 No\n550 such user\n"),
              "550||550-5.1.1 No 550 such user|5.1.1 No\nsuch user\n\nidle");
    EXPECT_EQ(read_all("450-4.2.1 a\n550 5.1.1 b\n"),
              "550|5.1.1|450-4.2.1 a 550 5.1.1 b|4.2.1 a\n5.1.1 b\n\nidle");
}

TEST(SmtpReply, StopsBehindEachOfManyReplies) {
    SmtpReplyParser parser;
    SmtpReply reply;
    std::string_view bytes = "250 a\r\n450 4.2.0 b\r\n2";
    ASSERT_EQ(parser.consume(bytes, reply), State::complete);
    EXPECT_EQ(reply.text, "250 a");
    EXPECT_EQ(bytes, "450 4.2.0 b\r\n2");
    EXPECT_TRUE(parser.idle());
    ASSERT_EQ(parser.consume(bytes, reply), State::complete);
    EXPECT_TRUE(reply.is_transient());
    ASSERT_EQ(parser.consume(bytes, reply), State::incomplete);
    EXPECT_FALSE(parser.idle());
    parser.reset();
    EXPECT_TRUE(parser.idle());
}

TEST(SmtpReply, TakesAnEnhancedCodeOfItsOwnClassOnly) {
    EXPECT_EQ(read_all("450 5.1.1 x\r\n"), "450||450 5.1.1 x|5.1.1 x\n\nidle");
    EXPECT_EQ(read_all("354 2.0.0 x\r\n"), "354||354 2.0.0 x|2.0.0 x\n\nidle");
}

TEST(SmtpReply, TheLastCodeCountsWhenLinesDisagree) {
    EXPECT_EQ(read_all("250-a\r\n550 b\r\n"), "550||250-a 550 b|a\nb\n\nidle");
}

TEST(SmtpReply, HidesControlsFromLogs) {
    EXPECT_EQ(read_all(std::string_view("250 a\0b\x1b[m\rc\r\r\n", 15)),
              "250||250 a?b?[m?c?|a?b?[m?c?\n\nidle");
}

TEST(SmtpReply, WithAMalformedCodeStaysMalformed) {
    for (const char* bad :
         {"\r\n", "25\r\n", "2x0 a\r\n", "150 a\r\n", "650 a\r\n", "250a\r\n", "-250 a\r\n",
          "HTTP/1.1 400\r\n", " 250 a\r\n", "250-a\r\nb\r\n", "250-a\r\n\r\n"}) {
        EXPECT_EQ(read_all(bad), "malformed") << bad;
    }
    SmtpReplyParser parser;
    SmtpReply reply;
    std::string_view bytes = "x\r\n250 a\r\n";
    ASSERT_EQ(parser.consume(bytes, reply), State::malformed);
    ASSERT_EQ(parser.consume(bytes, reply), State::malformed);
    EXPECT_EQ(bytes, "250 a\r\n");
    EXPECT_FALSE(parser.idle());
    parser.reset();
    ASSERT_EQ(parser.consume(bytes, reply), State::complete);
}

TEST(SmtpReply, KeepsTheBeginningOfALongLine) {
    const std::string line = "250 " + std::string(60'000, 'x') + "\r\n250 next\r\n";
    const std::string kept(SmtpReplyParser::kReplyLineBytesMax - 4, 'x');
    EXPECT_EQ(read_all(line), "250||250 " + kept + "|" + kept + "\n\n250||250 next|next\n\nidle");
}

TEST(SmtpReply, DoesNotEndureALineWithoutEnd) {
    const std::string most = "250 " + std::string(SmtpReplyParser::kReplyLineBytesEndured - 4, 'x');
    EXPECT_EQ(read_all(most), "waiting");
    EXPECT_NE(read_all(most + "\n"), "malformed");
    EXPECT_EQ(read_all(most + "x"), "malformed");
    EXPECT_EQ(read_all(most + "x\n250 next\n"), "malformed");
    EXPECT_EQ(read_all(std::vector<std::string_view>(1000, std::string_view(most).substr(4, 100))),
              "malformed");
}

TEST(SmtpReply, HasABoundOnItsLinesAndTexts) {
    std::string most;
    for (size_t i = 1; i < SmtpReplyParser::kReplyLinesMax; ++i)
        most += "250-" + std::string(1000, 'x') + "\r\n";
    SmtpReplyParser parser;
    SmtpReply reply;
    const std::string enough = most + "250 end\r\n";
    std::string_view bytes = enough;
    ASSERT_EQ(parser.consume(bytes, reply), State::complete);
    EXPECT_LE(reply.lines.size(), SmtpReplyParser::kReplyTextBytesMax);
    EXPECT_LE(reply.text.size(), SmtpReplyParser::kReplyTextBytesMax);
    EXPECT_EQ(read_all(most + "250-one more\r\n250 end\r\n"), "malformed");
}

TEST(SmtpReply, MeansTheSameWhereverTheBytesAreCut) {
    for (const std::string& dialogue :
         {std::string("250-host\r\n250-a\r\n250 b\r\n354 go\r\n550 5.1.1 no\r\n42"),
          std::string("220 x\r\n250-y\r\nbad\r\n"), "250 " + std::string(2044, 'x') + "\r\n250 a\n",
          "250 " + std::string(2043, 'x') + "\r\n250\n",
          "250 " + std::string(2043, 'x') + "\ry\r\n"}) {
        const std::string whole = read_all(dialogue);
        for (size_t cut = 0; cut <= dialogue.size(); ++cut) {
            const std::string_view all = dialogue;
            ASSERT_EQ(read_all(std::vector{all.substr(0, cut), all.substr(cut)}), whole)
                << "cut at " << cut;
        }
        std::vector<std::string_view> bytes;
        for (size_t i = 0; i < dialogue.size(); ++i)
            bytes.push_back(std::string_view(dialogue).substr(i, 1));
        EXPECT_EQ(read_all(bytes), whole);
    }
}

}  // namespace
}  // namespace posthaste
