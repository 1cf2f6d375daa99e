// store/free_space.h: is there room on the disk to take more mail? Asked for every message,
// answered from memory; the disk itself is asked every kAskEveryUs, and what was taken since is
// subtracted. Delivery goes on below the floor: it is what makes room.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/units.h"

#include "runtime/settings/free_space_floor.h"

namespace posthaste::store {

class FreeSpace {
 public:
    static constexpr int64_t kAskEveryUs = 250 * kMsUs;
    // Free bytes; nothing when the disk does not say, which counts as enough.
    using Ask = std::function<std::optional<uint64_t>()>;

    FreeSpace(Ask ask, uint64_t floor_bytes) : ask_(std::move(ask)), floor_bytes_(floor_bytes) {}

    void set_floor(uint64_t floor_bytes) {
        floor_bytes_ = floor_bytes;
        asked_at_us_ = INT64_MIN;
    }

    bool is_enough(int64_t now_us) { return left_bytes(now_us) >= wanted_bytes(); }

    uint64_t wanted_bytes() const {
        return std::max(floor_bytes_, floor_bytes_ / 2 + reserved_bytes_);
    }

    // What QueueStore::collect_garbage may take: half the floor remains. Nothing is accepted at the
    // floor, so that the rest of what it is derived from (kFloorWriteBuffers) is not all needed.
    uint64_t copy_bytes_max(int64_t now_us) {
        const uint64_t left = left_bytes(now_us);
        return left - std::min(left, floor_bytes_ / 2);
    }

    // For copies under way. New mail leaves it alone.
    void reserve(uint64_t bytes) { reserved_bytes_ = bytes; }

    // For RocksDB to write what it holds in memory without meeting the end: two write buffers. Most
    // of it has been delivered by then, and is not written at all.
    bool is_some(int64_t now_us) { return left_bytes(now_us) >= floor_bytes_ / 8; }

    // For what is only done to be faster. What is given back when it ends (four logs, ten write
    // buffers at most) does not make it begin again.
    bool is_ample(int64_t now_us) {
        const uint64_t wanted = ample_ ? floor_bytes_ + floor_bytes_ / 2 : 3 * floor_bytes_;
        return ample_ = left_bytes(now_us) >= wanted;
    }

    uint64_t left_bytes(int64_t now_us) {
        if (asked_at_us_ == INT64_MIN || now_us - asked_at_us_ >= kAskEveryUs) {
            asked_at_us_ = now_us;
            left_bytes_ = ask_().value_or(UINT64_MAX);
        }
        return left_bytes_;
    }

    void take(uint64_t bytes) { left_bytes_ -= std::min(bytes, left_bytes_); }

 private:
    Ask ask_;
    uint64_t floor_bytes_;
    int64_t asked_at_us_ = INT64_MIN;
    uint64_t left_bytes_ = UINT64_MAX;  // at the last look, less what was taken since
    uint64_t reserved_bytes_ = 0;
    bool ample_ = true;
};

// Of the file system that holds `directory`, as seen by an ordinary user. The directory stays open.
FreeSpace::Ask ask_file_system(const char* directory);

}  // namespace posthaste::store
