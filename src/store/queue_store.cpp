#include "store/queue_store.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/listener.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/write_batch.h>
#include <utility>

#include "base/assert.h"
#include "base/deliberate_bug.h"
#include "base/units.h"

#include "mail/envelope.h"
#include "mail/queue_state.h"

#include "store/database_options.h"
#include "store/id_walk.h"
#include "store/log_file_system.h"
#include "store/log_repair.h"
#include "store/record.h"
#include "store/zeroed_files.h"

namespace posthaste::store {

namespace {

constexpr char kFormatKey[] = "format";
constexpr char kMarkKey[] = "id_mark";
constexpr char kUnreadableNote[] = "/ended-for-unreadable";
constexpr uint32_t kFormatVersion = 1;
constexpr size_t kBatchReservedBytes = 1 * kMiB;
constexpr size_t kScanReadaheadBytes = 2 * kMiB;
// By one step of a listing; a removed message leaves two or three.
constexpr uint64_t kRemovedPassedMax = 4096;
// Which family a quarantined value came from.
constexpr std::pair<Family, char> kQuarantined[] = {
    {kContent, 'c'}, {kEnvelope, 'e'}, {kState, 's'}};

rocksdb::Slice slice(std::string_view bytes) noexcept { return {bytes.data(), bytes.size()}; }

std::string_view view(const rocksdb::Slice& bytes) noexcept { return {bytes.data(), bytes.size()}; }

Error error_of(const rocksdb::Status& status, const char* where) noexcept {
    if (status.IsNotFound()) return {Errc::not_found, 0, where};
    if (status.IsCorruption()) return {Errc::corrupt, 0, where};
    if (status.IsNoSpace()) return {Errc::no_space, 0, where};
    return {Errc::os, 0, where};
}

// Says nothing about what is stored: damage is Corruption.
bool is_unreadable(const rocksdb::Status& status) noexcept {
    return !status.ok() && !status.IsNotFound() && !status.IsCorruption();
}

// Called by RocksDB's threads: only raises a flag that the loop looks at, and leaves a note.
class FailureListener final : public rocksdb::EventListener {
 public:
    FailureListener(rocksdb::Env& env, std::string note) : env_(env), note_(std::move(note)) {}

    void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
        if (status == nullptr || status->ok()) return;
        if (status->IsCorruption()) leave_note();
        failed_.store(true, std::memory_order_relaxed);
    }

    // For the next process. A file, since nothing can be written to the database any more. Not
    // written: that process ends for the same reason, and tries again.
    void leave_note() { rocksdb::WriteStringToFile(&env_, "", note_).PermitUncheckedError(); }

    bool failed() const noexcept { return failed_.load(std::memory_order_relaxed); }

 private:
    rocksdb::Env& env_;
    const std::string note_;
    std::atomic<bool> failed_{false};
};

}  // namespace

// Everything of RocksDB, kept out of the header. Members are destroyed from the last to the first:
// the database before the environment it writes through.
struct QueueStore::Database {
    Log* log = nullptr;
    std::unique_ptr<rocksdb::Env> env;  // outlives the database
    std::shared_ptr<FailureListener> listener;
    std::unique_ptr<rocksdb::DB> db;
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    rocksdb::WriteBatch batch{kBatchReservedBytes};
    rocksdb::PinnableSlice envelope;
    rocksdb::PinnableSlice state;
    rocksdb::PinnableSlice content;
    std::vector<rocksdb::Slice> parts;
    std::string scratch;
    std::function<bool()> new_log_pays;
    std::function<uint64_t()> log_sync_us;
    bool may_prepare_log = true;
    MessageId id_mark = kNoMessage;
    uint64_t quarantined = 0;
    bool leaves_unreadable = false;
    bool compacts = true;
    bool failed = false;

    ~Database() { close(); }

    void close() {
        if (!db) return;
        // They pin blocks of the database's cache.
        for (auto* pinned : {&envelope, &state, &content}) pinned->Reset();
        for (rocksdb::ColumnFamilyHandle* family : families) {
            db->DestroyColumnFamilyHandle(family).PermitUncheckedError();
        }
        db->Close().PermitUncheckedError();
        db.reset();
    }

