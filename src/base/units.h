// base/units.h: units of time and size as plain numbers. Every name that holds one ends in its
// unit.
//
// Two clocks exist, both asked from the Loop and never from the kernel behind its back: now_us
// (steady, for waiting) and wall_us (microseconds since 1970, for mail, logs and what is written to
// disk).
#pragma once

#include <cstdint>

namespace posthaste {

inline constexpr int64_t kMsUs = 1'000;
inline constexpr int64_t kSecondUs = 1'000'000;
inline constexpr int64_t kMinuteUs = 60 * kSecondUs;
inline constexpr int64_t kHourUs = 60 * kMinuteUs;
inline constexpr int64_t kDayUs = 24 * kHourUs;
inline constexpr int64_t kNeverUs = INT64_MAX;

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

}  // namespace posthaste
