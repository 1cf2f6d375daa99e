// mail/xtext.h: RFC 3461 section 4 xtext ("+2B" for '+').
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthaste {

std::string to_xtext(std::string_view text);
std::optional<std::string> from_xtext(std::string_view text);   // nothing for a bad escape or a bare control

}  // namespace posthaste