    rocksdb::Status open(const std::string& directory, const QueueStoreOptions& options,
                         rocksdb::WALRecoveryMode mode) {
        auto database = database_options(options, env.get(), listener);
        database.wal_recovery_mode = mode;
        rocksdb::DB* opened = nullptr;
        families.clear();
        const auto status =
            rocksdb::DB::Open(database, directory, family_descriptors(options, !leaves_unreadable),
                              &families, &opened);
        db.reset(opened);
        return status;
    }

    // A compaction that meets damage stops everything: nothing could be written any more.
    void stop_compacting() {
        if (std::exchange(compacts, false)) {
            for (rocksdb::ColumnFamilyHandle* family : families) {
                const auto status = db->SetOptions(family, {{"disable_auto_compactions", "true"}});
                if (!status.ok()) log->error("stop compaction: " + status.ToString());
            }
        }
    }

    void put_sealed(Family family, MessageId id, std::string_view key,
                    std::span<const std::string_view> payload) {
        const auto seal = seal_of(id, payload);
        parts.clear();
        parts.push_back(slice(seal.view()));
        for (const std::string_view piece : payload) parts.push_back(slice(piece));
        const rocksdb::Slice key_part = slice(key);
        const auto status =
            batch.Put(families[family], rocksdb::SliceParts(&key_part, 1),
                      rocksdb::SliceParts(parts.data(), static_cast<int>(parts.size())));
        ASSERT(status.ok());
    }

    rocksdb::Status get(Family family, std::string_view key, rocksdb::PinnableSlice& out) {
        out.Reset();
        rocksdb::ReadOptions read;
        read.fill_cache = family != kContent;
        return db->Get(read, families[family], slice(key), &out);
    }

    IdWalk walk(Family family, const rocksdb::ReadOptions& read, Log* log_of_damage) {
        return {*db, families[family], read, {leaves_unreadable, log_of_damage}};
    }

    // Keys of the reasons of one message.
    template <class Use>
    void each_reason(MessageId id, Use use) {
        const auto lower = reason_key(id, 0);
        const auto upper = id_key(id + 1);
        const rocksdb::Slice bound = slice(upper.view());
        rocksdb::ReadOptions read;
        read.iterate_upper_bound = &bound;
        const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(read, families[kReason]));
        for (it->Seek(slice(lower.view())); it->Valid(); it->Next()) use(*it);
    }

    Error unreadable(MessageId id, const rocksdb::Status& status) {
        log->error(queue_id_text(id) + ": can not be read: " + status.ToString());
        return error_of(status, "read message");
    }

    Result<void> write(rocksdb::WriteBatch& what, const char* where) {
        if (failed || listener->failed()) return Error{Errc::os, 0, where};
        rocksdb::WriteOptions options;
        options.sync = !has_bug(DeliberateBug::ack_before_sync);
        const auto status = db->Write(options, &what);
        what.Clear();
        if (status.ok()) return {};
        failed = true;
        log->error(std::string(where) + ": " + status.ToString());
        return error_of(status, where);
    }

    // A new memtable brings a new log. What the old one holds is mostly delivered by now and leaves
    // no trace in the tables.
    Result<void> turn_to_new_log() {
        rocksdb::FlushOptions options;
        options.wait = false;
        options.allow_write_stall = true;
        const auto status = db->Flush(options, families[kContent]);
        if (status.ok()) return {};
        failed = true;
        log->error("new queue log: " + status.ToString());
        return error_of(status, "new queue log");
    }

    Result<void> read_meta();
    void raise_id_mark();
};

Result<void> QueueStore::Database::read_meta() {
    rocksdb::PinnableSlice value;
    auto status = get(kMeta, kFormatKey, value);
    uint32_t version = kFormatVersion;
    if (status.ok() && value.size() == sizeof(version)) {
        std::memcpy(&version, value.data(), sizeof(version));
        if (version > kFormatVersion) {
            log->error("the queue was written by a newer version: format " +
                       std::to_string(version));
            return Error{Errc::unsupported, 0, "queue format"};
        }
    } else if (status.IsNotFound()) {
        rocksdb::WriteBatch first;
        status = first.Put(families[kMeta], kFormatKey,
                           {reinterpret_cast<const char*>(&version), sizeof(version)});
        ASSERT(status.ok());
        RETURN_IF_ERROR(write(first, "queue format"));
    } else {
        return Error{Errc::corrupt, 0, "queue format"};
    }
    status = get(kMeta, kMarkKey, value);
    if (status.IsNotFound()) return {};
    if (!status.ok()) return error_of(status, "id mark");
    const auto mark = unseal(kNoMessage, view(value));
    if (!mark || mark->size() != sizeof(id_mark)) return Error{Errc::corrupt, 0, "id mark"};
    std::memcpy(&id_mark, mark->data(), sizeof(id_mark));
    return {};
}

