// How messages come in: listed by a scan, announced as they become durable, loaded when their time
// has come.
#include <algorithm>
#include <utility>

#include "base/deliberate_bug.h"
#include "base/strings.h"

#include "mail/address.h"

#include "scheduler/scheduler.h"

namespace posthaste {

namespace {

constexpr int64_t kArenaFullRestUs = 100 * kMsUs;
// Turns of those that found no room in the store's arena, and of all others: each as long as the one
// before it, and both longer from time to time, since what is large needs long.
constexpr uint8_t kNoRoomTimes = 3;
constexpr int64_t kTurnMinUs = 2 * kSecondUs;
constexpr int64_t kTurnMaxUs = kMinuteUs;
constexpr uint32_t kBulkRecipients = 50;  // more than this is a mailing

}  // namespace

void Scheduler::on_scanned(const wire::ScanEntry& entry) {
    if (entry.id == kNoMessage || entry.queue == QueueName::hold ||
        entry.queue == QueueName::corrupt)
        return;
    if (entry.due_s == kNeverDue || table_.find(entry.id) != kNone) return;
    const uint32_t node = table_.insert(entry.id);
    if (node == kNone) {
        table_was_full_ = true;
        return;
    }
    table_[node].due_s = entry.due_s;
    table_[node].fresh = entry.queue == QueueName::active;
    place_by_due(node);
}

void Scheduler::on_store_up() {
    store_up_ = true;
    scan_complete_ = false;
    loads_rest_until_us_ = 0;
    outside_.want_dispatch();
}

// The bytes of everything active are gone with the store's arena; agents finish what they hold.
// What has no job out leaves the active queue, and is loaded again from the next store.
void Scheduler::on_store_down() {
    store_up_ = false;
    blame_loads();
    for (uint32_t entry = 0; entry < entries_.end(); ++entry) {
        if (entries_[entry].state != EntryState::queued &&
            entries_[entry].state != EntryState::resting)
            continue;
        unqueue(entry);
        const Entry& it = entries_[entry];
        Message& message = messages_[it.message];
        for (uint32_t i = 0; i < it.count; ++i)
            message.recipients[message.order[it.first + i]].fate = Fate::unsettled;
        free_entry(entry);
    }
    for (uint32_t i = 0; i < messages_.end(); ++i) {
        if (messages_[i].node != kNone) let_go_of_store(i);
    }
    // Nothing is left of those destinations that would send for who waits in line.
    for (uint32_t i = 0; i < destinations_.end(); ++i) unpark(i);
}

void Scheduler::let_go_of_store(uint32_t index) {
    Message& message = messages_[index];
    message.content_lent = false;
    for (RecipientState& recipient : message.recipients) {
        if (recipient.fate == Fate::routed) {
            --destinations_[recipient.destination].routed;
            destinations_.settle(recipient.destination);
        }
        if (recipient.fate == Fate::routed || recipient.fate == Fate::resolving)
            recipient.fate = Fate::unsettled;
    }
    // Answers on their way to it are not for it any more.
    message.unresolved = 0;
    ++message.generation;
    message.in_regroup = message.in_progress = false;
    progress(index);
}

uint32_t Scheduler::next_to_load() {
    if (!table_.empty(overdue_)) return overdue_;
    const uint32_t used = active_count_ + loading_count_;
    if (used >= config_.active_limit && !has_bug(DeliberateBug::ignore_active_limit)) return kNone;
    if (!table_.empty(no_room_) && !no_room_loading_) return no_room_;
    if (no_room_turn_) return kNone;
    if (!table_.empty(suspect_loads_) && suspect_load_ == kNoMessage) return suspect_loads_;
    if (!table_.empty(wanted_)) return wanted_;
    const uint32_t retries = table_.empty(flushed_) ? due_ : flushed_;
    // The last quarter is for new mail: a backlog that becomes due at once does not stand before
    // it.
    const bool retries_allowed =
        !table_.empty(retries) && used < config_.active_limit - config_.active_limit / 4;
    if (table_.empty(incoming_)) return retries_allowed ? retries : kNone;
    load_due_next_ = !load_due_next_;
    return retries_allowed && load_due_next_ ? retries : incoming_;
}

void Scheduler::load_more() {
    if (!open_ || draining_ || !store_up_) return;
    if (outside_.now_us() < loads_rest_until_us_) return;
    look_at_turns();
    while (loading_count_ < load_window_) {
        const uint32_t list = next_to_load();
        if (list == kNone) return;
        const uint32_t node = table_.front(list);
        MessageNode& it = table_[node];
        if (it.deaths >= kDeathsOfSuspect && list != suspect_loads_) {
            table_.unlink(node);
            table_.push_back(suspect_loads_, node);
            continue;
        }
        if (!outside_.load(it.id)) return;
        table_.unlink(node);
        it.place = Place::loading;
        it.due_now |= list == flushed_;
        if (list == incoming_ || list == wanted_) it.fresh = true;
        if (list == due_ || list == flushed_) it.fresh = false;
        if (list == no_room_) no_room_loading_ = true;
        if (list == suspect_loads_) suspect_load_ = it.id;
        ++loading_count_;
        ++stats_.loads;
    }
}

// It keeps its place. Who has found no room several times stands in a line of its own, whose first is
// asked for before all others, until there is room for it. What others need and give back meanwhile could keep a large one waiting for ever,
// so from time to time nothing else is taken in.
void Scheduler::no_room_for(uint32_t node) {
    rest_from_loads();
    if (table_.empty(no_room_)) {
        no_room_turn_ = false;
        turn_us_ = kTurnMinUs;
        turn_ends_us_ = outside_.now_us() + turn_us_;
    }
    MessageNode& it = table_[node];
    it.place = Place::listed;
    if (it.no_room == kNoRoomTimes) {
        table_.push_front(no_room_, node);
    } else if (++it.no_room == kNoRoomTimes) {
        table_.push_back(no_room_, node);
    } else {
        table_.push_front(it.due_now ? flushed_ : it.fresh ? incoming_ : due_, node);
    }
}

// Until some of the store's arena comes back, asking is in vain.
void Scheduler::rest_from_loads() {
    if (outside_.now_us() < loads_rest_until_us_) return;
    load_window_ = std::max(load_window_ / 2, 1U);
    loads_rest_until_us_ = outside_.now_us() + kArenaFullRestUs;
    timers_.set(load_timer_, loads_rest_until_us_);
}

void Scheduler::look_at_turns() {
    if (table_.empty(no_room_) && !no_room_loading_) {
        no_room_turn_ = false;
    } else if (outside_.now_us() >= turn_ends_us_) {
        no_room_turn_ = !no_room_turn_;
        if (!no_room_turn_) turn_us_ = std::min(2 * turn_us_, kTurnMaxUs);
        turn_ends_us_ = outside_.now_us() + turn_us_;
    }
}

void Scheduler::forget_node(uint32_t node) {
    const uint32_t sent_for_by = table_[node].sent_for ? table_[node].link : kNone;
    table_.erase(node);
    if (sent_for_by != kNone) arrived(sent_for_by);
    if (!table_was_full_) return;
    table_was_full_ = false;
    outside_.want_scan();
}

void Scheduler::load_is_over(uint32_t node) {
    --loading_count_;
    if (table_[node].no_room == kNoRoomTimes) no_room_loading_ = false;
    if (suspect_load_ == table_[node].id) suspect_load_ = kNoMessage;
}

void Scheduler::on_gone(MessageId id) {
    const uint32_t node = table_.find(id);
    if (node == kNone || table_[node].place != Place::loading) return;
    load_is_over(node);
    forget_node(node);
    former_message_gone(id);
}

void Scheduler::on_queued(std::string_view envelope_bytes, std::string_view state_bytes,
                          std::vector<wire::Extent>& content) {
    auto envelope = decode_envelope(envelope_bytes);
    if (!envelope) return leave_unreadable(envelope_bytes, envelope.error(), content);
    const MessageId id = envelope->id;
    const auto decline = [&] {
        if (!content.empty()) outside_.release_content(id);
    };
    uint32_t node = table_.find(id);
    if (node == kNone) {
        node = table_.insert(id);
        if (node == kNone) {
            table_was_full_ = true;
            return decline();
        }
        table_[node].fresh = true;
        table_.push_back(incoming_, node);
    }
    MessageNode& it = table_[node];
    if (it.place == Place::active) return;
    if (it.place == Place::recording) return decline();
    const bool asked_for = it.place == Place::loading;
    // Its bytes found no room: it stays where it is listed.
    if (it.place == Place::listed && content.empty()) return rest_from_loads();
    const bool has_place =
        asked_for || (open_ && !draining_ && !no_room_turn_ && it.place == Place::listed &&
                      it.fresh && active_count_ + loading_count_ < config_.active_limit);
    if (!has_place) return decline();
    if (asked_for) {
        load_is_over(node);
    } else {
        table_.unlink(node);
    }

    std::optional<QueueState> state;
    if (!state_bytes.empty()) {
        auto decoded = decode_queue_state(state_bytes);
        if (!decoded) {
            outside_.warn(queue_id_text(id) + ": unreadable state from the store, left there: " +
                          decoded.error().text());
            decline();
            return forget_node(node);
        }
        state = std::move(*decoded);
    }
    if (state && (state->queue == QueueName::hold || state->queue == QueueName::corrupt)) {
        decline();
        return forget_node(node);
    }
    const bool overdue = it.overdue;
    it.overdue = false;
    if (overdue) {
        const int64_t lifetime_us = lifetime_of(envelope->sender);
        if (envelope->arrived_wall_us + lifetime_us + kOverdueUs <= outside_.wall_us()) {
            activate(node, std::move(*envelope), state ? &*state : nullptr, content);
            return expire(table_[node].link);
        }
        // Its id is older than it is.
        if (active_count_ + loading_count_ >= config_.active_limit) {
            decline();
            it.place = Place::listed;
            return table_.push_back(it.fresh ? incoming_ : due_, node);
        }
    }
    if (content.empty()) return no_room_for(node);
    if (asked_for && load_window_ < kLoadsMax) ++load_window_;
    it.no_room = 0;
    it.deaths = 0;
    activate(node, std::move(*envelope), state ? &*state : nullptr, content);
    route(table_[node].link);
}

// It stays in the store, and is forgotten here: its place among the loads and its bytes are free.
void Scheduler::leave_unreadable(std::string_view envelope_bytes, const Error& why,
                                 std::span<const wire::Extent> content) {
    const MessageId id = id_of_envelope(envelope_bytes);
    outside_.warn(queue_id_text(id) +
                  ": unreadable envelope from the store, left there: " + why.text());
    const uint32_t node = table_.find(id);
    if (node != kNone && table_[node].place == Place::active) return;  // it has those bytes
    if (!content.empty()) outside_.release_content(id);
    on_gone(id);
}

void Scheduler::activate(uint32_t node, Envelope&& envelope, const QueueState* state,
                         std::vector<wire::Extent>& content) {
    const uint32_t index = messages_.allocate();
    Message& message = messages_[index];
    message.node = node;
    message.envelope = std::move(envelope);
    message.client = client_of(message.envelope.client_address);
    message.content.swap(content);
    message.order.clear();
    message.reasons.clear();
    message.receipts.clear();
    message.active_wall_us = outside_.wall_us();
    message.entries = message.jobs_out = message.unresolved = message.elsewhere = 0;
    message.unrecorded = 0;
    message.bulk = message.envelope.recipients.size() > kBulkRecipients;
    message.content_lent = !message.content.empty();
    message.had_state = state != nullptr;
    message.dirty = message.bounced_now = message.expired_now = false;
    message.in_regroup = message.in_progress = message.flushed = false;
    message.next_due_s = message.wakes_at_s = kNeverDue;
    set_fates(message, state);
    table_[node].place = Place::active;
    ++active_count_;
    ++stats_.activated;
    // What comes back is told of when it is tried: it may go on waiting for a dead site.
    if (state == nullptr) tell_active(message);
    const uint32_t link = std::exchange(table_[node].link, index);
    message.sent_for_by = std::exchange(table_[node].sent_for, false) ? link : kNone;
    if (!former_.empty()) apply_former(index);
}

// Whether a recipient of the message at this node may be tried, whose time on disk is that.
bool Scheduler::is_time(uint32_t node, uint32_t due_s) const {
    return due_s <= now_s() || due_s > latest_due_s() || table_[node].due_now ||
           is_of_another_clock(node) || has_bug(DeliberateBug::skip_due_time);
}

void Scheduler::set_fates(Message& message, const QueueState* state) {
    message.recipients.clear();
    message.recipients.resize(message.envelope.recipients.size());
    if (state == nullptr) return;
    for (RecipientState& recipient : message.recipients) recipient.fate = Fate::done;
    for (const PendingGroup& group : state->groups) {
        for (const uint32_t number : group.recipients) {
            if (number >= message.recipients.size()) continue;
            RecipientState& recipient = message.recipients[number];
            recipient.due_s = group.due_s;
            recipient.attempts = group.attempts;
            recipient.fate = group.due_s == kNeverDue             ? Fate::held
                             : is_time(message.node, group.due_s) ? Fate::unsettled
                                                                  : Fate::waiting;
            recipient.early = table_[message.node].due_now;
            if (recipient.fate == Fate::waiting)
                message.next_due_s = std::min(message.next_due_s, group.due_s);
        }
    }
}

}  // namespace posthaste
