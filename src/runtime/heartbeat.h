// runtime/heartbeat.h: a process's sign that its loop comes round, in its counter page, for master
// to look at.
//
//   even: within a turn        odd: asleep until something happens
//
// A number that moves is life. One that stands still is sleep when it is odd, a turn that does not
// end when it is even. Two relaxed stores a turn, and nothing at all while there is nothing to do:
// nobody is woken to be asked how he is. (That a sleeper has been stopped, only the kernel knows:
// Child::is_hung().)
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/counters.h"
#include "runtime/loop.h"

namespace posthaste {

class Heartbeat final : public TurnListener {
 public:
    // Both outlive this.
    Heartbeat(Loop& loop, CounterPage& page) : loop_(loop), beat_(page.beat) {
        loop_.add_listener(*this);
    }

    ~Heartbeat() { loop_.remove_listener(*this); }

    Heartbeat(const Heartbeat&) = delete;
    Heartbeat& operator=(const Heartbeat&) = delete;

    static bool is_asleep(uint64_t beat) noexcept { return beat % 2 == 1; }

    void on_turn_end() override { show(count_ += 2); }

    bool before_sleep() override {
        show(count_ + 1);
        return false;
    }

    void after_sleep() override { show(count_ += 2); }

 private:
    void show(uint64_t beat) noexcept { beat_.store(beat, std::memory_order_relaxed); }

    Loop& loop_;
    std::atomic<uint64_t>& beat_;
    uint64_t count_ = 0;  // the page is ours to write alone, but what is told is kept here
};

}  // namespace posthaste