// A damaged log may have lost the newest mark and kept later messages. Recovery has put all it
// found into tables, and the files' own ranges need no reading; removed ids in them do no harm.
void QueueStore::Database::raise_id_mark() {
    const MessageId stored = id_mark;
    std::vector<rocksdb::LiveFileMetaData> files;
    db->GetLiveFilesMetaData(&files);
    for (const rocksdb::LiveFileMetaData& file : files) {
        if (file.column_family_name == kFamilyNames[kMeta]) continue;
        const MessageId largest = id_of_key(file.largestkey).value_or(kNoMessage);
        if (largest <= kMessageIdMax) id_mark = std::max(id_mark, largest + 1);
    }
    if (id_mark == stored) return;
    log->warning("the queue holds ids up to " + queue_id_text(id_mark - 1) +
                 ", beyond the mark in its log: new ones begin behind them");
}

QueueStore::QueueStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

QueueStore::~QueueStore() {
    if (!has_failed()) return;
    // Debian's RocksDB is built with assertions, and asserts that a file that failed is not closed
    // in order. The process ends anyway; a simulation, which goes on, keeps the remains reachable.
    static auto* const remains = new std::vector<std::unique_ptr<Database>>;
    remains->push_back(std::move(database_));
}

Result<std::unique_ptr<QueueStore>> QueueStore::open(const std::string& directory,
                                                     const QueueStoreOptions& options, Log& log) {
    auto database = std::make_unique<Database>();
    database->log = &log;
    auto file_system = options.file_system;
    if (!file_system) file_system = rocksdb::FileSystem::Default();
    // Before recovery writes its tables: on a full disk it needs the room.
    if (!options.file_system) remove_spare_logs(directory);
    // Whatever the setting says now: the log may have been written the other way before.
    RETURN_IF_ERROR(check_manifest(*file_system, directory, log));
    ASSIGN_OR_RETURN(const bool damaged, repair_logs(*file_system, directory, log));
    if (!options.file_system && options.log_io == LogIo::uring) {
        LogFileOptions log_options;
        // Content fills its memtable, and the log with it; envelopes and the rest add some.
        log_options.zeroed_bytes = options.memtable_bytes + options.memtable_bytes / 4;
        LogFiles made = make_log_file_system(file_system, log_options, log);
        file_system = std::move(made.file_system);
        database->new_log_pays = std::move(made.new_log_pays);
        database->log_sync_us = std::move(made.sync_us);
    }
    database->env = rocksdb::NewCompositeEnv(file_system);
    const std::string note = directory + kUnreadableNote;
    database->leaves_unreadable = database->env->DeleteFile(note).ok();
    database->compacts = !database->leaves_unreadable;
    database->listener = std::make_shared<FailureListener>(*database->env, note);
    if (database->leaves_unreadable) {
        log.warning(
            "the store ended because it could not read something: until the next start it "
            "leaves that where it is, and compacts nothing");
    }
    // Counting comparisons costs as much as comparing (thread-local look-ups across a library's
    // border).
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);

    auto status = rocksdb::Status::Corruption("see above");
    if (!damaged) {
        status = database->open(directory, options,
                                rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords);
    }
    if (status.IsCorruption() && (damaged || may_concern_log(status.ToString()))) {
        log.error("queue log damaged: " + status.ToString());
        ASSIGN_OR_RETURN(const std::string saved, save_logs_aside(*file_system, directory));
        log.error("queue log saved in " + saved +
                  "; opening without the damaged records: mail may be missing, look there");
        // Messages do not depend on each other, so what is undamaged after the damage is worth more
        // than an exact earlier moment: point-in-time recovery would drop all of it.
        status =
            database->open(directory, options, rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords);
    }
    if (!status.ok()) {
        log.error("open queue: " + status.ToString());
        if (status.IsCorruption())
            log.error(
                "nothing was deleted: restore the file named above from a copy, or move the "
                "directory aside");
        return error_of(status, "open queue");
    }
    RETURN_IF_ERROR(database->read_meta());
    database->raise_id_mark();
    return std::unique_ptr<QueueStore>(new QueueStore(std::move(database)));
}

