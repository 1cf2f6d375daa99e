// mail/data_scanner.h: the bytes after DATA, up to the end-of-data line (RFC 5321 4.1.1.4, 4.5.2).
//
// One pass over what arrived: finds <CRLF>.<CRLF>, removes the dot that the client doubled, and
// turns every bare LF and bare CR into what the policy says. The same bytes mean the same message
// however they are cut.
//
// smtpd_forbid_bare_newline (Postfix 3.9):
//   normalize  a bare LF ends a line and is stored as CRLF, but end-of-data is CRLF.CRLF only
//   note       the same, and the session notes it
//   reject     the message is read to its true end and refused; saw_bare_newline() says so
//   no         end-of-data also as LF.LF, LF.CRLF (what made smuggling possible)
//
// A bare CR (CR without LF) is never a line end. It is stored as a blank, as
// cleanup_replace_stray_cr_lf does. Several CRs before an LF are one line end with it.
//
// A line of one dot that is not end-of-data (LF.CRLF) is content and stays a dot: nothing the
// client wrote is lost, and on the way out DotStuffer doubles it.
#pragma once

#include <cstdint>
#include <string_view>

#include "mail/body_normalizer.h"

namespace posthaste {

enum class BareNewline : uint8_t { normalize, note, reject, no };

class DataScanner {
 public:
    using Sink = ByteSink;

    explicit DataScanner(BareNewline policy) noexcept : policy_(policy) {}

    // Returns how many bytes belong to the message, end-of-data line included; done() then says
    // whether the end was among them. Bytes behind the end are not touched. What was consumed is in
    // the sink, but for a dot and CRs that only the next bytes explain.
    size_t consume(std::string_view bytes, Sink& sink);

    bool done() const noexcept { return state_ == State::done; }

    bool saw_bare_newline() const noexcept {
        return ended_with_bare_lf_ || lines_.saw_bare_newline();
    }

    bool saw_bare_return() const noexcept { return lines_.saw_bare_return(); }

    uint32_t longest_line_bytes() const noexcept { return lines_.longest_line_bytes(); }

 private:
    //   text ──'.' at line start──► dot ──CR──► dot_cr ──LF──► done
    //     ▲                          │             │
    //     └───── anything else, or a dot that may not end the message ◄─┘
    enum class State : uint8_t { text, dot, dot_cr, done };

    bool may_end_with_crlf() const noexcept {
        return policy_ == BareNewline::no || lines_.after_crlf_;
    }

    BodyNormalizer lines_;
    BareNewline policy_;
    State state_ = State::text;
    bool ended_with_bare_lf_ = false;
};

// The way back: doubles dots at line starts for sending. Keeps its place between pieces; end() is
// "\r\n.\r\n" or ".\r\n" as the last line needs.
//
// Body bytes in the store are always CRLF lines (DataScanner and the BDAT path see to it), so the
// only work on the way out is a dot at a line start.
class DotStuffer {
 public:
    // Calls put(std::string_view) with pieces of `bytes` and the dots between them.
    template <class Put>
    void feed(std::string_view bytes, Put&& put);

    std::string_view end() const noexcept { return at_line_start_ ? ".\r\n" : "\r\n.\r\n"; }

    void reset() noexcept { at_line_start_ = true; }

 private:
    bool at_line_start_ = true;
};

template <class Put>
void DotStuffer::feed(std::string_view bytes, Put&& put) {
    size_t begin = 0;
    size_t at = 0;
    while (at < bytes.size()) {
        if (at_line_start_ && bytes[at] == '.') {
            put(bytes.substr(begin, at + 1 - begin));
            begin = at;  // the dot goes out once more with what follows
        }
        const size_t newline = bytes.find('\n', at);
        if (newline == std::string_view::npos) {
            at_line_start_ = false;
            at = bytes.size();
            break;
        }
        at_line_start_ = true;
        at = newline + 1;
    }
    if (begin < bytes.size()) put(bytes.substr(begin));
}

}  // namespace posthaste
