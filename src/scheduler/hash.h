// scheduler/hash.h: hashes for flat_index.h.
#pragma once

#include <cstdint>
#include <string_view>

namespace posthaste {

// For numbers of our own making (ids, slab numbers).
inline uint64_t hash_of(uint64_t number) noexcept {
    number ^= number >> 30;
    number *= 0xbf58'476d'1ce4'e5b9;
    number ^= number >> 27;
    number *= 0x94d0'49bb'1331'11eb;
    return number ^ (number >> 31);
}

// For text that strangers choose: `seed` is a random number they do not see.
uint64_t hash_of(std::string_view text, uint64_t seed) noexcept;

}  // namespace posthaste
