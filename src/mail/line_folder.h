// mail/line_folder.h: breaks lines of a message that are longer than SMTP allows (RFC
// 5321 4.5.3.1.6: 998 bytes and CRLF), as Postfix's smtp_line_length_limit does: CRLF and a blank
// are put in, so that a long header field stays one field. Lines that fit pass in runs as long as
// what was given.
//
// Fed with the message's bytes in order, cut anywhere; they are CRLF lines (body_normalizer.h).
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace posthaste {

class LineFolder {
 public:
    // Without the line's end. 0: nothing is broken.
    explicit LineFolder(size_t line_bytes_max) noexcept
        : line_bytes_max_(line_bytes_max == 0 ? 0 : std::max(line_bytes_max, kLineBytesMin)) {}

    // Calls put(std::string_view) with pieces of `bytes` and the breaks between them.
    template <class Put>
    void feed(std::string_view bytes, Put&& put);

    bool has_broken() const noexcept { return has_broken_; }

 private:
    static constexpr size_t kLineBytesMin = 16;
    static constexpr std::string_view kBreak = "\r\n ";

    size_t line_bytes_max_;
    size_t line_bytes_ = 0;  // of the line at hand, already fed
    bool has_broken_ = false;
};

template <class Put>
void LineFolder::feed(std::string_view bytes, Put&& put) {
    if (line_bytes_max_ == 0) return put(bytes);
    size_t begin = 0;
    size_t at = 0;
    while (at < bytes.size()) {
        const size_t newline = bytes.find('\n', at);
        const size_t end = std::min(newline, bytes.size());
        for (;;) {
            const size_t room = line_bytes_max_ - std::min(line_bytes_, line_bytes_max_);
            // A CR is the first byte of the line's end and belongs to it.
            if (end - at <= room || bytes[at + room] == '\r') break;
            at += room;
            if (at > begin) put(bytes.substr(begin, at - begin));
            put(kBreak);
            has_broken_ = true;
            begin = at;
            line_bytes_ = 1;  // the blank
        }
        line_bytes_ = newline == std::string_view::npos ? line_bytes_ + (end - at) : 0;
        at = newline == std::string_view::npos ? bytes.size() : newline + 1;
    }
    if (begin < bytes.size()) put(bytes.substr(begin));
}

}  // namespace posthaste
