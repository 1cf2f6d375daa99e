// tests/fuzz/line_mutator.h: how libFuzzer changes a conversation: whole lines come, go, are said
// twice or in another order, so that it gets far into a session; and half of the time single bytes,
// as for any other input.
//
// POSTHASTE_LINE_MUTATOR(head, lines): the first `head` bytes are choices, not part of a line.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#ifdef POSTHASTE_FUZZ

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max);

namespace posthaste::fuzz {

inline size_t mutate_lines(uint8_t* data, size_t size, size_t size_max, unsigned seed, size_t head,
                           std::span<const std::string_view> words) {
    std::minstd_rand random(seed);
    const auto below = [&](size_t bound) { return bound == 0 ? 0 : random() % bound; };
    if (size < head || below(2) == 0) return LLVMFuzzerMutate(data, size, size_max);

    const std::string text(reinterpret_cast<const char*>(data), size);
    std::vector<std::string> lines;
    for (size_t at = head; at < size;) {
        const size_t end = std::min(text.find('\n', at), size - 1) + 1;
        lines.push_back(text.substr(at, end - at));
        at = end;
    }
    const size_t changes = 1 + below(3);
    for (size_t i = 0; i < changes; ++i) {
        const size_t at = below(lines.size() + 1);
        const auto place = lines.begin() + static_cast<std::ptrdiff_t>(at);
        if (at == lines.size() || below(2) == 0) {
            lines.emplace(place, words[below(words.size())]);
        } else if (const size_t how = below(3); how == 0) {
            lines.erase(place);
        } else if (how == 1) {
            std::swap(lines[at], lines[below(lines.size())]);
        } else {
            lines.insert(place, std::string(*place));
        }
    }
    std::string out = text.substr(0, head);
    for (const std::string& line : lines) out += line;
    out.resize(std::min(out.size(), size_max));
    std::memcpy(data, out.data(), out.size());
    return out.size();
}

}  // namespace posthaste::fuzz

#define POSTHASTE_LINE_MUTATOR(head, lines)                                                \
    extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max, \
                                              unsigned seed) {                             \
        return posthaste::fuzz::mutate_lines(data, size, size_max, seed, head, lines);     \
    }

#else
#define POSTHASTE_LINE_MUTATOR(head, lines)
#endif
