#include "mail/date.h"

#include <algorithm>
#include <cstdio>

#include "base/units.h"

namespace posthaste {
namespace {

constexpr const char* kWeekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr int64_t kDayS = 86'400;
constexpr int64_t kYear0S = -62'167'219'200;
constexpr int64_t kYear9999EndS = 253'402'300'799;
constexpr int32_t kUtcOffsetMaxS = 24 * 3600 - 1;

int64_t floor_div(int64_t a, int64_t b) noexcept { return a / b - (a % b < 0 ? 1 : 0); }

CivilTime local_time(int64_t wall_us, int32_t utc_offset_s) noexcept {
    const int32_t offset_s = std::clamp(utc_offset_s, -kUtcOffsetMaxS, kUtcOffsetMaxS);
    return civil_time(floor_div(wall_us, kSecondUs) + offset_s);
}

template <class... Args>
std::string formatted(const char* format, Args... args) {
    char text[96];
    const int size = std::snprintf(text, sizeof text, format, args...);
    return std::string(text, static_cast<size_t>(std::clamp<int>(size, 0, sizeof text - 1)));
}

}  // namespace

// Days are counted in eras of 400 years that begin on 1 March, so that the leap day is the last of
// a year.
CivilTime civil_time(int64_t unix_s) noexcept {
    unix_s = std::clamp(unix_s, kYear0S, kYear9999EndS);
    const int64_t days = floor_div(unix_s, kDayS);
    const auto second_of_day = static_cast<int32_t>(unix_s - days * kDayS);
    const int64_t since_era_0 = days + 719'468;  // days since 0000-03-01
    const int64_t era = floor_div(since_era_0, 146'097);
    const auto day_of_era = static_cast<int32_t>(since_era_0 - era * 146'097);
    const int32_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const int32_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int32_t month_from_march = (5 * day_of_year + 2) / 153;
    const int32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    CivilTime time{};
    time.year = static_cast<int32_t>(year_of_era + era * 400) + (month <= 2 ? 1 : 0);
    time.month = month;
    time.day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    time.hour = second_of_day / 3600;
    time.minute = second_of_day / 60 % 60;
    time.second = second_of_day % 60;
    time.weekday = static_cast<int32_t>(((days + 4) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
    return time;
}

std::string rfc5322_date(int64_t wall_us, int32_t utc_offset_s, const char* zone_name) {
    const CivilTime t = local_time(wall_us, utc_offset_s);
    const int32_t offset_minutes = std::clamp(utc_offset_s, -kUtcOffsetMaxS, kUtcOffsetMaxS) / 60;
    const int32_t magnitude = offset_minutes < 0 ? -offset_minutes : offset_minutes;
    std::string date = formatted("%s, %2d %s %04d %02d:%02d:%02d %c%02d%02d", kWeekdays[t.weekday],
                                 t.day, kMonths[t.month - 1], t.year, t.hour, t.minute, t.second,
                                 offset_minutes < 0 ? '-' : '+', magnitude / 60, magnitude % 60);
    if (zone_name != nullptr && zone_name[0] != '\0')
        date.append(" (").append(zone_name).append(")");
    return date;
}

std::string log_date(int64_t wall_us, int32_t utc_offset_s) {
    const CivilTime t = local_time(wall_us, utc_offset_s);
    return formatted("%s %2d %02d:%02d:%02d", kMonths[t.month - 1], t.day, t.hour, t.minute,
                     t.second);
}

std::string listing_date(int64_t wall_us, int32_t utc_offset_s) {
    const CivilTime t = local_time(wall_us, utc_offset_s);
    return formatted("%s %s %2d %02d:%02d:%02d", kWeekdays[t.weekday], kMonths[t.month - 1], t.day,
                     t.hour, t.minute, t.second);
}

}  // namespace posthaste
