#include "mail/backoff.h"

#include <algorithm>

namespace posthaste {

int64_t backoff_us(uint32_t attempts, BackoffLimits limits, uint64_t random) noexcept {
    const int64_t minimal_us = std::max<int64_t>(limits.minimal_us, 0);
    const int64_t maximal_us = std::max(limits.maximal_us, minimal_us);
    int64_t centre_us = minimal_us;
    // 63 doublings of anything reach any maximum.
    for (uint32_t doubled = std::min(attempts, 64U); doubled > 1 && centre_us < maximal_us;
         --doubled) {
        centre_us = centre_us > maximal_us / 2 ? maximal_us : centre_us * 2;
    }
    const int64_t width_us = std::min(centre_us / 4, maximal_us - minimal_us);
    const int64_t low_us = std::clamp(centre_us - width_us / 2, minimal_us, maximal_us - width_us);
    return low_us + static_cast<int64_t>(random % (static_cast<uint64_t>(width_us) + 1));
}

}  // namespace posthaste
