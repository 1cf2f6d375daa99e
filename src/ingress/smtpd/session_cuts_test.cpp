// The same bytes must mean the same conversation however TCP cuts them; smuggling lives in the
// cuts.
//
// Pipelining is not forbidden here: whether the client waited is the one thing that the cuts do
// tell.
#include <gtest/gtest.h>

#include "ingress/smtpd/session_testing.h"

namespace posthaste::smtpd {
namespace {

using namespace std::string_literals;  // for NUL

struct Outcome {
    std::string replies;
    std::vector<std::string> logged;
    std::vector<StringWorld::Message> messages;
    bool closed;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome outcome_of(const std::vector<std::string_view>& pieces, const SmtpdSettings& settings) {
    Dialogue dialogue(settings);
    dialogue.start();
    for (const std::string_view piece : pieces) dialogue.say(piece);
    // How much of the input was shown with the complaint depends on the cut and is allowed to.
    std::erase_if(dialogue.world.logged,
                  [](const std::string& line) { return line.starts_with("improper"); });
    return {dialogue.world.replies, dialogue.world.logged, dialogue.world.messages,
            dialogue.world.closed};
}

const std::string kDialogues[] = {
    "EHLO me\r\nMAIL FROM:<a@b.test> SIZE=10\r\nRCPT TO:<c@example.com>\r\nRCPT "
    "TO:<x@y.test>\r\nDATA\r\nS: x\r\n\r\n"
    "..a\r\n.b\r\nc\n.\nd\r\n.\ne\r.\rf\r\r\n\n.\r\n.\r\n.\r\n..\r\n.\r\nQUIT\r\n",
    "HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nBDAT 10\r\na\nb\rc\r\nd\r\rBDAT "
    "2\r\n\n.BDAT 3 LAST\r\n\r\nxMAIL FROM:<>\r\n"
    "RCPT TO:<c@example.com>\r\nBDAT 1\r\nyBDAT 1 LAST\r\nxQUIT\r\n",
    "BDAT 5\r\nabcdeBDAT 5 LAST\r\nabcdeNOOP\nRSET\r\nFOO\r\n\r\nMAIL\r\nRCPT "
    "TO:<a@example.com>\r\nDATA\r\nMAIL FROM:<a b@c>\r\n"
    "VRFY a@example.com\r\nHELO\r\nXCLIENT x\r\nBDAT x\r\n",
    "EHLO me\r\nNOOP " + std::string(505, 'x') + "\r\nNOOP " + std::string(507, 'x') + "\r\nNOOP " +
        std::string(508, 'x') + "\r\n" + std::string(700, 'y') + "\nNOOP\r\r\nQUIT\r\n",
    "EHLO a\0b\r\nMAIL FROM:<\xC3\xA4@b.test> SMTPUTF8\r\nRCPT "
    "TO:<\xC3\xA4@example.com>\r\nRCPT TO:<\xC3@example.com>\r\n"
    "DATA\r\n\xFF\0\r\n.\r\nGET / HTTP/1.0\r\nNOOP\r\n"s,
};

SmtpdSettings settings_with(std::string_view overrides) {
    return Dialogue::settings_with(
        "smtpd_forbid_unauth_pipelining = no\nline_length_limit = 512\n" + std::string(overrides));
}

struct SmtpSessionCuts : ::testing::TestWithParam<std::string_view> {
    const SmtpdSettings settings = settings_with(GetParam());
};

TEST_P(SmtpSessionCuts, RepliesAndMessagesDoNotDependOnOneCut) {
    for (const std::string& dialogue : kDialogues) {
        const Outcome whole = outcome_of({dialogue}, settings);
        for (size_t cut = 1; cut < dialogue.size(); ++cut) {
            const std::string_view view = dialogue;
            ASSERT_EQ(outcome_of({view.substr(0, cut), view.substr(cut)}, settings), whole)
                << "cut at " << cut << " of\n"
                << dialogue;
        }
    }
}

TEST_P(SmtpSessionCuts, RepliesAndMessagesDoNotDependOnPieceSize) {
    for (const std::string& dialogue : kDialogues) {
        const Outcome whole = outcome_of({dialogue}, settings);
        for (const size_t piece_bytes : {1U, 2U, 3U, 5U, 17U}) {
            std::vector<std::string_view> pieces;
            for (size_t at = 0; at < dialogue.size(); at += piece_bytes) {
                pieces.push_back(std::string_view(dialogue).substr(at, piece_bytes));
            }
            ASSERT_EQ(outcome_of(pieces, settings), whole) << piece_bytes << " at a time of\n"
                                                           << dialogue;
        }
    }
}

TEST(SmtpSessionCutsInput, HoldsMessagesAtAll) {
    const SmtpdSettings settings = settings_with({});
    EXPECT_EQ(outcome_of({kDialogues[0]}, settings).messages.size(), 1U);
    EXPECT_EQ(outcome_of({kDialogues[1]}, settings).messages.size(), 2U);
    EXPECT_EQ(outcome_of({kDialogues[4]}, settings).messages.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Policies, SmtpSessionCuts,
                         ::testing::Values("", "smtpd_forbid_bare_newline = reject\n",
                                           "smtpd_forbid_bare_newline = no\n",
                                           "smtpd_forbid_bare_newline = note\n",
                                           "message_size_limit = 20\n",
                                           "smtpd_hard_error_limit = 3\n"));

}  // namespace
}  // namespace posthaste::smtpd
