// What becomes of a message: fates of recipients, what is recorded and when, and where it goes from
// the active queue.
#include <algorithm>
#include <utility>

#include "base/deliberate_bug.h"

#include "scheduler/log_lines.h"
#include "scheduler/scheduler.h"

namespace posthaste {

namespace {

constexpr int64_t kProgressUs =
    200 * kMsUs;  // results of a message that is still active wait so long
constexpr size_t kGroupsLookedAt = 8;
constexpr size_t kReasonBytesTotal = 256 * 1024;  // in one record
constexpr size_t kReasonBytesMin = 32;
constexpr size_t kKeptElements = 64;  // of a vector, for the row's next message

template <class T>
void let_go_if_large(std::vector<T>& elements) {
    if (elements.capacity() > kKeptElements) std::vector<T>().swap(elements);
}

int64_t whole_seconds_up(int64_t us) noexcept { return (us + kSecondUs - 1) / kSecondUs; }

}  // namespace

int64_t Scheduler::expires_wall_us(const Message& message) const noexcept {
    return message.envelope.arrived_wall_us + lifetime_of(message.envelope.sender);
}

void Scheduler::note_reason(Message& message, uint32_t number, std::string_view dsn,
                            std::string_view text) {
    message.reasons.push_back({number, std::string(dsn), std::string(text)});
}

void Scheduler::defer_until(Message& message, uint32_t number, int64_t due_us, std::string_view dsn,
                            std::string_view text) {
    RecipientState& recipient = message.recipients[number];
    message.dirty = true;
    note_reason(message, number, dsn, text);
    const int64_t expires_us = expires_wall_us(message);
    if (outside_.wall_us() >= expires_us && !has_bug(DeliberateBug::outlive_lifetime)) {
        recipient.fate = Fate::held;
        message.expired_now = true;
        ++stats_.recipients_expired;
        return;
    }
    recipient.fate = Fate::waiting;
    const int64_t due_s = whole_seconds_up(
        has_bug(DeliberateBug::outlive_lifetime) ? due_us : std::min(due_us, expires_us));
    recipient.due_s = static_cast<uint32_t>(std::clamp<int64_t>(due_s, 1, kNeverDue - 1));
    message.next_due_s = std::min(message.next_due_s, recipient.due_s);
}

void Scheduler::apply(uint32_t index, uint32_t number, const Verdict& verdict) {
    Message& message = messages_[index];
    RecipientState& recipient = message.recipients[number];
    message.dirty = true;
    switch (verdict.outcome) {
        case Outcome::sent:
            recipient.fate = Fate::done;
            ++stats_.recipients_sent;
            return;
        case Outcome::bounced:
            recipient.fate = has_bug(DeliberateBug::refused_is_done) ? Fate::done : Fate::held;
            message.bounced_now = true;
            ++stats_.recipients_bounced;
            return note_reason(message, number, verdict.dsn, verdict.text);
        case Outcome::deferred:
            break;
    }
    // Also what a broken agent names that is none of the three.
    const bool early = std::exchange(recipient.early, false) && recipient.attempts > 0;
    if (!early && recipient.attempts < UINT16_MAX) ++recipient.attempts;
    ++stats_.recipients_deferred;
    const int64_t due_us =
        outside_.wall_us() + backoff_us(recipient.attempts, config_.backoff, verdict.random);
    defer_until(message, number, due_us, verdict.dsn, verdict.text);
}

void Scheduler::answer_here(uint32_t index, uint32_t number, const Verdict& verdict) {
    tell_active(messages_[index]);
    log_lines::recipient(messages_[index], number, verdict.outcome, verdict.dsn, verdict.text,
                         outside_.wall_us(), line_);
    outside_.log(line_);
    apply(index, number, verdict);
}

// After anything happened to a message: it leaves if nothing of it is under way, else what is new
// will be recorded soon, at the end of qmgr's life at once.
void Scheduler::progress(uint32_t index) {
    Message& message = messages_[index];
    if (message.entries == 0 && message.unresolved == 0 && message.elsewhere == 0)
        return conclude(index);
    wait_for_due(message);
    if (!message.dirty || message.in_progress) return;
    if (draining_) return record(message, false, false);  // there may be no later
    message.in_progress = true;
    progress_.push_back(ref_of(index));
    if (!progress_timer_.is_set()) timers_.set(progress_timer_, outside_.now_us() + kProgressUs);
}

void Scheduler::conclude(uint32_t index) {
    Message& message = messages_[index];
    stop_waiting(message);
    uint32_t due_s = kNeverDue;
    bool all_done = true;
    for (const RecipientState& recipient : message.recipients) {
        if (recipient.fate == Fate::done) continue;
        all_done = false;
        if (recipient.fate == Fate::held) continue;
        due_s = std::min(due_s, recipient.fate == Fate::waiting ? recipient.due_s : 0);
    }
    log_held(message);
    const uint32_t node_index = message.node;
    MessageNode& node = table_[node_index];
    node.due_s = due_s;
    node.due_now = message.flushed && due_s <= now_s();
    node.asked_for = node.told = node.other_clock = false;
    node.fresh = due_s == 0 && node.fresh;
    node.going = all_done || due_s == kNeverDue;
    node.removing = all_done;
    // With an outcome under way the store does not know yet what is done: a load would bring it back.
    if (message.dirty || all_done ||
        (message.unrecorded > 0 && !has_bug(DeliberateBug::load_before_recorded))) {
        record(message, true, all_done);
        return leave_active(index, Place::recording);
    }
    for (const Receipt& receipt : message.receipts) outside_.report_covered(receipt, 0);
    leave_active(index, Place::listed);
    node.going ? forget_node(node_index) : place_by_due(node_index);
}

// Once for each time that it is tried, and before anything else is said of that.
void Scheduler::tell_active(const Message& message) {
    MessageNode& node = table_[message.node];
    if (node.told) return;
    node.told = true;
    log_lines::active(message, line_);
    outside_.log(line_);
}

void Scheduler::log_held(const Message& message) {
    if (message.bounced_now) {
        log_lines::held(message, "bounced", line_);
        outside_.log(line_);
    }
    if (message.expired_now) {
        log_lines::held(message, "expired", line_);
        outside_.log(line_);
    }
}

// The row is free afterwards; the node is where `place` says, in no list.
void Scheduler::leave_active(uint32_t index, Place place) {
    Message& message = messages_[index];
    const uint32_t sent_for_by = std::exchange(message.sent_for_by, kNone);
    if (message.content_lent) outside_.release_content(message.envelope.id);
    table_[message.node].place = place;
    table_[message.node].link = kNone;
    message.node = kNone;
    ++message.generation;
    message.content.clear();
    // A burst of mailings must not make every row as large as the largest was.
    if (message.envelope.recipients.capacity() > kKeptElements) message.envelope = {};
    let_go_if_large(message.content);
    let_go_if_large(message.recipients);
    let_go_if_large(message.order);
    let_go_if_large(message.reasons);
    let_go_if_large(message.receipts);
    messages_.free(index);
    --active_count_;
    outside_.want_dispatch();
    if (sent_for_by != kNone) arrived(sent_for_by);
}

const QueueState& Scheduler::state_of(const Message& message) {
    QueueState& state = state_scratch_;
    state.groups.clear();
    state.queue = QueueName::hold;
    for (uint32_t number = 0; number < message.recipients.size(); ++number) {
        const RecipientState& recipient = message.recipients[number];
        if (recipient.fate == Fate::done) continue;
        uint32_t due_s = 0;
        if (recipient.fate == Fate::held) {
            due_s = kNeverDue;
        } else if (recipient.fate == Fate::waiting) {
            due_s = recipient.due_s;
            if (state.queue == QueueName::hold) state.queue = QueueName::deferred;
        } else {
            state.queue = QueueName::active;
        }
        // Two groups of the same kind are as good as one, so a short look back is enough.
        auto group = state.groups.rbegin();
        const auto end = state.groups.rbegin() +
                         static_cast<ptrdiff_t>(std::min(state.groups.size(), kGroupsLookedAt));
        while (group != end && (group->due_s != due_s || group->attempts != recipient.attempts))
            ++group;
        if (group != end) {
            group->recipients.push_back(number);
        } else {
            state.groups.push_back({due_s, recipient.attempts, {number}});
        }
    }
    if (has_bug(DeliberateBug::forget_recipient) && !state.groups.empty() &&
        state.groups.back().recipients.size() > 1)
        state.groups.back().recipients.pop_back();
    return state;
}

void Scheduler::record(Message& message, bool final, bool remove) {
    outcome_.id = message.envelope.id;
    outcome_.remove = remove;
    outcome_.had_state = message.had_state;
    outcome_.state = {};
    outcome_.reasons.clear();
    if (!remove) {
        encode_queue_state(state_of(message), state_bytes_);
        outcome_.state = state_bytes_;
        const size_t bytes_max =
            std::max(kReasonBytesMin,
                     std::min(kReasonBytesMax,
                              kReasonBytesTotal / std::max<size_t>(message.reasons.size(), 1)));
        for (const PendingReason& reason : message.reasons) {
            outcome_.reasons.push_back({reason.recipient,
                                        std::string_view(reason.dsn).substr(0, 16),
                                        std::string_view(reason.text).substr(0, bytes_max)});
        }
    }
    const uint64_t sequence = outside_.record(outcome_, final);
    ++message.unrecorded;
    for (const Receipt& receipt : message.receipts) outside_.report_covered(receipt, sequence);
    message.receipts.clear();
    message.reasons.clear();
    message.dirty = false;
    message.had_state = true;
}

void Scheduler::on_recorded(MessageId id, bool final) {
    const uint32_t node = table_.find(id);
    if (node == kNone) return;
    if (table_[node].place == Place::active && !final) --messages_[table_[node].link].unrecorded;
    if (!final || table_[node].place != Place::recording) return;
    if (!table_[node].going) return place_by_due(node);
    if (table_[node].removing) {
        log_lines::removed(id, line_);
        outside_.log(line_);
    }
    forget_node(node);
    outside_.want_dispatch();
}

}  // namespace posthaste
