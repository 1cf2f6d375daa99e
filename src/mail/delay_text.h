// mail/delay_text.h: delays as Postfix logs them: two significant digits, "0.05", "1.2", "35", "0" below
// its resolution (delay_logging_resolution_limit = 2 digits behind the point).
#pragma once

#include <cstdint>
#include <string>

namespace posthaste {

std::string delay_text(int64_t delay_us);

}  // namespace posthaste
