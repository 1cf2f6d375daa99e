// scheduler/retry_wheel.h: messages by the second at which they are due. Four levels of 256 slots,
// one for each byte of the unix second: a message hangs at the level of the highest byte in which
// its time differs from now, and comes down a level when that byte is reached. Adding takes
// constant time, a second costs what is due in it.
//
//   level 3  2  1  0
//       [..][..][..][..]   a slot is a list of the MessageTable; a bitmap a level finds the next one that holds something
//
// Exact: what is due at second s comes out at the first advance() with now_s ≥ s, and never before.
// Wall-clock seconds, since that is what is on disk; a clock set forward brings what has become
// due, and of one that was set back the wheel must be told.
#pragma once

#include <array>
#include <cstdint>

#include "scheduler/message_table.h"

namespace posthaste {

class RetryWheel {
 public:
    RetryWheel(MessageTable& table, uint32_t now_s);

    // By its due_s; a second that was given out already counts as the next one.
    void add(uint32_t node);
    // Appends what is due at or before now_s to the list `out`, in order of seconds.
    void advance(uint32_t now_s, uint32_t out);
    // Everything, whatever its time, in no order.
    void flush(uint32_t out);
    // The clock was set back to now_s: times begin there again. What is due later than due_s_max is
    // due then, and marked.
    void set_back(uint32_t now_s, uint32_t due_s_max);

    // The first second that has not been given out.
    uint64_t next_s() const noexcept { return next_s_; }

    // When to call advance() next; may be early (a level is brought down), never late. kNone when
    // nothing waits.
    uint32_t next_due_s() const noexcept;

 private:
    static constexpr unsigned kLevels = 4;
    static constexpr unsigned kSlots = 256;

    static unsigned digit(uint64_t second, unsigned level) noexcept {
        return (second >> (8 * level)) & 255;
    }

    uint32_t slot(unsigned level, unsigned index) const noexcept {
        return slots_[level * kSlots + index];
    }

    // The first occupied slot at or after `from`, kSlots when there is none.
    unsigned next_occupied(unsigned level, unsigned from) const noexcept;
    void set_occupied(unsigned level, unsigned index, bool occupied) noexcept;
    void place(uint32_t node);
    void move_to(uint64_t second);

    MessageTable& table_;
    uint64_t next_s_;
    uint32_t moving_;  // a list: what set_back() is at
    std::array<uint32_t, kLevels * kSlots> slots_{};
    // A bit may be set for a list that was emptied by unlinking; never the other way round.
    std::array<uint64_t, kLevels * kSlots / 64> occupied_{};
};

}  // namespace posthaste
