// runtime/settings/not_done_yet.h: Postfix's parameters that protect, filter, copy, rewrite or redirect
// mail, and that nothing here obeys yet. To ignore one would send mail in clear, unfiltered or to the
// wrong place: a value that asks for it stops the start, as an unknown restriction does. A row goes
// when the parameter gets one in the table of parameters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthaste {

// What would happen, and what to do about it; nothing when the value asks for nothing that is not done.
std::optional<std::string> fault_in_ignoring(std::string_view name, std::string_view value);

// The names of all of them.
std::vector<std::string_view> not_done_yet();

}  // namespace posthaste
