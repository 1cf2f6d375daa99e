// mail/backoff.h: when to try again. Pure arithmetic: the random bits are the caller's, so that a
// simulation can give the same ones twice.
//
//   attempts so far   1      2       3       4      5       …
//   centre            300 s  600 s   1200 s  2400 s 4000 s  4000 s   minimal, doubled, maximal
//
// The wait is spread evenly over a quarter of the centre's length around it, moved inside
// [minimal, maximal]: mail that failed together does not come back together, which Postfix's does.
#pragma once

#include <cstdint>

namespace posthaste {

struct BackoffLimits {
    int64_t minimal_us;  // minimal_backoff_time
    int64_t maximal_us;  // maximal_backoff_time; below minimal it counts as minimal
};

// `attempts` counts those that failed, the last one included; 0 is taken as 1. The result lies
// within [minimal_us, maximal_us] for any input.
int64_t backoff_us(uint32_t attempts, BackoffLimits limits, uint64_t random) noexcept;

}  // namespace posthaste
