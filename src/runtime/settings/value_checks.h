// runtime/settings/value_checks.h: checks of text parameters whose mistakes would only be noticed
// with the first mail.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runtime/settings/settings.h"

namespace posthaste {

// What is wrong with an expanded text and how to mend it; nothing when it is good or nobody here
// knows.
std::optional<std::string> fault_in_meaning(std::string_view name, std::string_view value);

// An open relay is refused before it opens: one of the two lists asked at RCPT TO must deny
// relaying.
std::optional<std::string> fault_in_relaying(const Settings& settings);
// Pauses that would shrink as they grow.
std::optional<std::string> fault_in_backoff(const Settings& settings);

}  // namespace posthaste