void QueueStore::add_message(MessageId id, std::string_view envelope,
                             std::span<const std::string_view> content) {
    const auto key = id_key(id);
    database_->put_sealed(kContent, id, key.view(), content);
    database_->put_sealed(kEnvelope, id, key.view(), {&envelope, 1});
}

void QueueStore::put_state(MessageId id, std::string_view state) {
    database_->put_sealed(kState, id, id_key(id).view(), {&state, 1});
}

void QueueStore::put_reason(MessageId id, uint32_t recipient, std::string_view dsn,
                            std::string_view text) {
    encode_reason({dsn, text}, database_->scratch);
    const std::string_view payload = database_->scratch;
    database_->put_sealed(kReason, id, reason_key(id, recipient).view(), {&payload, 1});
}

void QueueStore::remove_message(MessageId id, bool had_state) {
    const auto key = id_key(id);
    auto& batch = database_->batch;
    auto& families = database_->families;
    ASSERT(batch.SingleDelete(families[kContent], slice(key.view())).ok());
    ASSERT(batch.SingleDelete(families[kEnvelope], slice(key.view())).ok());
    if (!had_state) return;
    ASSERT(batch.Delete(families[kState], slice(key.view())).ok());
    database_->each_reason(
        id, [&](rocksdb::Iterator& it) { ASSERT(batch.Delete(families[kReason], it.key()).ok()); });
}

void QueueStore::put_id_mark(MessageId mark) {
    database_->id_mark = mark;
    const std::string_view payload(reinterpret_cast<const char*>(&mark), sizeof(mark));
    database_->put_sealed(kMeta, kNoMessage, kMarkKey, {&payload, 1});
}

size_t QueueStore::batch_bytes() const noexcept { return database_->batch.GetDataSize(); }

bool QueueStore::batch_empty() const noexcept { return database_->batch.Count() == 0; }

void QueueStore::discard_batch() { database_->batch.Clear(); }

void QueueStore::allow_spare_log(bool allowed) noexcept { database_->may_prepare_log = allowed; }

Result<void> QueueStore::commit() {
    if (batch_empty()) return {};
    RETURN_IF_ERROR(database_->write(database_->batch, "write to queue"));
    if (database_->new_log_pays && database_->may_prepare_log && database_->new_log_pays())
        return database_->turn_to_new_log();
    return {};
}

uint64_t QueueStore::log_sync_us() const {
    return database_->log_sync_us ? database_->log_sync_us() : 0;
}

void QueueStore::make_room() {
    if (has_failed() || !database_->compacts) return;
    rocksdb::FlushOptions options;
    options.wait = false;
    options.allow_write_stall = true;
    const auto status = database_->db->Flush(options, database_->families);
    if (!status.ok()) database_->log->warning("make room in the queue: " + status.ToString());
}

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

MessageId QueueStore::id_mark() const noexcept { return database_->id_mark; }

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

uint64_t QueueStore::quarantined_total() const noexcept { return database_->quarantined; }

void QueueStore::end_for_unreadable() { database_->listener->leave_note(); }

bool QueueStore::leaves_unreadable() const noexcept { return database_->leaves_unreadable; }

bool QueueStore::has_failed() const noexcept {
    return database_->failed || database_->listener->failed();
}

Result<void> QueueStore::flush() {
    const auto status = database_->db->Flush({}, database_->families);
    if (!status.ok()) return error_of(status, "flush queue");
    return {};
}

std::optional<uint64_t> QueueStore::property(std::string_view name) const {
    uint64_t value = 0;
    if (!database_->db->GetAggregatedIntProperty(slice(name), &value)) return std::nullopt;
    return value;
}

}  // namespace posthaste::store
