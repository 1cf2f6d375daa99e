#include "runtime/timer_wheel.h"

#include <bit>

#include "base/assert.h"

namespace posthaste {

void Timer::cancel() noexcept {
    if (wheel_ == nullptr) return;
    wheel_->unlink(*this);
    --wheel_->size_;
    wheel_ = nullptr;
}

TimerWheel::TimerWheel(int64_t now_us, int64_t tick_us) noexcept
    : tick_us_(tick_us), tick_(now_us / tick_us) {
    ASSERT(tick_us > 0);
    ASSERT(now_us >= 0);
    for (unsigned list = 0; list < kLists; ++list) tails_[list] = &heads_[list];
}

TimerWheel::~TimerWheel() {
    for (Timer* timer : heads_) {
        for (; timer != nullptr; timer = timer->next_) timer->wheel_ = nullptr;
    }
}

int64_t TimerWheel::tick_of(int64_t deadline_us) const noexcept {
    if (deadline_us <= 0) return 0;
    return deadline_us / tick_us_ + (deadline_us % tick_us_ != 0);  // not early: round up
}

void TimerWheel::set(Timer& timer, int64_t deadline_us) noexcept {
    timer.cancel();
    timer.wheel_ = this;
    timer.deadline_us_ = deadline_us;
    ++size_;
    place(timer);
}

void TimerWheel::place(Timer& timer) noexcept {
    const int64_t due = tick_of(timer.deadline_us_);
    if (due <= tick_) return append(timer, kPassedList);
    const auto differing = static_cast<uint64_t>(due ^ tick_);
    const auto level = static_cast<unsigned>(std::bit_width(differing) - 1) / 8;
    if (level >= kLevels) return append(timer, kFarList);
    append(timer, level * kSlots + static_cast<unsigned>((due >> (8 * level)) & (kSlots - 1)));
}

void TimerWheel::append(Timer& timer, unsigned list) noexcept {
    timer.list_ = static_cast<uint16_t>(list);
    timer.next_ = nullptr;
    timer.previous_next_ = tails_[list];
    *tails_[list] = &timer;
    tails_[list] = &timer.next_;
    if (list < kFarList) occupied_[list / 64] |= uint64_t{1} << (list % 64);
}

void TimerWheel::unlink(Timer& timer) noexcept {
    const unsigned list = timer.list_;
    *timer.previous_next_ = timer.next_;
    if (timer.next_ != nullptr) {
        timer.next_->previous_next_ = timer.previous_next_;
    } else {
        tails_[list] = timer.previous_next_;
    }
    if (heads_[list] == nullptr && list < kFarList)
        occupied_[list / 64] &= ~(uint64_t{1} << (list % 64));
}

// The lowest level that holds anything holds what comes first: higher levels differ from the
// present in a higher byte.
TimerWheel::NextSlot TimerWheel::next_slot() const noexcept {
    constexpr unsigned kWords = kSlots / 64;
    for (unsigned level = 0; level < kLevels; ++level) {
        for (unsigned word = 0; word < kWords; ++word) {
            const uint64_t bits = occupied_[level * kWords + word];
            if (bits == 0) continue;
            const unsigned slot = word * 64 + static_cast<unsigned>(std::countr_zero(bits));
            const int64_t above = tick_ >> (8 * level + 8);
            return {level * kSlots + slot, ((above << 8) | slot) << (8 * level)};
        }
    }
    if (heads_[kFarList] == nullptr) return {kLists, 0};
    return {kFarList, ((tick_ >> (8 * kLevels)) + 1) << (8 * kLevels)};
}

// A slot whose time has come: what is due runs, the rest moves down.
void TimerWheel::take(unsigned list) noexcept {
    // Placing again may append to the far list itself: stop at what was last when we began.
    Timer** const end = tails_[list];
    for (bool more = heads_[list] != nullptr; more;) {
        Timer& timer = *heads_[list];
        more = &timer.next_ != end;
        unlink(timer);
        if (tick_of(timer.deadline_us_) <= tick_) {
            append(timer, kRunningList);
        } else {
            place(timer);
        }
    }
}

size_t TimerWheel::advance(int64_t now_us) {
    DCHECK(heads_[kRunningList] == nullptr);
    take(kPassedList);
    const int64_t target = now_us / tick_us_;
    while (tick_ < target) {
        const NextSlot next = next_slot();
        if (next.list == kLists || next.tick > target) {
            tick_ = target;
            break;
        }
        tick_ = next.tick;
        take(next.list);
    }
    // The present has moved before anybody runs: whatever is set from now on waits for the next
    // advance().
    size_t ran = 0;
    while (Timer* const timer = heads_[kRunningList]) {
        timer->cancel();
        ++ran;
        timer->run_(timer->owner_);
    }
    return ran;
}

int64_t TimerWheel::next_deadline_us() const noexcept {
    if (heads_[kPassedList] != nullptr) return tick_ * tick_us_;
    const NextSlot next = next_slot();
    if (next.list == kLists) return kNeverUs;
    return next.tick > kNeverUs / tick_us_ ? kNeverUs : next.tick * tick_us_;
}

}  // namespace posthaste
