// mail/body_normalizer.h: message bytes as CRLF lines, with no other CR or LF in them.
//
//   CRLF       a line end, kept
//   CR CR LF   a line end, stored as CRLF, however many CRs there are: an empty line stays one, and no
//              byte of a body becomes part of the header; saw_bare_return()
//   bare LF    a line end, stored as CRLF; saw_bare_newline()
//   bare CR    never a line end: stored as a blank (cleanup_replace_stray_cr_lf); saw_bare_return()
//
// Used as it is for the chunks of BDAT (RFC 3030), where no dot is doubled and the count says where
// the end is; DataScanner puts the dots of DATA on top. The same bytes mean the same message
// however they are cut. What needs no change goes to the sink in runs as long as what was given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace posthaste {

// Where cleaned bytes go. `bytes` is valid during the call.
class ByteSink {
 public:
    virtual void append(std::string_view bytes) = 0;

 protected:
    ~ByteSink() = default;
};

class BodyNormalizer {
 public:
    // So many CRs wait for what follows them; of more in a row all but one are blanks at once.
    static constexpr uint32_t kReturnsWaitingMax = 1000;

    void consume(std::string_view bytes, ByteSink& sink);
    // Behind the last byte: a CR that still waited becomes a blank, and a last line without an end
    // gets CRLF. Then the message is over; reset() before the next.
    void finish(ByteSink& sink);

    void reset() noexcept { *this = BodyNormalizer{}; }

    bool saw_bare_newline() const noexcept { return saw_bare_lf_; }

    bool saw_bare_return() const noexcept { return saw_bare_cr_; }

    // Of the stored lines, the one not yet ended too; line ends not counted; stays at 4 GiB.
    uint32_t longest_line_bytes() const noexcept {
        return line_bytes_ > line_bytes_max_ ? line_bytes_ : line_bytes_max_;
    }

 private:
    friend class DataScanner;

    // Stops in front of a dot at a line start, if asked to. Returns how much was taken.
    template <bool StopAtDots>
    size_t take(std::string_view bytes, ByteSink& sink);
    const char* take_returns(const char* at, const char* end, ByteSink& sink);
    void put_blanks(uint32_t count, ByteSink& sink);
    void end_line(bool with_crlf) noexcept;
    void add_to_line(size_t bytes) noexcept;

    bool at_line_start_ = true;
    bool after_crlf_ = true;    // the line before ended with CRLF, or there is none
    uint32_t crs_waiting_ = 0;  // the last bytes; not yet given to the sink
    bool saw_bare_lf_ = false;
    bool saw_bare_cr_ = false;
    uint32_t line_bytes_ = 0;
    uint32_t line_bytes_max_ = 0;
};

}  // namespace posthaste
