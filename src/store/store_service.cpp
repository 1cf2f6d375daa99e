#include "store/store_service.h"

#include <utility>

#include "base/assert.h"
#include "base/deliberate_bug.h"

#include "mail/envelope.h"

namespace posthaste::store {

namespace {

enum Row : size_t {
    kMessages,
    kMessageBytes,
    kRefused,
    kNoSpace,
    kBusy,
    kWithoutPlace,
    kCommits,
    kOutcomes,
    kLent,
    kLeases,
    kSyncTime,
    kSyncTimeOfMessages,
    kBatchTimeOfMessages,
    kBlocksUsed,
    kGarbage,
    kCopies,
};

constexpr CounterRow kRows[] = {
    {"messages_committed", "messages", "Messages made durable."},
    {"message_bytes_committed", "bytes", "Their content."},
    {"commits_refused", "messages", "Requests that were wrong: size, envelope, id or extents."},
    {"commits_without_space", "messages", "Requests answered 452 because the disk is nearly full."},
    {"commits_busy", "messages", "Requests answered 451 because the queue could not be written."},
    {"messages_without_place", "messages", "Committed past a full arena: qmgr loads them later."},
    {"synced_writes", "writes", "Batches written and synced."},
    {"outcomes_recorded", "records", "Removals and new states."},
    {"messages_lent", "messages", "Whose bytes are lent to qmgr now.", CounterKind::gauge},
    {"leases_granted", "leases", "Blocks of message ids given out."},
    {"sync_time", "us", "Spent in writing and syncing the log, each batch once."},
    {"sync_time_of_messages", "us", "The same, each batch as often as it brought messages."},
    {"batch_time_of_messages", "us",
     "From reading a batch's requests to its answers, as often as it brought messages."},
    {"arena_blocks_used", "blocks", "Holding lent messages when the last batch was written.",
     CounterKind::gauge},
    {"garbage_bytes", "bytes", "Of removed large messages, on disk until their files go.",
     CounterKind::gauge},
    {"garbage_copies", "bytes", "Being copied at most, so that such files can go.",
     CounterKind::gauge},
};
// New mail leaves a quarter of the arena to what qmgr loads: else a burst would starve retries.
constexpr uint32_t kShareKeptForLoads = 4;
// Whose arenas cleanup's requests name, beside its own.
constexpr uint32_t kOwners = role_bit(Role::smtpd);
// Kept from one oversized message to the next.
constexpr size_t kHeapCopyKeptBytes = 1 * kMiB;

}  // namespace

StoreService::StoreService(World& world, Parts parts)
    : world_(world),
      store_(std::move(parts.store)),
      free_space_(std::move(parts.free_bytes), free_space_floor(world.settings)),
      on_failed_(std::move(parts.on_failed)),
      ids_(store_->id_mark()),
      content_(world.arena),
      qmgr_(*store_, content_, world.log),
      listing_(world.loop, *store_),
      counters_(world.counter_page, kRows),
      batch_messages_max_(static_cast<size_t>(world.settings.integer("store_batch_limit"))),
      outcome_delay_(timer_calls<&StoreService::on_outcome_delay, StoreService>(), this),
      owners_late_(timer_calls<&StoreService::on_owners_late, StoreService>(), this) {
    world_.loop.add_listener(*this);
    world_.loop.timers().set(owners_late_, world_.loop.now_us() + kOwnersPatienceUs);
}

StoreService::~StoreService() { world_.loop.remove_listener(*this); }

void StoreService::on_listener(std::string_view name, Socket listener) {
    (void)name;  // there is one: public/showq
    listing_.listen(listener);
}

void StoreService::on_settings(const Settings& settings) {
    free_space_.set_floor(free_space_floor(settings));
    batch_messages_max_ = static_cast<size_t>(settings.integer("store_batch_limit"));
}

void StoreService::on_drain() {
    // What is asked is still answered: those who ask decide when to stop.
    listing_.stop();
    if (qmgr_.outcomes_waiting() > 0) commit_now_ = true;
}

bool StoreService::is_idle() const {
    for (const auto& answers : answers_) {
        if (answers->has_waiting()) return false;
    }
    return added_.empty() && leases_.empty() && qmgr_.outcomes_waiting() == 0 && listing_.is_idle();
}

void StoreService::on_peer_up(Peer& peer) {
    if (!peer.has_channel()) return read_who_may_be();  // only its arena is ours to read
    AnswerQueue& answers = *answers_.emplace_back(std::make_unique<AnswerQueue>(peer));
    peer.service_data = &answers;
    if (!may_read(answers)) peer.pause();
    if (peer.role() != Role::qmgr) return;
    // What the one before it said last may still be in the batch: this one is not to be told of the
    // queue as it was before that.
    if (qmgr_.outcomes_waiting() > 0) end_batch();
    qmgr_.on_up(answers);
    take_back_loans(nullptr);
}

void StoreService::take_back_loans(const Peer* agent_gone) {
    std::vector<uint32_t> agents;
    for (const Peer* peer : peers_->all(Role::smtp)) {
        if (peer != agent_gone) agents.push_back(peer->incarnation());
    }
    qmgr_.take_back(agents);
}

void StoreService::on_peer_down(Peer& peer) {
    if (peer.role() == Role::smtp) take_back_loans(&peer);
    auto* const answers = static_cast<AnswerQueue*>(peer.service_data);
    if (answers == nullptr) return;
    // Its requests in the batch are copies by now: they are written, and answered to nobody.
    if (qmgr_.is_with(*answers)) qmgr_.on_down();
    std::erase_if(answers_, [&](const auto& candidate) { return candidate.get() == answers; });
}

AnswerQueue* StoreService::answers_of(uint32_t incarnation) {
    Peer* const peer = peers_->find(incarnation);
    return peer == nullptr ? nullptr : static_cast<AnswerQueue*>(peer->service_data);
}

void StoreService::on_room(Peer& peer) {
    auto& answers = *static_cast<AnswerQueue*>(peer.service_data);
    if (qmgr_.is_with(answers)) {
        qmgr_.on_room();
    } else {
        answers.on_room();
    }
    if (may_read(answers)) peer.resume();
}

void StoreService::on_record(Peer& peer, uint16_t type, std::string_view body) {
    auto& answers = *static_cast<AnswerQueue*>(peer.service_data);
    if (peer.role() == Role::qmgr) {
        if (qmgr_.is_with(answers)) on_qmgr_record(peer, type, body);
    } else if (type == wire::CommitRequest::kType) {
        on_commit_request(answers, body);
    } else if (type == wire::LeaseRequest::kType) {
        on_lease_request(answers, body);
    } else {
        peers_->misbehaved(peer, "unknown record");
    }
    if (batch_is_full()) end_batch();
}

// It is written at the end of the turn; the rest of the rings is the next one.
void StoreService::end_batch() {
    commit_now_ = true;
    hold_peers();
    world_.loop.request_turn_end(*this);
}

bool StoreService::batch_is_full() const noexcept {
    return added_.size() + leases_.size() >= batch_messages_max_ ||
           store_->batch_bytes() >= kBatchBytesMax ||
           qmgr_.outcomes_waiting() >= kOutcomesWaitingMax;
}

void StoreService::on_qmgr_record(Peer& peer, uint16_t type, std::string_view body) {
    if (failed_) return;  // it replays to the next store
    switch (qmgr_.on_record(type, body)) {
        case QmgrLink::Handled::ok:
            if (type == wire::HeldContent::kType) take_back_loans(nullptr);
            break;
        case QmgrLink::Handled::wrong:
            return peers_->misbehaved(peer, "malformed record");
        case QmgrLink::Handled::store_failed:
            return fail("read queue");
    }
    if (qmgr_.reads_are_full()) peer.pause();
    if (qmgr_.outcomes_waiting() > 0 && !outcome_delay_.is_set()) {
        world_.loop.timers().set(outcome_delay_, world_.loop.now_us() + kOutcomeDelayUs);
    }
}

void StoreService::on_lease_request(AnswerQueue& answers, std::string_view body) {
    wire::LeaseRequest request;
    if (!wire::decode(body, request)) {
        return peers_->misbehaved(answers.peer(), "malformed lease request");
    }
    const MessageId first = failed_ ? kNoMessage : ids_.lease(world_.loop.wall_us());
    if (first == kNoMessage) {
        return answers.answer(wire::LeaseGrant{request.cookie, kNoMessage, 0});
    }
    leases_.push_back({answers.peer().incarnation(), request.cookie, first});
    world_.loop.request_turn_end(*this);
}

void StoreService::on_commit_request(AnswerQueue& answers, std::string_view body) {
    if (!wire::decode(body, request_)) {
        return peers_->misbehaved(answers.peer(), "malformed commit request");
    }
    const wire::CommitOutcome outcome = add(answers, request_);
    switch (outcome) {
        case wire::CommitOutcome::durable:
            return world_.loop.request_turn_end(*this);
        case wire::CommitOutcome::no_space:
            counters_.add(kNoSpace);
            break;
        case wire::CommitOutcome::busy:
            counters_.add(kBusy);
            break;
        case wire::CommitOutcome::refused:
            counters_.add(kRefused);
            break;
    }
    answers.answer(wire::CommitResult{request_.cookie, outcome});
}

// durable: it is in the batch, and will be.
wire::CommitOutcome StoreService::add(AnswerQueue& answers, const wire::CommitRequest& request) {
    using enum wire::CommitOutcome;
    if (failed_) return busy;
    if (!has_room()) return no_space;
    const auto refuse = [&](std::string_view why) {
        world_.log.warning(answers.peer().name() + ": commit request refused: " + std::string(why));
        return refused;
    };
    const auto envelope = check_envelope(request.envelope);
    if (!envelope) return refuse(envelope.error().text());
    if (!gather(request, envelope->size_bytes)) {
        return refuse(queue_id_text(envelope->id) + ": content is not where and what it should be");
    }
    if (!content_.can_hold(envelope->size_bytes)) {
        return refuse(queue_id_text(envelope->id) +
                      ": larger than the memory it is sent from; raise store_arena_size");
    }
    switch (ids_.claim(envelope->id)) {
        case IdBook::Claim::fresh:
            break;
        case IdBook::Claim::ask_queue:
            if (!store_->has_message(envelope->id)) break;
            [[fallthrough]];
        case IdBook::Claim::refused:
            return refuse(queue_id_text(envelope->id) +
                          ": this id is not leased, or was used before");
    }

    Added added{answers.peer().incarnation(),
                request.cookie,
                envelope->id,
                envelopes_.size(),
                request.envelope.size(),
                {}};
    // From here on only our own copy counts: the pieces' owners may still write to theirs.
    if (auto place = content_.take(pieces_, content_.blocks_total() / kShareKeptForLoads)) {
        added.place = std::move(*place);
        content_.views(added.place, pieces_);
    } else {
        counters_.add(kWithoutPlace);
        heap_copy_.clear();
        for (const std::string_view piece : pieces_) heap_copy_.append(piece);
        pieces_.assign(1, heap_copy_);
    }
    store_->add_message(envelope->id, request.envelope, pieces_);
    free_space_.take(envelope->size_bytes + request.envelope.size());
    if (heap_copy_.capacity() > kHeapCopyKeptBytes) std::string().swap(heap_copy_);
    envelopes_.append(request.envelope);
    counters_.add(kMessageBytes, envelope->size_bytes);
    added_.push_back(std::move(added));
    return durable;
}

// Postfix tells of a full disk in the log as well as to the client.
bool StoreService::has_room() {
    const int64_t now_us = world_.loop.now_us();
    if (free_space_.is_enough(now_us)) {
        if (std::exchange(told_short_, false))
            world_.log.info("there is room on the disk again: mail is accepted");
        return true;
    }
    store_->allow_spares(false);
    make_room();
    collect_garbage();
    if (free_space_.is_enough(now_us)) return true;  // what was reserved for copies is free again
    if (now_us >= tell_again_us_) {
        tell_again_us_ = now_us + kTellEveryUs;
        told_short_ = true;
        world_.log.warning("not enough free space for the queue: " +
                           std::to_string(free_space_.left_bytes(now_us) / kMiB) +
                           " MiB, less than " + std::to_string(free_space_.wanted_bytes() / kMiB) +
                           " MiB (store_free_space_floor): mail is refused with 452 4.3.1 until "
                           "delivery makes room");
    }
    return false;
}

// What was delivered is removed on disk when RocksDB comes to it, which new mail brings about. Now
// there is none.
void StoreService::make_room() {
    const int64_t now_us = world_.loop.now_us();
    if (!removals_on_disk_ || now_us < make_room_again_us_ || !free_space_.is_some(now_us)) return;
    removals_on_disk_ = false;
    make_room_again_us_ = now_us + kMakeRoomEveryUs;
    store_->make_room();
}

void StoreService::collect_garbage() {
    const int64_t now_us = world_.loop.now_us();
    if (now_us < collect_again_us_) return;
    collect_again_us_ = now_us + kCollectEveryUs;
    const QueueGarbage garbage =
        store_->collect_garbage(free_space_.copy_bytes_max(now_us), !free_space_.is_enough(now_us));
    free_space_.reserve(garbage.reserved_bytes);
    counters_.set(kGarbage, garbage.bytes);
    counters_.set(kCopies, garbage.reserved_bytes);
}

// Fills pieces_; false when an extent lies nowhere, the sizes differ, or there is more than any
// message holds: before a byte is copied.
bool StoreService::gather(const wire::CommitRequest& request, uint64_t size_bytes) {
    pieces_.clear();
    uint64_t sum = 0;
    for (const wire::Extent& extent : request.content) {
        const auto bytes =
            peers_->bytes(extent.incarnation, extent.first_block, extent.offset, extent.length);
        if (!bytes) return false;
        pieces_.push_back(*bytes);
        sum += bytes->size();
        if (sum > wire::kContentBytesMax) return false;
    }
    return sum > 0 && sum == size_bytes;
}

void StoreService::on_turn_end() {
    if (std::exchange(turn_over_, false)) {
        if (held_) {
            counters_.add(kBatchTimeOfMessages,
                          static_cast<uint64_t>(world_.loop.now_us() - batch_began_us_) *
                              std::exchange(batch_messages_, 0));
            resume_peers();
        }
        read_queue();
    }
    if (store_->has_failed() && !failed_) fail("background write");
    if (added_.empty() && leases_.empty() && !commit_now_) return;
    commit();
}

// The answers of the last batch are out, and nothing of this turn has been read from the rings yet.
void StoreService::read_queue() {
    const bool qmgr_was_paused = qmgr_.reads_are_full();
    for (int reads = 0; reads < kReadsATurn && !failed_ && reads_wait(); ++reads) {
        // qmgr and the listings take turns, as far as both want something.
        const bool for_qmgr = qmgr_.can_read() && (reads % 2 == 0 || !listing_.can_read());
        if (!for_qmgr) {
            listing_.read_next();
        } else if (qmgr_.read_next() == QmgrLink::Handled::store_failed) {
            fail("read queue");
        }
    }
    if (qmgr_was_paused && !failed_) read_who_may_be();
}

// Writes what the turn brought, then lets the answers out before anything else is read.
void StoreService::commit() {
    commit_now_ = false;
    outcome_delay_.cancel();
    if (failed_) return;
    if (!leases_.empty()) store_->put_id_mark(ids_.mark());
    const size_t outcomes = qmgr_.outcomes_waiting();
    store_->allow_spares(free_space_.is_ample(world_.loop.now_us()));
    batch_began_us_ = world_.loop.now_us();
    batch_messages_ = added_.size();
    const uint64_t sync_us_before = store_->log_sync_us();
    if (const auto written = store_->commit(); !written) return fail(written.error().where);
    const uint64_t sync_us = store_->log_sync_us() - sync_us_before;
    counters_.add(kCommits);
    counters_.add(kSyncTime, sync_us);
    counters_.add(kSyncTimeOfMessages, sync_us * added_.size());
    counters_.add(kOutcomes, outcomes);
    removals_on_disk_ = removals_on_disk_ || outcomes > 0;
    answer_all(wire::CommitOutcome::durable);
    qmgr_.on_committed();
    counters_.set(kLent, content_.lent_count());
    counters_.set(kBlocksUsed, content_.blocks_used());
    hold_peers();
    collect_garbage();
}

void StoreService::answer_all(wire::CommitOutcome outcome) {
    const bool durable = outcome == wire::CommitOutcome::durable;
    counters_.add(durable ? kMessages : kBusy, added_.size());
    for (Added& added : added_) {
        if (AnswerQueue* const answers = answers_of(added.incarnation)) {
            answers->answer(wire::CommitResult{added.cookie, outcome});
        }
    }
    for (Added& added : added_) {
        if (durable) {
            qmgr_.announce(
                added.id,
                std::string_view(envelopes_).substr(added.envelope_start, added.envelope_bytes),
                std::move(added.place));
        } else {
            content_.give_back(added.place);
        }
    }
    counters_.add(kLeases, durable ? leases_.size() : 0);
    for (const Lease& lease : leases_) {
        AnswerQueue* const answers = answers_of(lease.incarnation);
        if (answers == nullptr) continue;
        answers->answer(durable ? wire::LeaseGrant{lease.cookie, lease.first, wire::kLeaseIds}
                                : wire::LeaseGrant{lease.cookie, kNoMessage, 0});
    }
    added_.clear();
    leases_.clear();
    envelopes_.clear();
}

void StoreService::fail(const char* why) {
    if (std::exchange(failed_, true)) return;
    world_.log.fatal(std::string("queue can not be written: ") + why);
    store_->discard_batch();
    // Whether they are on disk nobody knows: the client tries again, which at worst is a duplicate.
    answer_all(has_bug(DeliberateBug::ack_failed_write) ? wire::CommitOutcome::durable
                                                        : wire::CommitOutcome::busy);
    hold_peers();
}

void StoreService::hold_peers() {
    held_ = true;
    for (const auto& answers : answers_) answers->peer().pause();
}

void StoreService::resume_peers() {
    held_ = false;
    if (failed_) {
        if (!std::exchange(failure_told_, true)) on_failed_();
        return;
    }
    read_who_may_be();
}

bool StoreService::may_read(const AnswerQueue& answers) const {
    if (held_ || answers.has_waiting()) return false;
    if (qmgr_.is_with(answers) && qmgr_.reads_are_full()) return false;
    return answers.peer().role() != Role::cleanup || !owners_late_.is_set() ||
           !peers_->expects_any(kOwners);
}

void StoreService::read_who_may_be() {
    for (const auto& answers : answers_) {
        if (may_read(*answers)) answers->peer().resume();
    }
}

bool StoreService::before_sleep() {
    turn_over_ = true;
    return held_ || (reads_wait() && !failed_);
}

}  // namespace posthaste::store
