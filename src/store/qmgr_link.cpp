#include "store/qmgr_link.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

#include "mail/envelope.h"
#include "mail/queue_state.h"

namespace posthaste::store {

namespace {

constexpr size_t kAgentsToldMax = 4096;  // more than master ever starts

}  // namespace

void QmgrLink::on_up(AnswerQueue& answers) {
    answers_ = &answers;
    gap_from_ = kNoMessage;
    recorded_.reset();
    reads_.clear();
    if (qmgr_ == incarnation()) return;  // it goes on where its old channel ended
    qmgr_ = incarnation();
    told_.clear();
    held_.clear();
    content_.await_proof();
}

void QmgrLink::on_down() {
    answers_ = nullptr;
    reads_.clear();
}

void QmgrLink::announce(MessageId id, std::string_view envelope, Place place) {
    if (answers_ == nullptr) return content_.give_back(place);  // its scan will find it
    message_.envelope = envelope;
    message_.state = {};
    message_.content.clear();
    if (gap_from_ == kNoMessage && !answers_->has_waiting()) {
        content_.extents(place, message_.content);
        const bool lent = !place.empty() && content_.lend(id, std::move(place), incarnation());
        if (!lent) message_.content.clear();
        if (answers_->peer().send(message_)) return;
        if (lent) content_.release(id, incarnation());
    } else {
        content_.give_back(place);
    }
    gap_from_ = gap_from_ == kNoMessage ? id : std::min(gap_from_, id);
}

void QmgrLink::on_room() {
    answers_->on_room();
    if (answers_->has_waiting() || gap_from_ == kNoMessage) return;
    if (answers_->peer().send(wire::AnnounceGap{gap_from_})) gap_from_ = kNoMessage;
}

void QmgrLink::on_committed() {
    outcomes_waiting_ = 0;
    if (answers_ == nullptr || !recorded_) return;
    answers_->answer(wire::OutcomeRecorded{*recorded_});
    recorded_.reset();
}

QmgrLink::Handled QmgrLink::on_record(uint16_t type, std::string_view body) {
    switch (type) {
        case wire::RecordOutcome::kType:
            return on_outcome(body);
        case wire::ReleaseContent::kType:
            return on_release(body);
        case wire::LoadMessage::kType:
            return put_off<wire::LoadMessage>(body);
        case wire::ScanRequest::kType:
            return put_off<wire::ScanRequest>(body);
        case wire::HeldContent::kType:
            return on_held(body);
        default:
            return Handled::wrong;
    }
}

template <class Request>
QmgrLink::Handled QmgrLink::put_off(std::string_view body) {
    Request request;
    if (!wire::decode(body, request)) return Handled::wrong;
    reads_.emplace_back(request);
    return Handled::ok;
}

QmgrLink::Handled QmgrLink::read_next() {
    ASSERT(can_read());
    const Read read = reads_.front();
    reads_.pop_front();
    if (const auto* const request = std::get_if<wire::LoadMessage>(&read)) return load(*request);
    return scan(std::get<wire::ScanRequest>(read));
}

QmgrLink::Handled QmgrLink::scan(const wire::ScanRequest& request) {
    const uint32_t count = std::clamp<uint32_t>(request.count_max, 1, kScanPageMax);
    if (!store_.scan(request.after, count, page_.entries, page_.last)) {
        store_.end_for_unreadable();
        return Handled::store_failed;
    }
    answers_->answer(page_);
    return Handled::ok;
}

QmgrLink::Handled QmgrLink::gone(MessageId id, const Error& error) {
    const bool is_away = error.code == Errc::not_found || error.code == Errc::corrupt;
    if (!is_away && !store_.leaves_unreadable()) {
        store_.end_for_unreadable();
        return Handled::store_failed;
    }
    answers_->answer(wire::MessageGone{id});
    return Handled::ok;
}

QmgrLink::Handled QmgrLink::load(const wire::LoadMessage& request) {
    const auto stored = store_.load(request.id);
    if (!stored) return gone(request.id, stored.error());
    message_.envelope = stored->envelope;
    message_.state = stored->state;
    message_.content.clear();
    if (request.with_content) {
        if (const Place* place = content_.lend_again(request.id, incarnation())) {
            content_.extents(*place, message_.content);
        } else if (const auto envelope = check_envelope(stored->envelope);
                   envelope && !content_.can_hold(envelope->size_bytes)) {
            log_.error(queue_id_text(request.id) +
                       ": larger than the memory it is sent from, left in the queue until the next "
                       "start; raise store_arena_size");
            answers_->answer(wire::MessageGone{request.id});
            return Handled::ok;
        } else if (!envelope || content_.has_room(envelope->size_bytes, 0)) {
            const auto bytes = store_.load_content(request.id);
            if (!bytes) return gone(request.id, bytes.error());
            // New mail leaves some of the arena to loads; these may take the last block.
            if (auto taken = content_.take({&*bytes, 1}, 0)) {
                content_.extents(*taken, message_.content);
                content_.lend(request.id, std::move(*taken), incarnation());
            }
        }
    }
    answers_->answer(message_);
    return Handled::ok;
}

QmgrLink::Handled QmgrLink::on_release(std::string_view body) {
    wire::ReleaseContent request;
    if (!wire::decode(body, request)) return Handled::wrong;
    content_.release(request.id, incarnation());
    // Agents that said they held it have reported: else qmgr would not say so.
    held_.erase(request.id);
    return Handled::ok;
}

QmgrLink::Handled QmgrLink::on_outcome(std::string_view body) {
    if (!wire::decode(body, outcome_)) return Handled::wrong;
    if (outcome_.id == kNoMessage || outcome_.id > kMessageIdMax) return Handled::wrong;
    ++outcomes_waiting_;
    recorded_ = outcome_.sequence;
    if (outcome_.remove) {
        store_.remove_message(outcome_.id, outcome_.had_state);
        return Handled::ok;
    }
    if (!outcome_.state.empty() && !summarize_queue_state(outcome_.state)) return Handled::wrong;
    // A replay may come after the removal it precedes: a state without a message would stay for
    // ever.
    if (!store_.has_message(outcome_.id)) return Handled::ok;
    if (!outcome_.state.empty()) store_.put_state(outcome_.id, outcome_.state);
    for (const wire::RecipientReason& reason : outcome_.reasons) {
        if (reason.recipient >= kRecipientsMax) return Handled::wrong;
        store_.put_reason(outcome_.id, reason.recipient, reason.dsn, reason.text);
    }
    return Handled::ok;
}

QmgrLink::Handled QmgrLink::on_held(std::string_view body) {
    if (!wire::decode(body, held_part_)) return Handled::wrong;
    // Agents may also hold what an earlier store lent from its own arena: nothing to keep here.
    for (const MessageId id : held_part_.ids) {
        if (content_.is_lent(id)) held_.insert(id);
    }
    if (held_part_.last && told_.size() < kAgentsToldMax) told_.insert(held_part_.agent);
    return Handled::ok;
}

void QmgrLink::take_back(std::span<const uint32_t> agents) {
    if (answers_ == nullptr || content_.is_proven()) return;
    for (const uint32_t agent : agents) {
        if (agent < qmgr_ && !told_.contains(agent)) return;
    }
    const size_t released = content_.keep_only(held_, qmgr_);
    held_.clear();
    if (released > 0) {
        log_.info("content of " + std::to_string(released) +
                  " messages lent to an earlier qmgr is back");
    }
}

}  // namespace posthaste::store
