// When mail is tried again: due times, the clock they are told by, and the operator's flush.
#include <algorithm>

#include "base/deliberate_bug.h"

#include "scheduler/scheduler.h"

namespace posthaste {

namespace {

constexpr int64_t kClockCheckUs = kMinuteUs;  // the wall clock may have been set
// A clock that is set back by less goes unnoticed, and delays by as much.
constexpr uint32_t kSetBackS = 60;

}  // namespace

void Scheduler::place_by_due(uint32_t node) {
    MessageNode& it = table_[node];
    it.place = Place::listed;
    look_at_clock();
    if (const uint32_t latest_s = latest_due_s(); it.due_s > latest_s) {
        it.due_s = latest_s;
        it.other_clock = true;
        set_back_to_us_ = clock_offset_us();
    }
    if (it.due_s <= now_s()) {
        table_.push_back(it.fresh ? incoming_ : due_, node);
        outside_.want_dispatch();
        return;
    }
    it.fresh = false;
    retry_wheel_.add(node);
    look_at(it.due_s);
}

void Scheduler::look_at(uint32_t second) {
    const int64_t deadline_us =
        outside_.now_us() + int64_t{second} * kSecondUs - outside_.wall_us();
    if (!due_timer_.is_set() || deadline_us < due_timer_.deadline_us()) arm_due_timer();
}

// Nobody was told to wait longer: a later time was written before the clock was set back. What waits
// for less although it was, waits for no longer than this either.
uint32_t Scheduler::latest_due_s() const {
    const int64_t longest_us = config_.backoff.maximal_us + config_.backoff.minimal_us;
    return now_s() + static_cast<uint32_t>(longest_us / kSecondUs) + 1;
}

void Scheduler::look_at_clock() {
    if (now_s() + kSetBackS >= retry_wheel_.next_s()) return;
    retry_wheel_.set_back(now_s(), latest_due_s());
    active_wheel_.set_back(now_s(), latest_due_s());
    set_back_to_us_ = clock_offset_us();
}

// Not when the clock has come forward again: what is on disk is right then.
bool Scheduler::is_of_another_clock(uint32_t node) const {
    return table_[node].other_clock &&
           clock_offset_us() <= set_back_to_us_ + int64_t{kSetBackS} * kSecondUs;
}

void Scheduler::arm_due_timer() {
    const uint32_t next_s = std::min(retry_wheel_.next_due_s(), active_wheel_.next_due_s());
    if (next_s == kNone) return due_timer_.cancel();
    const int64_t wait_us = int64_t{next_s} * kSecondUs - outside_.wall_us();
    timers_.set(due_timer_, outside_.now_us() + std::clamp<int64_t>(wait_us, 0, kClockCheckUs));
}

void Scheduler::on_due() {
    look_at_clock();
    retry_wheel_.advance(now_s(), due_);
    active_wheel_.advance(now_s(), awake_);
    while (!table_.empty(awake_)) {
        const uint32_t node = table_.front(awake_);
        stop_waiting(messages_[table_[node].link]);
        attempt_what_is_due(table_[node].link);
    }
    arm_due_timer();
    outside_.want_dispatch();
}

// A recipient's time comes whatever the others of its message are at.
void Scheduler::wait_for_due(Message& message) {
    if (message.next_due_s == message.wakes_at_s || has_bug(DeliberateBug::wait_for_others)) return;
    const uint32_t next_s = message.next_due_s;
    stop_waiting(message);
    message.next_due_s = message.wakes_at_s = next_s;
    table_[message.node].due_s = next_s;
    active_wheel_.add(message.node);
    look_at(next_s);
}

void Scheduler::stop_waiting(Message& message) {
    if (message.wakes_at_s != kNeverDue) table_.unlink(message.node);
    message.wakes_at_s = message.next_due_s = kNeverDue;
}

void Scheduler::attempt_what_is_due(uint32_t index) {
    Message& message = messages_[index];
    const uint32_t until_s = now_s();
    const uint32_t latest_s = latest_due_s();
    const bool another_clock = is_of_another_clock(message.node);
    bool found = false;
    for (RecipientState& recipient : message.recipients) {
        if (recipient.fate != Fate::waiting) continue;
        if (recipient.due_s <= until_s || recipient.due_s > latest_s || another_clock) {
            recipient.fate = Fate::unsettled;
            found = true;
        } else {
            message.next_due_s = std::min(message.next_due_s, recipient.due_s);
        }
    }
    found ? route(index) : progress(index);
}

// What waits is due now. What is being tried at this moment, and fails, is tried once more at once.
// Neither moves anybody up in the order of waits.
void Scheduler::flush() {
    retry_wheel_.flush(flushed_);
    table_.splice_back(flushed_, due_);
    for (uint32_t i = 0; i < destinations_.end(); ++i) {
        Destination& destination = destinations_[i];
        if (destination.state == SiteState::dead) destination.dead_until_us = outside_.now_us();
        destination.flushed_at_serial = last_serial_;
        destination.flushed = destination.jobs_out > 0;
    }
    for (uint32_t i = 0; i < messages_.end(); ++i) attempt_all_of(i);
    arm_due_timer();
    outside_.want_dispatch();
}

bool Scheduler::flush(MessageId id) {
    const uint32_t node = table_.find(id);
    if (node == kNone) return false;
    MessageNode& it = table_[node];
    it.asked_for = true;
    if (it.place == Place::parked) {
        take_from_parked(node);
        it.place = Place::listed;
        table_.push_back(flushed_, node);
    } else if (it.place == Place::listed) {
        table_.unlink(node);
        table_.push_back(flushed_, node);
    } else if (it.place == Place::active) {
        attempt_all_of(it.link);
    } else if (it.place == Place::loading) {
        it.due_now = true;
    }
    outside_.want_dispatch();
    return true;
}

void Scheduler::attempt_all_of(uint32_t index) {
    Message& message = messages_[index];
    if (message.node == kNone) return;
    table_[message.node].due_now = true;  // also for who is elsewhere now
    message.flushed_at_serial = last_serial_;
    message.flushed = message.jobs_out > 0;
    stop_waiting(message);
    bool found = false;
    for (RecipientState& recipient : message.recipients) {
        if (recipient.fate != Fate::waiting) continue;
        recipient.fate = Fate::unsettled;
        recipient.early = true;
        found = true;
    }
    if (found) route(index);
}

// The report of a job that had begun before the operator flushed.
bool Scheduler::began_before(const Entry& entry, uint32_t serial) noexcept {
    return static_cast<int32_t>(serial - entry.serial) >= 0;
}

}  // namespace posthaste
