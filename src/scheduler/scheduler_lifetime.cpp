// Mail whose lifetime has ended where nobody looks: in line for a place in the active queue or at a
// site, or in a flow that does not move. Everything else meets its end at an attempt, since the last
// one is due then (defer_until).
#include <algorithm>

#include "scheduler/scheduler.h"

namespace posthaste {

namespace {

constexpr int64_t kSweepEveryUs = kMinuteUs;
constexpr uint32_t kNodesASweep = 1 << 18;  // 10 MiB of nodes

}  // namespace

bool Scheduler::is_overdue(const Message& message) const {
    return expires_wall_us(message) + kOverdueUs <= outside_.wall_us();
}

// An id is as old as its message, or older: who seems overdue by it is loaded, and looked at.
void Scheduler::on_sweep_timer() {
    timers_.set(sweep_timer_, outside_.now_us() + kSweepEveryUs);
    if (draining_ || !store_up_) return;
    const int64_t lifetime_us = std::min(config_.lifetime_us, config_.null_sender_lifetime_us);
    const int64_t born_us = outside_.wall_us() - lifetime_us - kOverdueUs;
    const uint32_t second = now_s();
    for (uint32_t left = std::min(kNodesASweep, table_.end()); left > 0; --left) {
        if (++sweep_at_ >= table_.end()) sweep_at_ = 0;
        MessageNode& it = table_[sweep_at_];
        const bool in_line =
            it.place == Place::parked || (it.place == Place::listed && it.due_s <= second);
        if (!in_line || it.overdue || it.deaths > 0 || born_us < 0 ||
            it.id > static_cast<uint64_t>(born_us))
            continue;
        if (it.place == Place::parked) {
            take_from_parked(sweep_at_);
            it.place = Place::listed;
        } else {
            table_.unlink(sweep_at_);
        }
        it.overdue = true;
        it.no_room = 0;
        table_.push_back(overdue_, sweep_at_);
    }
    expire_queued();
    outside_.want_dispatch();
}

void Scheduler::expire_queued() {
    for (uint32_t entry = 0; entry < entries_.end(); ++entry) {
        const Entry& it = entries_[entry];
        const bool waits = it.state == EntryState::queued || it.state == EntryState::resting;
        if (!waits || !is_overdue(messages_[it.message])) continue;
        const uint32_t index = it.message;
        const uint32_t destination = it.destination;
        unqueue(entry);
        Message& message = messages_[index];
        for (uint32_t i = 0; i < it.count; ++i)
            message.recipients[message.order[it.first + i]].fate = Fate::unsettled;
        free_entry(entry);
        expire(index);
        unpark(destination);
    }
}

// Everybody who has not begun.
void Scheduler::expire(uint32_t index) {
    Message& message = messages_[index];
    for (uint32_t number = 0; number < message.recipients.size(); ++number) {
        RecipientState& recipient = message.recipients[number];
        if (recipient.fate != Fate::unsettled && recipient.fate != Fate::waiting) continue;
        const bool never_tried = recipient.attempts == 0 && recipient.due_s == 0;
        recipient.fate = Fate::held;
        message.dirty = message.expired_now = true;
        ++stats_.recipients_expired;
        if (never_tried)
            note_reason(message, number, "4.4.7", "no turn for an attempt within its lifetime");
    }
    progress(index);
}

}  // namespace posthaste
