// Reading: what qmgr loads and scans, what listings show, and what is damaged put aside.
#include <algorithm>
#include <utility>

#include "mail/envelope.h"
#include "mail/queue_state.h"

#include "store/queue_database.h"

namespace posthaste::store {

namespace {

constexpr size_t kScanReadaheadBytes = 2 * kMiB;
// By one step of a listing; a removed message leaves two or three.
constexpr uint64_t kRemovedPassedMax = 4096;
// Which family a quarantined value came from.
constexpr std::pair<Family, char> kQuarantined[] = {
    {kContent, 'c'}, {kEnvelope, 'e'}, {kState, 's'}};

// Says nothing about what is stored: damage is Corruption.
bool is_unreadable(const rocksdb::Status& status) noexcept {
    return !status.ok() && !status.IsNotFound() && !status.IsCorruption();
}

}  // namespace

bool QueueStore::has_message(MessageId id) {
    // What can not be read is there as well.
    return !database_->get(kEnvelope, id_key(id).view(), database_->envelope).IsNotFound();
}

Result<QueueStore::Stored> QueueStore::load(MessageId id) {
    const auto key = id_key(id);
    const auto envelope_status = database_->get(kEnvelope, key.view(), database_->envelope);
    if (envelope_status.IsNotFound()) return Error{Errc::not_found, 0, "load message"};
    const auto state_status = database_->get(kState, key.view(), database_->state);
    for (const auto& status : {envelope_status, state_status}) {
        if (is_unreadable(status)) return database_->unreadable(id, status);
    }
    Stored stored;
    const char* damage = nullptr;
    if (!envelope_status.ok()) {
        damage = "its envelope can not be read";
    } else if (const auto payload = unseal(id, view(database_->envelope)); !payload) {
        damage = "its envelope fails its checksum";
    } else {
        stored.envelope = *payload;
    }
    if (state_status.ok()) {
        const auto payload = unseal(id, view(database_->state));
        if (!payload || !summarize_queue_state(*payload)) {
            damage = "its state fails its checksum";
        } else {
            stored.state = *payload;
        }
    } else if (!state_status.IsNotFound()) {
        damage = "its state can not be read";
    }
    if (damage == nullptr) return stored;
    RETURN_IF_ERROR(quarantine(id, damage));
    return Error{Errc::corrupt, 0, "load message"};
}

Result<std::string_view> QueueStore::load_content(MessageId id) {
    const auto status = database_->get(kContent, id_key(id).view(), database_->content);
    const char* damage = "its content fails its checksum";
    if (status.ok()) {
        if (const auto payload = unseal(id, view(database_->content))) return *payload;
    } else if (is_unreadable(status)) {
        return database_->unreadable(id, status);
    } else {
        damage = status.IsNotFound() ? "its content is missing" : "its content can not be read";
    }
    RETURN_IF_ERROR(quarantine(id, damage));
    return Error{Errc::corrupt, 0, "load content"};
}

Result<void> QueueStore::scan(MessageId after, size_t count_max,
                              std::vector<wire::ScanEntry>& entries, bool& last) {
    entries.clear();
    last = true;
    if (after >= kMessageIdMax) return {};
    std::vector<std::pair<MessageId, const char*>> damaged;
    std::vector<MessageId> stateless_gone;
    {
        rocksdb::ReadOptions read;
        read.fill_cache = false;
        read.readahead_size = kScanReadaheadBytes;
        // No snapshot: nobody writes between the two iterators, and letting go of one would begin a
        // compaction.
        IdWalk messages = database_->walk(kEnvelope, read, database_->log);
        IdWalk states = database_->walk(kState, read, database_->log);
        states.seek(after + 1);
        for (messages.seek(after + 1); messages.valid(); messages.next()) {
            if (entries.size() == count_max) {
                last = false;
                break;
            }
            const MessageId id = messages.id();
            // The states of messages that can not be read wait with them.
            if (messages.passed_damage()) states.seek(id);
            for (; states.valid() && states.id() < id; states.next())
                stateless_gone.push_back(states.id());
            wire::ScanEntry entry{id, 0, QueueName::active};
            const auto payload = unseal(id, messages.value());
            const auto envelope = payload
                                      ? check_envelope(*payload)
                                      : Result<EnvelopeSummary>(Error{Errc::corrupt, 0, "seal"});
            if (!envelope || envelope->id != id) {
                damaged.emplace_back(id, "its envelope does not parse");
                continue;
            }
            // One whose state can not be read is listed without it: its load finds the damage.
            if (states.valid() && states.id() == id) {
                const auto state = unseal(id, states.value());
                const auto summary = state ? summarize_queue_state(*state)
                                           : Result<QueueStateSummary>(Error{Errc::corrupt, 0, ""});
                states.next();
                if (!summary) {
                    damaged.emplace_back(id, "its state does not parse");
                    continue;
                }
                entry.due_s = summary->due_s;
                entry.queue = summary->queue;
            }
            entries.push_back(entry);
        }
        if (messages.met_damage() || states.met_damage()) database_->stop_compacting();
        if (!messages.status().ok()) return error_of(messages.status(), "scan queue");
        if (!states.status().ok()) return error_of(states.status(), "scan states");
    }
    for (const auto& [id, why] : damaged) RETURN_IF_ERROR(quarantine(id, why));
    if (stateless_gone.empty()) return {};
    rocksdb::WriteBatch orphans;
    for (const MessageId id : stateless_gone) {
        const auto key = id_key(id);
        ASSERT(orphans.Delete(database_->families[kState], slice(key.view())).ok());
    }
    return database_->write(orphans, "remove states without message");
}

Result<void> QueueStore::list_ids(MessageId after, size_t count_max, std::vector<MessageId>& ids) {
    ids.clear();
    if (after >= kMessageIdMax) return {};
    rocksdb::ReadOptions read;
    read.fill_cache = false;
    IdWalk messages = database_->walk(kEnvelope, read, nullptr);
    for (messages.seek(after + 1); messages.valid() && ids.size() < count_max; messages.next())
        ids.push_back(messages.id());
    if (!messages.status().ok()) return error_of(messages.status(), "list queue");
    return {};
}

// RocksDB says that it passed too much, not how far it came: the ids are tried in smaller steps
// until one can be made, then in larger ones.
Result<void> QueueStore::list_page(ListPlace& place, size_t count_max,
                                   std::vector<MessageId>& ids) {
    ids.clear();
    const MessageId first = place.after + 1;
    place.at_end = first > kMessageIdMax;
    if (place.at_end) return {};
    rocksdb::ReadOptions read;
    read.fill_cache = false;
    read.max_skippable_internal_keys = kRemovedPassedMax;
    const bool bounded = place.ids_a_step > 0 && place.ids_a_step <= kMessageIdMax - first;
    const auto step_end = id_key(bounded ? first + place.ids_a_step : kMessageIdMax);
    const rocksdb::Slice bound = slice(step_end.view());
    if (bounded) read.iterate_upper_bound = &bound;
    IdWalk messages = database_->walk(kEnvelope, read, nullptr);
    for (messages.seek(first); messages.valid() && ids.size() < count_max; messages.next())
        ids.push_back(messages.id());
    if (!ids.empty()) place.after = ids.back();
    if (ids.size() == count_max) return {};
    const rocksdb::Status status = messages.status();
    if (status.IsIncomplete()) {
        if (place.ids_a_step == 1) ++place.after;
        place.ids_a_step =
            place.ids_a_step == 0 ? kRemovedPassedMax : std::max<uint64_t>(place.ids_a_step / 2, 1);
    } else if (!status.ok()) {
        return error_of(status, "list queue");
    } else if (bounded) {
        place.after = first + place.ids_a_step - 1;
        place.ids_a_step *= 2;
    } else {
        place.at_end = true;
    }
    return {};
}

std::vector<QueueStore::StoredReason> QueueStore::reasons(MessageId id) {
    std::vector<StoredReason> out;
    database_->each_reason(id, [&](rocksdb::Iterator& it) {
        const auto recipient = recipient_of_key(view(it.key()));
        const auto payload = unseal(id, view(it.value()));
        const auto reason = payload ? decode_reason(*payload) : std::nullopt;
        // Only said to people: a damaged one is left out.
        if (!recipient || !reason) return;
        out.push_back({*recipient, std::string(reason->dsn), std::string(reason->text)});
    });
    return out;
}

Result<void> QueueStore::quarantine(MessageId id, std::string_view why) {
    const auto key = id_key(id);
    rocksdb::WriteBatch move;
    size_t moved = 0;
    for (const auto& [family, letter] : kQuarantined) {
        rocksdb::PinnableSlice value;
        const auto status = database_->get(family, key.view(), value);
        if (is_unreadable(status)) {
            const Error error = database_->unreadable(id, status);
            if (leaves_unreadable()) return {};
            return error;
        }
        // Damaged for RocksDB too: it stays where it is, for people with tools.
        if (!status.ok()) continue;
        auto* const handle = database_->families[family];
        ASSERT(move.Put(database_->families[kQuarantine], slice(quarantine_key(id, letter).view()),
                        value)
                   .ok());
        ASSERT((family == kState ? move.Delete(handle, slice(key.view()))
                                 : move.SingleDelete(handle, slice(key.view())))
                   .ok());
        ++moved;
    }
    database_->log->error(queue_id_text(id) + ": " + std::string(why) +
                          (moved > 0 ? ": moved to quarantine" : ": left in place"));
    ++database_->quarantined;
    if (moved == 0) return {};
    return database_->write(move, "quarantine");
}

}  // namespace posthaste::store
