// store/free_space.h: is there room on the disk to take more mail? Asked for every message,
// answered from memory; the disk itself is asked every kAskEveryUs. Delivery goes on below the
// floor: it is what makes room.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/units.h"

#include "runtime/settings/settings.h"

namespace posthaste::store {

// The largest of what Postfix asks for and our own floor, which leaves RocksDB room for logs and
// tables.
inline uint64_t free_space_floor(const Settings& settings) {
    const auto bytes = [&](std::string_view name) {
        return static_cast<uint64_t>(std::max<int64_t>(settings.integer(name), 0));
    };
    const uint64_t message = bytes("message_size_limit");
    return std::max(
        {bytes("queue_minfree"), message + message / 2, bytes("store_free_space_floor")});
}

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

    bool is_enough(int64_t now_us) {
        if (asked_at_us_ == INT64_MIN || now_us - asked_at_us_ >= kAskEveryUs) {
            asked_at_us_ = now_us;
            enough_ = ask_().value_or(UINT64_MAX) >= floor_bytes_;
        }
        return enough_;
    }

 private:
    Ask ask_;
    uint64_t floor_bytes_;
    int64_t asked_at_us_ = INT64_MIN;
    bool enough_ = true;
};

// Of the file system that holds `directory`, as seen by an ordinary user. The directory stays open.
FreeSpace::Ask ask_file_system(const char* directory);

}  // namespace posthaste::store
