#include "mail/data_scanner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace posthaste {
namespace {

constexpr BareNewline kPolicies[] = {BareNewline::normalize, BareNewline::note, BareNewline::reject,
                                     BareNewline::no};

struct Collector final : ByteSink {
    std::string bytes;
    size_t runs = 0;

    void append(std::string_view more) override {
        bytes += more;
        ++runs;
    }
};

struct Outcome {
    std::string stored;
    size_t consumed = 0;
    bool done = false;
    bool bare_lf = false;
    bool bare_cr = false;
    uint32_t longest_line_bytes = 0;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

void PrintTo(const Outcome& outcome, std::ostream* out) {
    *out << testing::PrintToString(outcome.stored) << " consumed " << outcome.consumed << " done " << outcome.done
         << " lf " << outcome.bare_lf << " cr " << outcome.bare_cr << " longest " << outcome.longest_line_bytes;
}

Outcome scan(BareNewline policy, const std::vector<std::string_view>& pieces) {
    DataScanner scanner(policy);
    Collector sink;
    Outcome outcome;
    for (const std::string_view piece : pieces) outcome.consumed += scanner.consume(piece, sink);
    outcome.stored = sink.bytes;
    outcome.done = scanner.done();
    outcome.bare_lf = scanner.saw_bare_newline();
    outcome.bare_cr = scanner.saw_bare_return();
    outcome.longest_line_bytes = scanner.longest_line_bytes();
    return outcome;
}

Outcome scan(BareNewline policy, std::string_view bytes) {
    return scan(policy, std::vector{bytes});
}

// What the rules say, one line and one byte at a time, with the whole input at hand. `data` adds the dots
// of DATA; without it these are the rules of BDAT.
Outcome model(BareNewline policy, std::string_view in, bool data) {
    Outcome out;
    bool before_was_crlf = true;
    size_t at = 0;
    while (at < in.size()) {
        const size_t newline = in.find('\n', at);
        const bool ended = newline != std::string_view::npos;
        std::string_view line = in.substr(at, ended ? newline - at : std::string_view::npos);
        const bool crlf = ended && !line.empty() && line.back() == '\r';
        if (crlf) line.remove_suffix(1);

        if (data && line == "." && ended) {
            const bool is_end = policy == BareNewline::no || (crlf && before_was_crlf);
            if (is_end) {
                if (!crlf) out.bare_lf = true;
                out.consumed = newline + 1;
                out.done = true;
                return out;
            }
        } else if (data && !line.empty() && line[0] == '.') {
            line.remove_prefix(1);      // doubled by the client, or all that has arrived of a line
        }
        // The input's last CR says nothing yet.
        if (!ended && !line.empty() && line.back() == '\r') line.remove_suffix(1);

        std::string text(line);
        if (text.find('\r') != std::string::npos) out.bare_cr = true;
        std::replace(text.begin(), text.end(), '\r', ' ');
        out.stored += text;
        out.longest_line_bytes = std::max(out.longest_line_bytes, static_cast<uint32_t>(text.size()));
        if (!ended) break;
        out.stored += "\r\n";
        if (!crlf) out.bare_lf = true;
        before_was_crlf = crlf;
        at = newline + 1;
    }
    out.consumed = in.size();
    return out;
}

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
    for (const BareNewline policy : {BareNewline::normalize, BareNewline::note, BareNewline::reject}) {
        for (const char* smuggled : {"a\n.\nb", "a\n.\r\nb", "a\r\n.\nb", "a\r.\rb", "a\r\n.\rb", "a\r\n..\r\nb", "a.\r\nb"}) {
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
    EXPECT_EQ(scan(BareNewline::normalize, "..\r\n...\r\n.a\r\na.\r\n.").stored, ".\r\n..\r\na\r\na.\r\n");
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
        return Outcome{sink.bytes, 0, false, lines.saw_bare_newline(), lines.saw_bare_return(),
                       lines.longest_line_bytes()};
    };
    for_each_text(7, [&](const std::string& text) {
        const std::string_view all = text;
        // The end of the message is known here: a last line is ended, and a last CR is bare.
        Outcome expected = model(BareNewline::normalize, all, false);
        if (!all.empty() && all.back() == '\r') {
            const size_t line = all.rfind('\n');
            const size_t line_bytes = line == std::string_view::npos ? all.size() : all.size() - line - 1;
            expected.stored += ' ';
            expected.bare_cr = true;
            expected.longest_line_bytes = std::max(expected.longest_line_bytes, static_cast<uint32_t>(line_bytes));
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
