// Mail of which processes die. What was at work in a process that died is tried again; what has
// been there twice is under suspicion. It counts as attempted and waits, and comes back as the only
// suspect of its kind, so that the next death tells whether it was that. When it was, several
// times, it is put on hold, where it harms nobody.
#include <algorithm>
#include <utility>

#include "base/deliberate_bug.h"

#include "scheduler/scheduler.h"

namespace posthaste {

namespace {

// Under some suspicion at the same time; beyond that the count of one begins anew.
constexpr size_t kDeathsKnownMax = 4096;

}  // namespace

// Its lanes are taken down.
void Scheduler::agent_died(uint32_t agent) {
    std::vector<uint32_t> aboard;
    bool has_suspect = false;
    for (uint32_t index = 0; index < lanes_.slab().end(); ++index) {
        Lane& lane = lanes_[index];
        if (lane.state == LaneState::unused || lane.agent != agent) continue;
        while (!lane.jobs.empty()) {
            const uint32_t entry = lane.jobs.front();
            const bool suspect = entries_[entry].suspect;
            job_left_lane(index, entry);
            if (has_bug(DeliberateBug::forget_dead_agent)) continue;
            if (suspect && !std::exchange(has_suspect, true)) {
                for (const uint32_t other : aboard) requeue(other, true);
                aboard.clear();
            }
            has_suspect && !suspect ? requeue(entry, true) : aboard.push_back(entry);
        }
        remove_lane(index);
    }
    for (const uint32_t entry : aboard) blame(entry);
}

void Scheduler::blame(uint32_t entry) {
    const Entry& it = entries_[entry];
    const uint32_t index = it.message;
    Message& message = messages_[index];
    if (deaths_.size() >= kDeathsKnownMax) deaths_.erase(deaths_.begin());
    uint8_t& deaths = deaths_[message.envelope.id];
    if (deaths < UINT8_MAX) ++deaths;
    if (deaths < kDeathsOfSuspect) return requeue(entry, true);
    const bool held = deaths >= kDeathsToHold;
    const std::string text =
        "the delivery agent died " + std::to_string(deaths) + " times while it had this message";
    outside_.warn(queue_id_text(message.envelope.id) + ": " + text +
                  (held ? ", it is put on hold" : ", it waits"));
    const uint64_t random = outside_.random();
    for (uint32_t i = 0; i < it.count; ++i) {
        const uint32_t number = message.order[it.first + i];
        held ? hold(index, number, "4.3.0", text)
             : answer_here(index, number, {Outcome::deferred, "4.3.0", text, random});
    }
    const uint32_t destination = it.destination;
    free_entry(entry);
    progress(index);
    wake(destination);
    unpark(destination);
}

// It was delivered, or refused, and the agent lives.
void Scheduler::acquit(const Message& message) {
    if (message.entries <= 1) deaths_.erase(message.envelope.id);
}

// The store died. A message that is not loaded can not be put on hold; it waits longer each time.
void Scheduler::blame_loads() {
    const MessageId suspect = std::exchange(suspect_load_, kNoMessage);
    no_room_loading_ = false;
    for (uint32_t node = 0; loading_count_ > 0 && node < table_.end(); ++node) {
        MessageNode& it = table_[node];
        if (it.place != Place::loading) continue;
        --loading_count_;
        it.place = Place::listed;
        it.no_room = 0;
        it.overdue = false;
        const bool blamed = suspect == kNoMessage || suspect == it.id;
        if (blamed && it.deaths < MessageNode::kDeathsMax) ++it.deaths;
        if (!blamed || it.deaths < kDeathsOfSuspect) {
            table_.push_front(it.fresh ? incoming_ : due_, node);
            continue;
        }
        outside_.warn(queue_id_text(it.id) + ": the store died " + std::to_string(it.deaths) +
                      " times while it was to load this message, which waits");
        const int64_t wait_us = backoff_us(it.deaths, config_.backoff, outside_.random());
        if (it.sent_for) {
            it.sent_for = false;
            arrived(std::exchange(it.link, kNone));
        }
        it.due_s = now_s() + static_cast<uint32_t>(wait_us / kSecondUs) + 1;
        place_by_due(node);
    }
    ASSERT(loading_count_ == 0);
}

// For good, as far as qmgr is concerned: until the operator has looked at it.
void Scheduler::hold(uint32_t index, uint32_t number, std::string_view dsn, std::string_view text) {
    Message& message = messages_[index];
    tell_active(message);
    message.dirty = true;
    message.recipients[number].fate = Fate::held;
    note_reason(message, number, dsn, text);
}

}  // namespace posthaste
