// lookup/pattern_file.h: "/path/to/file" among a list's patterns: its lines hold more of them.
#pragma once

#include <functional>
#include <string_view>

#include "lookup/table.h"

namespace posthaste {

// A file may name another; this deep and no deeper, so that two that name each other end.
inline constexpr unsigned kPatternFileDepthMax = 4;

// Hands each logical line to `add`, which answers false with report.error set when it is faulty;
// the error is then given its file:line. False also when the file can not be read.
bool add_patterns_from(std::string_view path, OpenReport& report,
                       const std::function<bool(std::string_view)>& add);

// "example.com  # ours": a word that begins with '#' ends its line of patterns, with a warning. As
// in Postfix; taken for patterns the words behind it would open what nobody meant to open.
bool is_comment_in_list(std::string_view item, OpenReport& report);

}  // namespace posthaste
