#include "ingress/smtpd/message_memory.h"

#include <algorithm>

#include "base/deliberate_bug.h"

namespace posthaste::smtpd {

bool MessageMemory::is_short() const noexcept {
    if (loop_.now_us() < queue_full_until_us_) return true;
    return short_since_us_ != kNeverUs && loop_.now_us() - short_since_us_ >= kShortAfterUs;
}

void MessageMemory::on_answer(uint16_t code) noexcept {
    if (code == 452) queue_full_until_us_ = loop_.now_us() + kQueueFullUs;
    if (code == 250) queue_full_until_us_ = 0;
}

std::optional<uint32_t> MessageMemory::allocate() {
    const auto block = arena_.allocate();
    if (!block && short_since_us_ == kNeverUs) short_since_us_ = loop_.now_us();
    return block;
}

void MessageMemory::free(std::span<const uint32_t> blocks) {
    for (const uint32_t block : blocks) arena_.free(block);
    if (!blocks.empty()) wake_waiters();
}

void MessageMemory::wait(Waiter& waiter) {
    if (short_since_us_ == kNeverUs) short_since_us_ = loop_.now_us();
    if (std::find(waiters_.begin(), waiters_.end(), &waiter) == waiters_.end())
        waiters_.push_back(&waiter);
}

void MessageMemory::stop_waiting(Waiter& waiter) {
    if (!waiters_.empty()) std::erase(waiters_, &waiter);
}

void MessageMemory::quarantine(std::span<const uint32_t> blocks, uint32_t cleanup_incarnation) {
    for (const uint32_t block : blocks) arena_.quarantine(block, cleanup_incarnation);
}

void MessageMemory::release_quarantine(uint32_t cleanup_incarnation) {
    if (has_bug(DeliberateBug::leak_blocks)) return;
    arena_.release_quarantine(cleanup_incarnation);
    wake_waiters();
}

// As many as there are blocks; whoever finds them taken again asks again.
void MessageMemory::wake_waiters() {
    if (short_since_us_ != kNeverUs && arena_.blocks_free() > arena_.blocks_total() / 8)
        short_since_us_ = kNeverUs;
    const size_t count = std::min<size_t>(waiters_.size(), arena_.blocks_free());
    if (count == 0) return;
    const std::vector<Waiter*> woken(waiters_.begin(),
                                     waiters_.begin() + static_cast<std::ptrdiff_t>(count));
    waiters_.erase(waiters_.begin(), waiters_.begin() + static_cast<std::ptrdiff_t>(count));
    for (Waiter* waiter : woken) waiter->on_room();
}

}  // namespace posthaste::smtpd
