// runtime/settings/edit.h: `postconf -e`: changes main.cf and leaves everything else in it as the
// administrator wrote it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace posthaste {

// The file's text with each name set to its value: the last definition is replaced in its place
// (earlier ones, which never held, go), a new name is appended. Comments, blank lines and order
// stay.
std::string edited_main_cf(std::string_view text,
                           const std::vector<std::pair<std::string, std::string>>& values);

// `postconf -X` and `-#`: without every definition of these names, or with each line of them made a
// comment.
enum class Disposal : uint8_t { remove, comment_out };
std::string main_cf_without(std::string_view text, const std::vector<std::string>& names,
                            Disposal disposal);

}  // namespace posthaste
