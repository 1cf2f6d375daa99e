// store/queue_store.h: the queue on disk. One RocksDB, one writer.
//
// Owned by    the store process; nobody else opens the database or sees a key.
// Called from the loop's thread only. RocksDB's own threads never call back into the service.
// Promises    when commit() answers ok, everything put into the batch before survives power loss.
// All or
//             nothing of a batch is there after a crash. Nothing that can not be understood is
//             deleted: it moves to `quarantine` untouched.
// Does not    order messages or decide when to retry (scheduler/), nor check what it is given to
// store.
//
// After a failed commit(), or once has_failed() is true, the outcome of what was in the batch is
// unknown and nothing more can be written: answer "busy", end the process, open anew. RocksDB does
// not recover from a failed log write by itself, and what a failed sync left in the page cache is
// nobody's promise.
//
// SingleDelete's contract (one Put for each key, then at most one SingleDelete that means it) is
// kept by never using an id twice (id_book.h); a message put and removed between two memtable
// flushes leaves nothing in the tables.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

#include "mail/wire/queued_message.h"
#include "runtime/log.h"

namespace rocksdb {
class FileSystem;
}

namespace posthaste::store {

// How the write-ahead log reaches the disk; store/log_file_system.h.
enum class LogIo : uint8_t {
    posix,  // RocksDB's own: write and fdatasync on a growing file
    uring,  // zeroed beforehand, past the page cache, one io_uring submission a batch
};

struct QueueStoreOptions {
    LogIo log_io = LogIo::uring;
    // What lies under RocksDB; null = the operating system. Given (tests, simulation): log_io is
    // not looked at, and an injected file system must offer what FileSystem::Default() does.
    std::shared_ptr<rocksdb::FileSystem> file_system;
    uint64_t memtable_bytes = 64 << 20;  // of message content; three may exist
    uint64_t blob_bytes_min = 16 << 10;  // larger messages are kept beside the tables
};

struct QueueGarbage {
    uint64_t bytes = 0;           // of removed messages, still on disk
    uint64_t reserved_bytes = 0;  // for the copies that are being made
};

class QueueStore {
 public:
    // Creates the database in an existing directory when there is none. Repairs the log's tail;
    // damage elsewhere in the log is saved aside, reported, and the queue is opened at the last
    // consistent point before it.
    static Result<std::unique_ptr<QueueStore>> open(const std::string& directory,
                                                    const QueueStoreOptions& options, Log& log);
    ~QueueStore();
    QueueStore(const QueueStore&) = delete;
    QueueStore& operator=(const QueueStore&) = delete;

    // ---- one batch, built up in memory
    // `envelope` as mail/envelope.h encodes it; `content` is copied, in order.
    void add_message(MessageId id, std::string_view envelope,
                     std::span<const std::string_view> content);
    // Replaces the state; `state` as mail/queue_state.h encodes it.
    void put_state(MessageId id, std::string_view state);
    void put_reason(MessageId id, uint32_t recipient, std::string_view dsn, std::string_view text);
    // All its records. `had_state`: state or reasons may have been put before.
    void remove_message(MessageId id, bool had_state);
    void put_id_mark(MessageId mark);
    size_t batch_bytes() const noexcept;
    bool batch_empty() const noexcept;
    void discard_batch();
    // Whether logs may be zeroed beforehand and old ones kept for it, which takes disk for speed.
    // From the start: yes.
    void allow_spares(bool allowed);
    // The disk is short: has what was removed written and merged away, and returns at once.
    void make_room();
    // What is removed leaves holes in the files of large messages, which go back to the disk when
    // the rest of such a file is removed as well, or copied out of it. That is done here, piece by
    // piece on a thread of its own, each piece at most `bytes_max` of copies: when the holes are the
    // larger part and more than bytes_max, and when the disk `is_short` if they are more than an
    // eighth. To be called now and then; returns at once.
    QueueGarbage collect_garbage(uint64_t bytes_max, bool is_short);
    // Writes the batch and syncs the log. Empty: nothing is done.
    Result<void> commit();
    // Time that commits have spent in writing and syncing the log so far; with LogIo::posix and
    // injected file systems nobody knows, and it is 0.
    uint64_t log_sync_us() const;

    // ---- what is committed
    bool has_message(MessageId id);

    // Views are valid until the next call. Errc::not_found; Errc::corrupt = moved to quarantine
    // just now; any other: could not be read, which says nothing about the message.
    struct Stored {
        std::string_view envelope;
        std::string_view state;  // empty: none was put
    };

    Result<Stored> load(MessageId id);
    Result<std::string_view> load_content(MessageId id);
    // Up to count_max entries with id > after. What does not parse goes to quarantine and is left
    // out, what lies in a damaged block is left out and stays; states whose message is gone are
    // removed. `last`: there is nothing beyond.
    Result<void> scan(MessageId after, size_t count_max, std::vector<wire::ScanEntry>& entries,
                      bool& last);

    struct StoredReason {
        uint32_t recipient;
        std::string dsn;
        std::string text;
    };

    std::vector<StoredReason> reasons(MessageId id);
    // Ids of `count_max` messages after `after`, readable or not.
    Result<void> list_ids(MessageId after, size_t count_max, std::vector<MessageId>& ids);

    // Where a listing stands.
    struct ListPlace {
        MessageId after = kNoMessage;
        uint64_t ids_a_step = 0;  // 0: not known to need steps
        bool at_end = false;
    };

    // The next ids of a listing, perhaps none though more are to come: what was removed a moment
    // ago still lies in the memtable by the ten thousands, and one call passes a bounded part of
    // it.
    Result<void> list_page(ListPlace& place, size_t count_max, std::vector<MessageId>& ids);
    // The mark as put last, or behind the largest id in the queue if the log lost it; kNoMessage in
    // a new queue.
    MessageId id_mark() const noexcept;
    // Moves whatever is stored under the id to quarantine, at once and synced. `why` for the log.
    Result<void> quarantine(MessageId id, std::string_view why);
    uint64_t quarantined_total() const noexcept;
    // Something could not be read though it is not damaged: no descriptors, no memory, a bad
    // sector. A new process may fare better, so this one should end; the next one, which is told by
    // this call, does not end for the same reason again, but leaves what it can not read where it
    // is until the start after it, and compacts nothing: a compaction that meets damage is such an
    // end too.
    void end_for_unreadable();
    bool leaves_unreadable() const noexcept;

    // RocksDB's own threads met an error: nothing more can be written.
    bool has_failed() const noexcept;

    // ---- for tests and for people
    Result<void> flush();  // memtables to tables
    // One of RocksDB's integer properties, summed over the column families; nothing when it has no
    // such.
    std::optional<uint64_t> property(std::string_view name) const;

 private:
    struct Database;
    explicit QueueStore(std::unique_ptr<Database> database);
    std::unique_ptr<Database> database_;
};

}  // namespace posthaste::store
