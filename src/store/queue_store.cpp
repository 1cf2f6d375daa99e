#include "store/queue_store.h"

#include <rocksdb/file_system.h>
#include <rocksdb/perf_level.h>
#include <utility>

#include "base/assert.h"

#include "store/log_file_system.h"
#include "store/log_repair.h"
#include "store/queue_database.h"
#include "store/table_check.h"
#include "store/zeroed_files.h"

namespace posthaste::store {

namespace {

constexpr char kUnreadableNote[] = "/ended-for-unreadable";

}  // namespace

QueueStore::QueueStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

QueueStore::~QueueStore() {
    if (!has_failed()) return;
    database_->stop_collecting();
    // Debian's RocksDB is built with assertions, and asserts that a file that failed is not closed
    // in order. The process ends anyway; a simulation, which goes on, keeps the remains reachable.
    using Remains = std::vector<std::unique_ptr<Database>>;
    static Remains& remains = *std::make_unique<Remains>().release();
    remains.push_back(std::move(database_));
}

Result<std::unique_ptr<QueueStore>> QueueStore::open(const std::string& directory,
                                                     const QueueStoreOptions& options, Log& log) {
    auto database = std::make_unique<Database>();
    database->log = &log;
    auto file_system = options.file_system;
    if (!file_system) file_system = rocksdb::FileSystem::Default();
    // Before recovery writes its tables: on a full disk it needs the room.
    if (!options.file_system) remove_spares(directory);
    // Whatever the setting says now: the log may have been written the other way before.
    RETURN_IF_ERROR(check_manifest(*file_system, directory, log));
    RETURN_IF_ERROR(check_tables(*file_system, directory, log));
    ASSIGN_OR_RETURN(const bool damaged, repair_logs(*file_system, directory, log));
    if (!options.file_system && options.log_io == LogIo::uring) {
        LogFileOptions log_options;
        // Content fills its memtable, and the log with it; envelopes and the rest add some.
        log_options.zeroed_bytes = options.memtable_bytes + options.memtable_bytes / 4;
        LogFiles made = make_log_file_system(file_system, directory, log_options, log);
        file_system = std::move(made.file_system);
        database->new_log_pays = std::move(made.new_log_pays);
        database->allow_spares = std::move(made.allow_spares);
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

void QueueStore::allow_spares(bool allowed) {
    if (database_->allow_spares) database_->allow_spares(allowed);
}

Result<void> QueueStore::commit() {
    if (batch_empty()) return {};
    RETURN_IF_ERROR(database_->write(database_->batch, "write to queue"));
    if (database_->new_log_pays && database_->new_log_pays()) return database_->turn_to_new_log();
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

QueueGarbage QueueStore::collect_garbage(uint64_t bytes_max, bool is_short) {
    if (has_failed()) return {};
    return database_->collector->look(bytes_max, is_short);
}

MessageId QueueStore::id_mark() const noexcept { return database_->id_mark; }

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
