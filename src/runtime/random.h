// runtime/random.h: a loop's random numbers (SplitMix64): spread and jitter, repeatable from a
// seed. Not for secrets.
#pragma once

#include <cstdint>

namespace posthaste {

class Random {
 public:
    explicit Random(uint64_t seed) noexcept : state_(seed) {}

    uint64_t next() noexcept {
        uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }

    // [0, limit); limit > 0. The bias is below limit / 2^64.
    uint64_t below(uint64_t limit) noexcept { return next() % limit; }

 private:
    uint64_t state_;
};

}  // namespace posthaste
