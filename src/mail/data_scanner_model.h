// mail/data_scanner_model.h: for tests only. What the rules of data_scanner.h say, written the slow
// and plain way, with the whole input at hand; data_scanner_test.cpp and the fuzz target compare
// with it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mail/data_scanner.h"

namespace posthaste::data_model {

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

inline Outcome scan(BareNewline policy, const std::vector<std::string_view>& pieces) {
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

inline Outcome scan(BareNewline policy, std::string_view bytes) {
    return scan(policy, std::vector{bytes});
}

// One line at a time. `data` adds the dots of DATA; without it these are the rules of BDAT before
// finish().
inline Outcome model(BareNewline policy, std::string_view in, bool data) {
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
            line.remove_prefix(1);  // doubled by the client, or all that has arrived of a line
        }
        // CRs before a line's end belong to it; the input's last ones say nothing yet. Of a great
        // many all but the last ones are blanks already.
        size_t returns = crlf ? 1 : 0;
        while (!line.empty() && line.back() == '\r' && (crlf || !ended)) {
            line.remove_suffix(1);
            ++returns;
        }
        constexpr size_t kStep = BodyNormalizer::kReturnsWaitingMax - 1;
        const size_t early = returns > kStep ? (returns - 1) / kStep * kStep : 0;

        std::string text(line);
        text.append(early, '\r');
        if (ended && returns > 1) out.bare_cr = true;
        if (text.find('\r') != std::string::npos) out.bare_cr = true;
        std::replace(text.begin(), text.end(), '\r', ' ');
        out.stored += text;
        out.longest_line_bytes =
            std::max(out.longest_line_bytes, static_cast<uint32_t>(text.size()));
        if (!ended) break;
        out.stored += "\r\n";
        if (!crlf) out.bare_lf = true;
        before_was_crlf = crlf;
        at = newline + 1;
    }
    out.consumed = in.size();
    return out;
}

}  // namespace posthaste::data_model
