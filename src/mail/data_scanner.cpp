#include "mail/data_scanner.h"

namespace posthaste {

// The dot and what follows it are held back until it is known what they mean; then they go through
// the line rules like any other bytes, or are dropped. at_line_start_ is cleared first, so that a
// dot that is given back is not found again.
size_t DataScanner::consume(std::string_view bytes, Sink& sink) {
    size_t at = 0;
    while (at < bytes.size() && state_ != State::done) {
        switch (state_) {
            case State::text:
                at += lines_.take<true>(bytes.substr(at), sink);
                if (at < bytes.size()) {
                    ++at;
                    lines_.at_line_start_ = false;
                    state_ = State::dot;
                }
                break;
            case State::dot:
                if (bytes[at] == '\r') {
                    ++at;
                    state_ = State::dot_cr;
                } else if (bytes[at] == '\n' && policy_ == BareNewline::no) {
                    ++at;
                    ended_with_bare_lf_ = true;
                    state_ = State::done;
                } else {
                    if (bytes[at] == '\n') lines_.consume(".", sink);
                    state_ = State::text;  // the byte is read there, without the dot before it
                }
                break;
            case State::dot_cr:
                if (bytes[at] == '\n' && may_end_with_crlf()) {
                    ++at;
                    state_ = State::done;
                } else {
                    lines_.consume(bytes[at] == '\n' ? ".\r" : "\r", sink);
                    state_ = State::text;
                }
                break;
            case State::done:
                break;
        }
    }
    return at;
}

}  // namespace posthaste
