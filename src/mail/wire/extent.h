// mail/wire/extent.h: where message bytes lie in somebody's arena.
#pragma once

#include <cstdint>

namespace posthaste::wire {

// A run of bytes over consecutive blocks of one arena: `length` bytes from `offset` within
// `first_block`. The arena is named by its owner's incarnation: a number that master gives to each
// process it starts and never twice, so an extent of a dead process can not be mistaken for one of
// its successor. Foreign numbers: the reader checks them against the arena as mapped
// (runtime/arena.h ArenaView::bytes()).
struct Extent {
    uint32_t incarnation = 0;
    uint32_t first_block = 0;
    uint32_t offset = 0;
    uint32_t length = 0;

    template <class Codec>
    void visit(Codec& codec) {
        codec(incarnation);
        codec(first_block);
        codec(offset);
        codec(length);
    }
};

static_assert(sizeof(Extent) == 16);

// 16 KiB blocks, each possibly on its own: enough for a message of 128 MiB.
inline constexpr uint32_t kExtentsMax = 8192;

// What the extents of one message may sum up to. A list is foreign and may name the same bytes over
// and over: whoever copies them checks the sum first.
inline constexpr uint64_t kContentBytesMax = uint64_t{kExtentsMax} * 16 * 1024;

}  // namespace posthaste::wire
