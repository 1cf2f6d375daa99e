// tests/fuzz/fuzz.h: what every fuzz target shares.
//
// A target checks properties with ASSERT, which aborts in every build. The input's first bytes may
// choose (a policy, where to cut); printable ones, so that seeds can be written by hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace posthaste::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// Takes one byte off the front; 0 when there is none.
inline uint8_t take_choice(std::string_view& input) {
    if (input.empty()) return 0;
    const auto choice = static_cast<uint8_t>(input.front());
    input.remove_prefix(1);
    return choice;
}

// The next bytes, as many as there are of those.
inline std::string_view take_bytes(std::string_view& input, size_t wanted) {
    const std::string_view out = input.substr(0, wanted);
    input.remove_prefix(out.size());
    return out;
}

// The same bytes in pieces of 0 to 15 bytes; the seed says where the cuts are.
inline std::vector<std::string_view> cut(std::string_view bytes, uint8_t seed) {
    std::vector<std::string_view> pieces;
    uint32_t random = 2'654'435'761U * (seed + 1U);
    while (!bytes.empty()) {
        random = random * 1'664'525U + 1'013'904'223U;
        pieces.push_back(bytes.substr(0, random >> 28));
        bytes.remove_prefix(pieces.back().size());
    }
    return pieces;
}

inline bool is_inside(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

inline bool has_control(std::string_view text) {
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) return true;
    }
    return false;
}

}  // namespace posthaste::fuzz
