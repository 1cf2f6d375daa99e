// runtime/channel_layout.h: what lies in a channel's shared memory, version 1. Little-endian. An
// agreement between processes, so sizes and places are fixed and asserted; only channel.cpp, its
// tests and readers for people include it.
//
//   offset  size  field                       written by the segment's owner alone
//        0     8  magic "phring01"
//        8     4  layout version = 1
//       12     4  ring_bytes (power of two)
//      128     8  tail         bytes ever published, own ring
//      256     8  head         bytes ever consumed, the peer's ring
//      384     8  sleep count  odd: the owner sleeps, ring its doorbell
//      512     8  wants room   0, or: ring the doorbell when the consumer's head reaches this
//     4096     -  ring_bytes of records
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/channel.h"

namespace posthaste {

inline constexpr uint64_t kSegmentMagic = 0x3130'676e'6972'6870;  // "phring01"
inline constexpr uint32_t kSegmentLayoutVersion = 1;
inline constexpr size_t kSlotsOffset = 4096;
// Two lines: the adjacent-line prefetcher pairs them.
inline constexpr size_t kIndexSpacing = 2 * kCacheLine;

struct Segment::Header {
    uint64_t magic;
    uint32_t layout_version;
    uint32_t ring_bytes;
    alignas(kIndexSpacing) std::atomic<uint64_t> tail;
    alignas(kIndexSpacing) std::atomic<uint64_t> head;
    alignas(kIndexSpacing) std::atomic<uint64_t> sleep_count;
    alignas(kIndexSpacing) std::atomic<uint64_t> wants_room;
};

static_assert(offsetof(Segment::Header, layout_version) == 8 &&
              offsetof(Segment::Header, ring_bytes) == 12);
static_assert(offsetof(Segment::Header, tail) == 128 && offsetof(Segment::Header, head) == 256);
static_assert(offsetof(Segment::Header, sleep_count) == 384 &&
              offsetof(Segment::Header, wants_room) == 512);
static_assert(sizeof(Segment::Header) == 640 && sizeof(Segment::Header) <= kSlotsOffset);
static_assert(std::atomic<uint64_t>::is_always_lock_free && sizeof(std::atomic<uint64_t>) == 8);

// In front of each record; read and written as one number.
struct RecordHeader {
    uint32_t size;   // of the body, unpadded
    uint16_t type;   // 0: filler up to the ring's end
    uint16_t flags;  // 0
};

static_assert(sizeof(RecordHeader) == 8 && alignof(RecordHeader) <= 8);

inline constexpr uint16_t kFillerType = 0;
inline constexpr uint64_t kRecordAlignment = 8;

constexpr uint64_t record_span(uint64_t body_bytes) noexcept {
    return (sizeof(RecordHeader) + body_bytes + kRecordAlignment - 1) & ~(kRecordAlignment - 1);
}

}  // namespace posthaste
