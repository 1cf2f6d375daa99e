// mail/delay_text.h: delays as Postfix logs them: two significant digits, "0.05", "1.2", "35", "0"
// below its resolution (delay_logging_resolution_limit = 2 digits behind the point). Rounded half
// up; a whole number of seconds from ten on; no zeros at the end.
#pragma once

#include <cstdint>
#include <string>

namespace posthaste {

// Less than nothing (a clock that was set back) reads "0".
std::string delay_text(int64_t delay_us);

}  // namespace posthaste
