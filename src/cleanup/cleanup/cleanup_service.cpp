#include "cleanup/cleanup/cleanup_service.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "mail/date.h"

#include "cleanup/cleanup/lent_message.h"
#include "cleanup/cleanup/recipients.h"

namespace posthaste::cleanup {
namespace {

enum CounterIndex : size_t {
    kMessages,
    kMessagesRefused,
    kHeaderBytes,
    kLeases,
    kStalls,
    kStoreTime,
    kBlocksUsed,
};

constexpr CounterRow kCounterRows[] = {
    {"messages_committed", "messages", "Messages that the store has made durable."},
    {"messages_refused", "messages", "Messages answered with anything but 250."},
    {"header_bytes_written", "bytes", "Header sections written to our arena."},
    {"leases_relayed", "leases", "Blocks of message ids passed on from the store."},
    {"stalls", "events", "Times the store's ring was full and the submitters were paused."},
    {"store_time", "us", "From handing messages to the store to its answer, summed over them."},
    {"arena_blocks_used", "blocks", "Holding headers when the last message was answered.",
     CounterKind::gauge},
};

// A header section of the largest size must still find room while submitters are not paused.
constexpr uint32_t kBlocksReserve =
    static_cast<uint32_t>(wire::kHeaderWrittenBytesMax / kBlockBytes);

constexpr uint32_t kSubmitters =
    role_bit(Role::smtpd) | role_bit(Role::pickup) | role_bit(Role::bounce) | role_bit(Role::local);

bool is_submitter(Role role) noexcept { return (role_bit(role) & kSubmitters) != 0; }

}  // namespace

std::span<const CounterRow> CleanupService::counter_rows() noexcept { return kCounterRows; }

CleanupService::CleanupService(World& world, CleanupParts parts)
    : loop_(world.loop),
      log_(world.log),
      arena_(*world.arena),
      counters_(world.counter_page, kCounterRows),
      policy_(std::move(parts.policy)),
      own_addresses_(std::move(parts.own_addresses)),
      local_time_at_(parts.local_time_at),
      store_patience_(timer_calls<&CleanupService::update_pauses, CleanupService>(), this) {
    await_store();
}

CleanupService::~CleanupService() = default;

void CleanupService::on_settings(const Settings& settings) {
    OpenReport report;
    auto policy = CleanupPolicy::read(settings, own_addresses_, report);
    for (const std::string& warning : report.warnings) log_.warning(warning);
    if (!policy) return log_.error("keeping the settings from before: " + report.error);
    policy_ = std::move(*policy);
}

bool CleanupService::is_idle() const {
    const auto waiting = [](const auto& entry) { return entry.second->has_waiting(); };
    // Whom we have greeted may take us at our word before it hears the next one.
    return transactions_.size() == 0 && still_giving_.empty() &&
           !(leaving_ && peers_->expects_any(kSubmitters)) &&
           std::none_of(submitters_.begin(), submitters_.end(), waiting);
}

void CleanupService::on_drain() {
    if (std::exchange(leaving_, true)) return;
    for (const auto& [incarnation, each] : submitters_) ask_for_no_more(*each);
    update_pauses();
}

void CleanupService::ask_for_no_more(AnswerQueue& submitter) {
    still_giving_.insert(submitter.peer().incarnation());
    submitter.answer(wire::NoMoreMail{});
}

// ---- peers

AnswerQueue* CleanupService::submitter(uint32_t incarnation) noexcept {
    const auto found = submitters_.find(incarnation);
    return found == submitters_.end() ? nullptr : found->second.get();
}

void CleanupService::on_peer_up(Peer& peer) {
    if (peer.role() == Role::store) {
        store_ = &peer;
        store_patience_.cancel();
        ask_for_leases();
        update_pauses();
    } else if (is_submitter(peer.role())) {
        auto entry = std::make_unique<AnswerQueue>(peer);
        peer.service_data = entry.get();
        AnswerQueue& met = *entry;
        submitters_[peer.incarnation()] = std::move(entry);
        if (leaving_) ask_for_no_more(met);
        update_pauses();
    }
}

void CleanupService::on_peer_down(Peer& peer) {
    if (&peer == store_) {
        store_ = nullptr;
        await_store();
        stalled_.clear();
        leases_.on_store_gone();
        transactions_.each([this](Transaction& each) { finish(each, wire::CommitOutcome::busy); });
    } else if (is_submitter(peer.role())) {
        leases_.on_asker_gone(peer.incarnation());
        submitters_.erase(peer.incarnation());
        still_giving_.erase(peer.incarnation());
        drop_stalled_of(peer.incarnation());
    }
    update_pauses();
}

// What the store has not seen yet names bytes that are void now.
void CleanupService::drop_stalled_of(uint32_t incarnation) {
    std::erase_if(stalled_, [&](const StalledRequest& stalled) {
        Transaction* const transaction = transactions_.find(stalled.cookie);
        if (transaction == nullptr || transaction->submitter != incarnation) return false;
        finish(*transaction, wire::CommitOutcome::busy);
        return true;
    });
}

void CleanupService::on_room(Peer& peer) {
    if (&peer == store_) {
        while (!stalled_.empty() &&
               store_->send_bytes(wire::CommitRequest::kType, stalled_.front().body)) {
            stalled_.erase(stalled_.begin());
        }
        ask_for_leases();
    } else if (AnswerQueue* const to = submitter(peer.incarnation())) {
        to->on_room();
    }
    update_pauses();
}

void CleanupService::await_store() {
    loop_.timers().set(store_patience_, loop_.now_us() + kStorePatienceUs);
}

// At any bound of ours nothing is taken from anybody; while answers to one wait, nothing from that
// one.
void CleanupService::update_pauses() {
    const bool full = store_patience_.is_set() || !stalled_.empty() || transactions_.full() ||
                      arena_.blocks_free() < std::min(kBlocksReserve, arena_.blocks_total() / 4);
    for (const auto& [incarnation, each] : submitters_) {
        if (full || each->has_waiting()) {
            each->peer().pause();
        } else {
            each->peer().resume();
        }
    }
}

void CleanupService::on_record(Peer& peer, uint16_t type, std::string_view body) {
    if (&peer == store_) {
        if (type == wire::CommitResult::kType) return on_commit_result(body);
        if (type == wire::LeaseGrant::kType) return on_lease_grant(body);
    } else if (AnswerQueue* const from = static_cast<AnswerQueue*>(peer.service_data)) {
        if (type == wire::SubmitMessage::kType) return on_submit(*from, body);
        if (type == wire::LeaseRequest::kType) return on_lease_request(*from, body);
        wire::NoMoreMail no_more;
        if (type == wire::NoMoreMail::kType && wire::decode(body, no_more) &&
            still_giving_.erase(peer.incarnation()) != 0)
            return;
    }
    peers_->misbehaved(peer, "a record that is not for cleanup");
}

// ---- message ids

void CleanupService::on_lease_request(AnswerQueue& from, std::string_view body) {
    wire::LeaseRequest request;
    if (!wire::decode(body, request))
        return peers_->misbehaved(from.peer(), "lease request does not parse");
    if (!leases_.add({from.peer().incarnation(), request.cookie})) {
        return peers_->misbehaved(from.peer(), "too many lease requests");
    }
    ask_for_leases();
}

void CleanupService::ask_for_leases() {
    if (store_ == nullptr) return;
    leases_.send_unasked(
        [this](uint64_t cookie) { return store_->send(wire::LeaseRequest{cookie}); });
}

void CleanupService::on_lease_grant(std::string_view body) {
    wire::LeaseGrant grant;
    if (!wire::decode(body, grant))
        return peers_->misbehaved(*store_, "lease grant does not parse");
    const auto asker = leases_.take(grant.cookie);
    if (!asker) return;  // it died meanwhile; its numbers are skipped
    AnswerQueue* const to = submitter(asker->incarnation);
    if (to == nullptr) return;
    grant.cookie = asker->cookie;
    to->answer(grant);
    counters_.add(kLeases);
    if (to->has_waiting()) update_pauses();
}

// ---- a message's way in

void CleanupService::refuse(AnswerQueue& to, uint64_t cookie, uint16_t code, std::string_view dsn,
                            std::string_view text) {
    counters_.add(kMessagesRefused);
    to.answer(wire::SubmitResult{cookie, code, dsn, text});
    if (to.has_waiting()) update_pauses();
}

void CleanupService::on_submit(AnswerQueue& from, std::string_view body) {
    if (!wire::decode(body, submitted_))
        return peers_->misbehaved(from.peer(), "submitted message does not parse");
    const auto message_bytes = lent_bytes(*peers_, from.peer().incarnation(), submitted_.content);
    if (!message_bytes)
        return peers_->misbehaved(from.peer(),
                                  "submitted message is too long or lies outside of its arena");
    const auto write_error = [&] {
        refuse(from, submitted_.cookie, 451, "4.3.0", "Error: queue file write error");
    };
    auto envelope = decode_envelope(submitted_.envelope);
    if (!envelope) {
        log_.warning(from.peer().name() + ": envelope refused: " + envelope.error().text());
        return write_error();
    }
    if (store_ == nullptr) return write_error();

    complete_envelope(policy_, *envelope);
    drop_duplicates(policy_, *envelope);
    const bool is_whole =
        copy_header_section(*peers_, submitted_.content, kHeaderSectionBytesMax, beginning_);
    const HeaderPass::Outcome outcome = header_pass_.run(
        policy_, *envelope, times_of(envelope->arrived_wall_us), beginning_, is_whole, header_);
    if (outcome.too_many_hops) {
        log_.warning(queue_id_text(envelope->id) + ": message rejected: hopcount exceeded");
        return refuse(from, submitted_.cookie, 554, "5.4.0", "Error: too many hops");
    }
    log_message_id(envelope->id, outcome);
    if (outcome.fields_cut != 0) {
        log_.warning(queue_id_text(envelope->id) +
                     ": header field longer than header_size_limit cut");
    }
    if (outcome.rest_is_body) {
        log_.warning(queue_id_text(envelope->id) + ": header of " +
                     std::to_string(outcome.body_offset) +
                     " bytes goes on: what follows is sent as body");
    }
    envelope->size_bytes = header_.size() + (*message_bytes - outcome.body_offset);
    if (!envelope_fits(*envelope)) {
        log_.warning(queue_id_text(envelope->id) + ": envelope too large");
        return write_error();
    }
    Transaction* const transaction = transactions_.open();
    if (transaction == nullptr) return write_error();
    transaction->submitter = from.peer().incarnation();
    transaction->submitter_cookie = submitted_.cookie;
    transaction->id = envelope->id;
    request_.content.clear();
    if (!place_header(*transaction, request_.content))
        return finish(*transaction, wire::CommitOutcome::no_space);
    append_extents_from(submitted_.content, outcome.body_offset, request_.content);
    commit(*transaction, *envelope);
    update_pauses();
}

// The header section into blocks of our own, one extent each.
bool CleanupService::place_header(Transaction& transaction, std::vector<wire::Extent>& content) {
    for (size_t at = 0; at < header_.size();) {
        const auto block = arena_.allocate();
        if (!block) return false;
        transaction.blocks.push_back(*block);
        const size_t length = std::min<size_t>(kBlockBytes, header_.size() - at);
        std::memcpy(arena_.block(*block).data(), header_.data() + at, length);
        content.push_back({arena_.incarnation(), *block, 0, static_cast<uint32_t>(length)});
        at += length;
    }
    counters_.add(kHeaderBytes, header_.size());
    return true;
}

void CleanupService::commit(Transaction& transaction, Envelope& envelope) {
    encode_envelope(envelope, envelope_bytes_);
    transaction.sent_us = loop_.now_us();
    request_.cookie = transaction.cookie;
    request_.envelope = envelope_bytes_;
    if (request_.content.size() > wire::kExtentsMax)
        return finish(transaction, wire::CommitOutcome::refused);
    if (stalled_.empty() && store_->send(request_)) return;
    StalledRequest& stalled = stalled_.emplace_back();
    stalled.cookie = transaction.cookie;
    wire::encode(request_, stalled.body);
    counters_.add(kStalls);
}

void CleanupService::on_commit_result(std::string_view body) {
    wire::CommitResult result;
    if (!wire::decode(body, result))
        return peers_->misbehaved(*store_, "commit result does not parse");
    Transaction* const transaction = transactions_.find(result.cookie);
    if (transaction == nullptr)
        return peers_->misbehaved(*store_, "commit result for nothing in flight");
    finish(*transaction, result.outcome);
    update_pauses();
}

// Our blocks come home and the submitter, if it still lives, has its answer.
void CleanupService::finish(Transaction& transaction, wire::CommitOutcome outcome) {
    for (const uint32_t block : transaction.blocks) arena_.free(block);
    counters_.set(kBlocksUsed, arena_.blocks_total() - arena_.blocks_free());
    wire::SubmitResult answer{transaction.submitter_cookie, 451, "4.3.0",
                              "Error: queue file write error"};
    switch (outcome) {
        case wire::CommitOutcome::durable:
            answer.code = 250;
            answer.dsn = "2.0.0";
            answer.text = {};
            counters_.add(kStoreTime, static_cast<uint64_t>(loop_.now_us() - transaction.sent_us));
            break;
        case wire::CommitOutcome::no_space:
            answer.code = 452;
            answer.dsn = "4.3.1";
            answer.text = "Insufficient system storage";
            break;
        case wire::CommitOutcome::busy:
            break;
        case wire::CommitOutcome::refused:
        default:  // foreign: any number may stand there
            log_.warning(queue_id_text(transaction.id) + ": the store refused the request");
            break;
    }
    counters_.add(answer.code == 250 ? kMessages : kMessagesRefused);
    AnswerQueue* const to = submitter(transaction.submitter);
    transactions_.close(transaction);
    if (to == nullptr) return;
    to->answer(answer);
    if (to->has_waiting()) update_pauses();
}

// ---- texts

// The same within a second, and most messages of a second come together.
HeaderPass::Times CleanupService::times_of(int64_t wall_us) {
    const int64_t second = wall_us / kSecondUs;
    if (second != times_second_) {
        times_second_ = second;
        const LocalTime local = local_time_at_(second);
        date_ = rfc5322_date(wall_us, local.utc_offset_s, local.zone_name.c_str());
    }
    return {date_};
}

void CleanupService::log_message_id(MessageId id, const HeaderPass::Outcome& outcome) {
    const auto say = [&](std::string_view what, std::string_view message_id) {
        line_.assign(queue_id_text(id)).append(what).append(message_id);
        std::erase(line_, '\r');  // a folded value's line end is one character in Postfix
        log_.info(line_);
    };
    say(": message-id=", outcome.message_id.value_or("<>"));
    if (outcome.resent_message_id) say(": resent-message-id=", *outcome.resent_message_id);
}

}  // namespace posthaste::cleanup
