// scheduler/flat_index.h: from a hash to a slab number: open addressing, linear probing, eight
// bytes a slot, at most three quarters full. It keeps 32 bits of each hash, so that growing and
// erasing never touch the objects.
//
// The caller hashes and compares. Keys that strangers choose (domains) must be hashed with a seed
// they do not know.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "scheduler/slab.h"

namespace posthaste {

class FlatIndex {
 public:
    // The number whose object `is_it(number)` accepts, or kNone.
    template <class IsIt>
    uint32_t find(uint64_t hash, IsIt&& is_it) const {
        if (slots_.empty()) return kNone;
        const auto tag = static_cast<uint32_t>(hash);
        for (size_t at = tag & mask_;; at = (at + 1) & mask_) {
            const Slot& slot = slots_[at];
            if (slot.number == kNone) return kNone;
            if (slot.tag == tag && is_it(slot.number)) return slot.number;
        }
    }

    // Not there yet: the caller has looked.
    void insert(uint64_t hash, uint32_t number) {
        if ((size_ + 1) * 4 > slots_.size() * 3) grow();
        place({number, static_cast<uint32_t>(hash)});
        ++size_;
    }

    void erase(uint64_t hash, uint32_t number) {
        const auto tag = static_cast<uint32_t>(hash);
        size_t hole = tag & mask_;
        while (slots_[hole].number != number) {
            ASSERT(slots_[hole].number != kNone);
            hole = (hole + 1) & mask_;
        }
        // Close the gap: whoever sits behind it and may sit in it moves up, so that no search ends
        // too early.
        for (size_t at = (hole + 1) & mask_; slots_[at].number != kNone; at = (at + 1) & mask_) {
            const size_t home = slots_[at].tag & mask_;
            if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
            slots_[hole] = slots_[at];
            hole = at;
        }
        slots_[hole] = {};
        --size_;
    }

    size_t size() const noexcept { return size_; }

    size_t memory_bytes() const noexcept { return slots_.capacity() * sizeof(Slot); }

 private:
    struct Slot {
        uint32_t number = kNone;
        uint32_t tag = 0;
    };

    void place(Slot slot) {
        size_t at = slot.tag & mask_;
        while (slots_[at].number != kNone) at = (at + 1) & mask_;
        slots_[at] = slot;
    }

    void grow() {
        const auto old =
            std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 64 : slots_.size() * 2));
        mask_ = slots_.size() - 1;
        for (const Slot& slot : old) {
            if (slot.number != kNone) place(slot);
        }
    }

    std::vector<Slot> slots_;
    size_t mask_ = 0;
    size_t size_ = 0;
};

}  // namespace posthaste
