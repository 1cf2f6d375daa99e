// runtime/timer_wheel.h: deadlines, set and cancelled in constant time. Hierarchical wheel, 4
// levels of 256 slots, tick_us each at the lowest; occupancy bitmaps find the next non-empty slot,
// so that an idle process sleeps until there is cause. Intrusive: a Timer belongs to whoever waits,
// sits in at most one wheel, and cancels itself when it goes.
//
// A timer sits on the level of the highest byte in which its tick differs from the present one, and
// moves down as the present reaches its slot. Timers of the same tick are therefore always in the
// same list, in order:
//
//   present tick 00 00 00 10
//   deadline's   00 00 00 2a | 00 00 03 2a | 00 04 03 2a | 05 04 03 2a | beyond 2^32 ticks
//                level 0     | level 1     | level 2     | level 3     | far list
//                slot 2a     | slot 03     | slot 04     | slot 05     |
//
// Does not fire early; fires late by up to one tick. Deadlines further than the wheel reaches wait
// in a list of their own and are placed again. Order within a tick is the order of setting. One
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace posthaste {

class TimerWheel;

class Timer {
 public:
    using Run = void (*)(void* owner);

    Timer(Run run, void* owner) noexcept : run_(run), owner_(owner) {}

    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    ~Timer() { cancel(); }

    bool is_set() const noexcept { return wheel_ != nullptr; }

    int64_t deadline_us() const noexcept { return deadline_us_; }

    void cancel() noexcept;

 private:
    friend class TimerWheel;
    Run run_;
    void* owner_;
    TimerWheel* wheel_ = nullptr;
    Timer* next_ = nullptr;
    Timer** previous_next_ = nullptr;  // the pointer that points at us
    int64_t deadline_us_ = 0;
    uint16_t list_ = 0;  // level * 256 + slot, or one of the wheel's other lists
};

// Timer timer_{timer_calls<&Session::on_timeout, Session>(), this};
template <auto Method, class Owner>
Timer::Run timer_calls() noexcept {
    return [](void* self) { (static_cast<Owner*>(self)->*Method)(); };
}

class TimerWheel {
 public:
    static constexpr int64_t kTickUs = 4 * kMsUs;

    explicit TimerWheel(int64_t now_us, int64_t tick_us = kTickUs) noexcept;
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;
    ~TimerWheel();  // unsets what is left

    // Sets or moves. A deadline that has passed fires at the next advance().
    void set(Timer& timer, int64_t deadline_us) noexcept;
    // Runs every timer whose deadline is ≤ now_us; each is unset before it runs and may be set
    // again by its run, which then waits for the next advance(). Returns how many ran.
    size_t advance(int64_t now_us);
    // When advance() next has something to do; kNeverUs when nothing is set. May be early by what
    // cascading needs.
    int64_t next_deadline_us() const noexcept;

    size_t size() const noexcept { return size_; }

 private:
    friend class Timer;
    static constexpr unsigned kLevels = 4;
    static constexpr unsigned kSlots = 256;
    // Lists beside the slots: beyond the wheel's reach; already passed when set; taken out, running
    // now.
    static constexpr unsigned kFarList = kLevels * kSlots;
    static constexpr unsigned kPassedList = kFarList + 1;
    static constexpr unsigned kRunningList = kPassedList + 1;
    static constexpr unsigned kLists = kRunningList + 1;

    struct NextSlot {
        unsigned list;  // kLists: nothing is set
        int64_t tick;   // when it must be looked at
    };

    int64_t tick_of(int64_t deadline_us) const noexcept;
    void place(Timer& timer) noexcept;
    void append(Timer& timer, unsigned list) noexcept;
    void unlink(Timer& timer) noexcept;
    NextSlot next_slot() const noexcept;
    void take(unsigned list) noexcept;

    int64_t tick_us_;
    int64_t tick_;  // the last tick that was advanced to
    size_t size_ = 0;
    std::array<Timer*, kLists> heads_{};
    std::array<Timer**, kLists> tails_;  // the last one's next pointer, or the head
    std::array<uint64_t, kLevels * kSlots / 64> occupied_{};
};

}  // namespace posthaste
