// mail/date.h: dates as mail and logs write them. The offset from UTC is given, never asked of the
// system. Times outside the years 0 to 9999 are shown as the nearest second inside.
#pragma once

#include <cstdint>
#include <string>

namespace posthaste {

// RFC 5322: "Sun, 22 Nov 2026 07:30:00 +0000 (UTC)", the day of the month padded with a blank, as
// Postfix does. zone_name may be empty or null.
std::string rfc5322_date(int64_t wall_us, int32_t utc_offset_s, const char* zone_name);
// Log lines: "Nov 22 07:30:00" (day padded with a blank).
std::string log_date(int64_t wall_us, int32_t utc_offset_s);
// postqueue -p, as asctime cut to 19 characters: "Sun Nov 22 07:30:00".
std::string listing_date(int64_t wall_us, int32_t utc_offset_s);

struct CivilTime {
    int32_t year, month, day, hour, minute, second;
    int32_t weekday;  // 0 = Sunday
};

CivilTime civil_time(int64_t unix_s) noexcept;

}  // namespace posthaste
