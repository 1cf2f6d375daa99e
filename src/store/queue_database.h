// store/queue_database.h: RocksDB as QueueStore uses it. Private to queue_database.cpp,
// queue_store.cpp (life and writing) and queue_store_read.cpp (reading and quarantine).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/write_batch.h>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/units.h"

#include "store/database_options.h"
#include "store/garbage_collector.h"
#include "store/id_walk.h"
#include "store/queue_store.h"
#include "store/record.h"

namespace posthaste::store {

inline constexpr char kMarkKey[] = "id_mark";
inline constexpr size_t kBatchReservedBytes = 1 * kMiB;

inline rocksdb::Slice slice(std::string_view bytes) noexcept {
    return {bytes.data(), bytes.size()};
}

inline std::string_view view(const rocksdb::Slice& bytes) noexcept {
    return {bytes.data(), bytes.size()};
}

Error error_of(const rocksdb::Status& status, const char* where) noexcept;

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

// Everything of RocksDB, kept out of the header. Members are destroyed from the last to the first:
// the database before the environment it writes through.
struct QueueStore::Database {
    Log* log = nullptr;
    std::unique_ptr<rocksdb::Env> env;  // outlives the database
    std::shared_ptr<FailureListener> listener;
    std::unique_ptr<rocksdb::DB> db;
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    std::optional<GarbageCollector> collector;  // while the database is open
    rocksdb::WriteBatch batch{kBatchReservedBytes};
    rocksdb::PinnableSlice envelope;
    rocksdb::PinnableSlice state;
    rocksdb::PinnableSlice content;
    std::vector<rocksdb::Slice> parts;
    std::string scratch;
    std::function<bool()> new_log_pays;
    std::function<void(bool)> allow_spares;
    std::function<uint64_t()> log_sync_us;
    MessageId id_mark = kNoMessage;
    uint64_t quarantined = 0;
    bool leaves_unreadable = false;
    bool compacts = true;
    bool failed = false;

    ~Database() { close(); }

    void close() {
        if (!db) return;
        // Else a round would be waited for, and whatever RocksDB merges beside it.
        rocksdb::CancelAllBackgroundWork(db.get(), false);
        stop_collecting();
        collector.reset();
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
        auto status =
            rocksdb::DB::Open(database, directory, family_descriptors(options, !leaves_unreadable),
                              &families, &opened);
        db.reset(opened);
        if (status.ok()) {
            collector.emplace(*db, *families[kContent], *log);
            if (!compacts) collector->stop();
        }
        return status;
    }

    void stop_collecting() {
        if (collector) collector->stop();
    }

    // A compaction that meets damage stops everything: nothing could be written any more.
    void stop_compacting() {
        if (std::exchange(compacts, false)) {
            stop_collecting();
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

    Result<void> write(rocksdb::WriteBatch& what, const char* where);

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

}  // namespace posthaste::store
