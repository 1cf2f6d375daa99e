#include "scheduler/hash.h"

#include <xxhash.h>

namespace posthaste {

uint64_t hash_of(std::string_view text, uint64_t seed) noexcept {
    return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

}  // namespace posthaste
