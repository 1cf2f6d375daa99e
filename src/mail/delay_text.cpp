#include "mail/delay_text.h"

#include <charconv>

#include "base/units.h"

namespace posthaste {

std::string delay_text(int64_t delay_us) {
    if (delay_us <= 0) return "0";
    int64_t resolution_us = kSecondUs;
    if (delay_us < kSecondUs) {
        resolution_us = kSecondUs / 100;
    } else if (delay_us < 10 * kSecondUs) {
        resolution_us = kSecondUs / 10;
    }
    // Counted in steps of the resolution first, so that the largest delay cannot overflow.
    int64_t steps = delay_us / resolution_us;
    if (delay_us % resolution_us >= resolution_us / 2) ++steps;
    const int64_t steps_per_second = kSecondUs / resolution_us;

    char text[32];
    char* end = std::to_chars(text, text + 24, steps / steps_per_second).ptr;
    const auto hundredths = (steps % steps_per_second) * (100 / steps_per_second);
    if (hundredths > 0) {
        *end++ = '.';
        *end++ = static_cast<char>('0' + hundredths / 10);
        if (hundredths % 10 > 0) *end++ = static_cast<char>('0' + hundredths % 10);
    }
    return std::string(text, end);
}

}  // namespace posthaste
