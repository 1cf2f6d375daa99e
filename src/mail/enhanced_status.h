// mail/enhanced_status.h: RFC 3463 status codes ("5.1.1") at the beginning of a reply's text.
#pragma once

#include <string_view>

namespace posthaste {

// The code that `text` begins with, as a view into it; empty when it begins with none. A code is
// class 2, 4 or 5, then subject and detail of one to three digits each, and ends at a blank or with
// the text.
std::string_view enhanced_status_of(std::string_view text) noexcept;

}  // namespace posthaste
