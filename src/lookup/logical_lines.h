// lookup/logical_lines.h: the line syntax that all of Postfix's text files share.
//
//   # a comment, wherever the first visible character is '#'
//   key   value                  a logical line begins with a visible character
//         more of the value      and goes on with lines that begin with a blank
//
// Empty lines and comments do not end a logical line. CRLF counts as LF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace posthaste {

class LogicalLines {
 public:
    explicit LogicalLines(std::string_view text) noexcept : rest_(text) {}

    // The next logical line into `line`, joined with its continuations and trimmed; never empty.
    // False at the end.
    bool next(std::string& line);

    // Where the line last returned began, from 1.
    size_t number() const noexcept { return number_; }

    // It begins with a blank though there is nothing before that it could continue.
    bool orphan() const noexcept { return orphan_; }

 private:
    std::string_view peek(size_t& consumed) const noexcept;

    std::string_view rest_;
    size_t physical_ = 0;
    size_t number_ = 0;
    bool orphan_ = false;
};

// A regular file's text, at most text_bytes_max.
Result<std::string> read_text_file(const std::string& path, size_t text_bytes_max);

}  // namespace posthaste
