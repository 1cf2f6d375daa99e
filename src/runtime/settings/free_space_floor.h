// runtime/settings/free_space_floor.h: how many free bytes the queue's disk must have for mail to be
// accepted. The store keeps to it, `posthaste status` tells of it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "runtime/settings/settings.h"

namespace posthaste {

// RocksDB takes the disk in steps, and meeting its end is the end of the process. Below the floor it
// may still need all at once, in units of store_write_buffer_size: three memtables of each family
// (6), a log and its successor (2.5), and the same again where tables are merged.
inline constexpr uint64_t kFloorWriteBuffers = 16;

// The largest of what Postfix asks for and our own floor.
inline uint64_t free_space_floor(const Settings& settings) {
    const auto bytes = [&](std::string_view name) {
        return static_cast<uint64_t>(std::max<int64_t>(settings.integer(name), 0));
    };
    const uint64_t message = bytes("message_size_limit");
    uint64_t floor_bytes = bytes("store_free_space_floor");
    if (floor_bytes == 0) floor_bytes = kFloorWriteBuffers * bytes("store_write_buffer_size");
    return std::max({bytes("queue_minfree"), message + message / 2, floor_bytes});
}

}  // namespace posthaste
