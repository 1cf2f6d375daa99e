#include "scheduler/retry_wheel.h"

#include <algorithm>
#include <bit>

namespace posthaste {

RetryWheel::RetryWheel(MessageTable& table, uint32_t now_s)
    : table_(table), next_s_(now_s), moving_(table.make_list()) {
    for (uint32_t& list : slots_) list = table.make_list();
}

void RetryWheel::set_occupied(unsigned level, unsigned index, bool occupied) noexcept {
    const unsigned bit = level * kSlots + index;
    const uint64_t mask = uint64_t{1} << (bit % 64);
    occupied_[bit / 64] = occupied ? occupied_[bit / 64] | mask : occupied_[bit / 64] & ~mask;
}

unsigned RetryWheel::next_occupied(unsigned level, unsigned from) const noexcept {
    for (unsigned word = from / 64; word < kSlots / 64; ++word) {
        uint64_t bits = occupied_[level * (kSlots / 64) + word];
        if (word == from / 64) bits &= ~uint64_t{0} << (from % 64);
        if (bits != 0) return word * 64 + static_cast<unsigned>(std::countr_zero(bits));
    }
    return kSlots;
}

void RetryWheel::place(uint32_t node) {
    const uint64_t due_s = table_[node].due_s < next_s_ ? next_s_ : table_[node].due_s;
    const uint64_t difference = due_s ^ next_s_;
    const unsigned level =
        difference == 0 ? 0 : static_cast<unsigned>(std::bit_width(difference) - 1) / 8;
    // Beyond the 32 bits of a due time nothing is ever placed; a clock that runs into 2106 keeps
    // its mail due.
    const unsigned in_range = level < kLevels ? level : 0;
    const unsigned index = digit(due_s, in_range);
    table_.push_back(slot(in_range, index), node);
    set_occupied(in_range, index, true);
}

void RetryWheel::add(uint32_t node) { place(node); }

// Brings down what hung at a higher level for the block of time that begins here.
void RetryWheel::move_to(uint64_t second) {
    next_s_ = second;
    for (unsigned level = kLevels - 1; level > 0; --level) {
        if ((second & ((uint64_t{1} << (8 * level)) - 1)) != 0) continue;
        const unsigned index = digit(second, level);
        const uint32_t list = slot(level, index);
        // Each finds its place at a lower level, since it no longer differs in this byte.
        for (uint32_t node = table_.front(list); node != kNone; node = table_.front(list)) {
            table_.unlink(node);
            place(node);
        }
        set_occupied(level, index, false);
    }
}

void RetryWheel::advance(uint32_t now_s, uint32_t out) {
    while (next_s_ <= now_s) {
        const unsigned index = next_occupied(0, digit(next_s_, 0));
        const uint64_t block_end = next_s_ | 255;
        const uint64_t found = index == kSlots ? block_end + 1 : (next_s_ & ~uint64_t{255}) | index;
        if (found > now_s) return move_to(uint64_t{now_s} + 1);
        if (index != kSlots) {
            table_.splice_back(out, slot(0, index));
            set_occupied(0, index, false);
            move_to(found + 1);
        } else {
            move_to(found);
        }
    }
}

void RetryWheel::flush(uint32_t out) {
    for (const uint32_t list : slots_) table_.splice_back(out, list);
    occupied_.fill(0);
}

void RetryWheel::set_back(uint32_t now_s, uint32_t due_s_max) {
    flush(moving_);
    next_s_ = now_s;
    for (uint32_t node = table_.front(moving_); node != kNone; node = table_.front(moving_)) {
        table_.unlink(node);
        MessageNode& it = table_[node];
        if (it.due_s > due_s_max) {
            it.due_s = due_s_max;
            it.other_clock = true;
        }
        place(node);
    }
}

uint32_t RetryWheel::next_due_s() const noexcept {
    for (unsigned level = 0; level < kLevels; ++level) {
        const unsigned from = digit(next_s_, level) + (level == 0 ? 0 : 1);
        const unsigned index = from < kSlots ? next_occupied(level, from) : kSlots;
        if (index == kSlots) continue;
        const uint64_t block_mask = (uint64_t{1} << (8 * (level + 1))) - 1;
        return static_cast<uint32_t>((next_s_ & ~block_mask) | (uint64_t{index} << (8 * level)));
    }
    return kNone;
}

}  // namespace posthaste
