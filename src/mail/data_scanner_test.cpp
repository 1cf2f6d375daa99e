#include "mail/data_scanner.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <ostream>
#include <string>
#include <vector>

#include "mail/data_scanner_model.h"

namespace posthaste {

namespace data_model {

// Found by Google Test through the namespace of its argument.
static void PrintTo(const Outcome& outcome, std::ostream* out) {
    *out << testing::PrintToString(outcome.stored) << " consumed " << outcome.consumed << " done "
         << outcome.done << " lf " << outcome.bare_lf << " cr " << outcome.bare_cr << " longest "
         << outcome.longest_line_bytes;
}

}  // namespace data_model

namespace {

using data_model::Collector;
using data_model::model;
using data_model::Outcome;
using data_model::scan;

constexpr BareNewline kPolicies[] = {BareNewline::normalize, BareNewline::note, BareNewline::reject,
                                     BareNewline::no};

// Every text of CR, LF, dot and a letter, up to the given length.
template <class Check>
void for_each_text(size_t size_max, Check&& check) {
    constexpr std::string_view kAlphabet = "\r\n.a";
    for (size_t size = 0; size <= size_max; ++size) {
        std::string text(size, '\0');
        for (size_t number = 0; number < (size_t{1} << (2 * size)); ++number) {
            for (size_t i = 0; i < size; ++i) text[i] = kAlphabet[(number >> (2 * i)) & 3];
            check(text);
            if (testing::Test::HasFatalFailure()) return;
        }
    }
}

TEST(DataScanner, AgreesWithTheRulesOnEveryShortTextHoweverItIsCut) {
    for_each_text(7, [](const std::string& text) {
        const std::string_view all = text;
        std::vector<std::string_view> bytes;
        for (size_t i = 0; i < all.size(); ++i) bytes.push_back(all.substr(i, 1));
        for (const BareNewline policy : kPolicies) {
            const Outcome expected = model(policy, all, true);
            ASSERT_EQ(scan(policy, all), expected) << testing::PrintToString(text);
            ASSERT_EQ(scan(policy, bytes), expected) << testing::PrintToString(text);
            for (size_t cut = 1; cut < all.size(); ++cut) {
                ASSERT_EQ(scan(policy, {all.substr(0, cut), all.substr(cut)}), expected)
                    << testing::PrintToString(text) << " cut at " << cut;
            }
        }
    });
}

TEST(DataScanner, EndsAtDotBetweenCrlfOnly) {
    for (const BareNewline policy :
         {BareNewline::normalize, BareNewline::note, BareNewline::reject}) {
        for (const char* smuggled : {"a\n.\nb", "a\n.\r\nb", "a\r\n.\nb", "a\r.\rb", "a\r\n.\rb",
                                     "a\r\n..\r\nb", "a.\r\nb"}) {
            EXPECT_FALSE(scan(policy, smuggled).done) << smuggled;
        }
        const Outcome end = scan(policy, "a\r\n.\r\nMAIL");
        EXPECT_TRUE(end.done);
        EXPECT_EQ(end.consumed, 6U);
        EXPECT_EQ(end.stored, "a\r\n");
        EXPECT_TRUE(scan(policy, ".\r\n").done);
        EXPECT_TRUE(scan(policy, "a\n.\r\n.\r\n").done);
    }
    EXPECT_TRUE(scan(BareNewline::no, "a\n.\nb").done);
    EXPECT_TRUE(scan(BareNewline::no, "a\n.\r\nb").done);
    EXPECT_TRUE(scan(BareNewline::no, ".\nb").done);
}

TEST(DataScanner, KeepsALoneDotThatIsNotTheEnd) {
    EXPECT_EQ(scan(BareNewline::normalize, "a\n.\r\nb\r\n").stored, "a\r\n.\r\nb\r\n");
    EXPECT_EQ(scan(BareNewline::normalize, "a\r\n.\nb\r\n").stored, "a\r\n.\r\nb\r\n");
}

TEST(DataScanner, TakesOneDotFromTheBeginningOfALine) {
    EXPECT_EQ(scan(BareNewline::normalize, "..\r\n...\r\n.a\r\na.\r\n.").stored,
              ".\r\n..\r\na\r\na.\r\n");
}

TEST(DataScanner, ReadsNothingBehindTheEnd) {
    DataScanner scanner(BareNewline::normalize);
    Collector sink;
    EXPECT_EQ(scanner.consume("a\r\n.\r\n.\r\nQUIT\r\n", sink), 6U);
    EXPECT_EQ(scanner.consume("more", sink), 0U);
    EXPECT_EQ(sink.bytes, "a\r\n");
}

TEST(DataScanner, GivesCleanTextInOneRun) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "a line as most are, with a . inside\r\n";
    DataScanner scanner(BareNewline::normalize);
    Collector sink;
    scanner.consume(text, sink);
    EXPECT_EQ(sink.bytes, text);
    EXPECT_EQ(sink.runs, 1U);
}

TEST(BodyNormalizer, AgreesWithTheRulesOnEveryShortTextHoweverItIsCut) {
    const auto normalize = [](const std::vector<std::string_view>& pieces) {
        BodyNormalizer lines;
        Collector sink;
        for (const std::string_view piece : pieces) lines.consume(piece, sink);
        lines.finish(sink);
        return Outcome{sink.bytes,
                       0,
                       false,
                       lines.saw_bare_newline(),
                       lines.saw_bare_return(),
                       lines.longest_line_bytes()};
    };
    for_each_text(7, [&](const std::string& text) {
        const std::string_view all = text;
        // The end of the message is known here: a last line is ended, and last CRs are bare.
        Outcome expected = model(BareNewline::normalize, all, false);
        if (!all.empty() && all.back() == '\r') {
            const size_t line = all.rfind('\n');
            const size_t line_bytes =
                line == std::string_view::npos ? all.size() : all.size() - line - 1;
            const size_t before = all.find_last_not_of('\r');
            expected.stored.append(
                before == std::string_view::npos ? all.size() : all.size() - 1 - before, ' ');
            expected.bare_cr = true;
            expected.longest_line_bytes =
                std::max(expected.longest_line_bytes, static_cast<uint32_t>(line_bytes));
        }
        if (!all.empty() && all.back() != '\n') expected.stored += "\r\n";
        expected.consumed = 0;
        ASSERT_EQ(normalize({all}), expected) << testing::PrintToString(text);
        for (size_t cut = 1; cut < all.size(); ++cut) {
            ASSERT_EQ(normalize({all.substr(0, cut), all.substr(cut)}), expected)
                << testing::PrintToString(text) << " cut at " << cut;
        }
    });
}

// Else an empty line that ends so would be no end of the header, and the body's first lines fields.
TEST(BodyNormalizer, SeveralReturnsBeforeALineFeedAreOneLineEnd) {
    const auto stored = [](std::string_view text) {
        data_model::Collector sink;
        BodyNormalizer lines;
        lines.consume(text, sink);
        EXPECT_TRUE(lines.saw_bare_return());
        lines.finish(sink);
        return sink.bytes;
    };
    EXPECT_EQ(stored("Subject: x\r\r\n\r\r\nBcc: y\r\r\r\r\n"), "Subject: x\r\n\r\nBcc: y\r\n");
    EXPECT_EQ(stored("a\r\rb\r\n"), "a  b\r\n");
    const size_t many = 3 * BodyNormalizer::kReturnsWaitingMax;
    EXPECT_EQ(stored(std::string(many, '\r') + "b\r\n"), std::string(many, ' ') + "b\r\n");
    const std::string ended = stored(std::string(many, '\r') + "\n");
    EXPECT_EQ(ended.find_first_not_of(' '), ended.size() - 2) << "blanks and one line end";
}

TEST(BodyNormalizer, LeavesDotsAloneAndEndsTheLastLine) {
    BodyNormalizer lines;
    Collector sink;
    lines.consume("..a\r\n.\r\nb", sink);
    lines.finish(sink);
    EXPECT_EQ(sink.bytes, "..a\r\n.\r\nb\r\n");
    EXPECT_FALSE(lines.saw_bare_newline());
    lines.reset();
    lines.consume("\r", sink);
    EXPECT_FALSE(lines.saw_bare_return());
    lines.finish(sink);
    EXPECT_TRUE(lines.saw_bare_return());
}

TEST(DotStuffer, MakesWhatDataScannerReadsBack) {
    for_each_text(6, [](const std::string& text) {
        // What the store holds: CRLF lines.
        BodyNormalizer lines;
        Collector stored;
        lines.consume(text, stored);
        lines.finish(stored);
        for (size_t cut = 0; cut <= stored.bytes.size(); ++cut) {
            DotStuffer stuffer;
            std::string sent;
            const auto put = [&](std::string_view bytes) { sent += bytes; };
            stuffer.feed(std::string_view(stored.bytes).substr(0, cut), put);
            stuffer.feed(std::string_view(stored.bytes).substr(cut), put);
            sent += stuffer.end();
            const Outcome read = scan(BareNewline::reject, sent);
            ASSERT_TRUE(read.done) << testing::PrintToString(text);
            ASSERT_EQ(read.consumed, sent.size()) << testing::PrintToString(text);
            ASSERT_EQ(read.stored, stored.bytes) << testing::PrintToString(text);
        }
    });
}

TEST(DotStuffer, EndsALastLineWithoutItsLineEnd) {
    DotStuffer stuffer;
    std::string sent;
    stuffer.feed("a", [&](std::string_view bytes) { sent += bytes; });
    EXPECT_EQ(sent + std::string(stuffer.end()), "a\r\n.\r\n");
    stuffer.reset();
    EXPECT_EQ(stuffer.end(), ".\r\n");
}

}  // namespace
}  // namespace posthaste
