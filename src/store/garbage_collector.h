// store/garbage_collector.h: gives the disk back what removed messages hold. Private to
// queue_database and queue_store; knows RocksDB.
//
// Large messages lie in files of their own ("blob files"), many in each. RocksDB deletes such a file
// when the last message in it is gone; until then the removed ones are holes. A round copies what is
// alive out of the oldest files, so that they can go:
//
//   look() ── holes pay ──► round on a thread of its own ──► look() finds it done, and looks again
//
// Bounded: a round copies kRoundBytesMax at most, and never more than fits; it takes disk before it
// gives any. It holds RocksDB's one place for merges no longer than that takes.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <rocksdb/db.h>
#include <string>
#include <thread>

#include "base/units.h"

#include "runtime/log.h"

#include "store/queue_store.h"

namespace posthaste::store {

// One round: what is alive in the `files` oldest of `files_total` blob files and referred to by the
// tables between the keys. RocksDB merges level by level, and at each counts the files anew: a round
// may copy that often.
struct GarbageRound {
    uint64_t oldest = 0;  // number of a blob file
    size_t files = 0;
    size_t files_total = 0;
    uint64_t bytes = 0;  // that it writes, at most
    std::string first_key;
    std::string last_key;
};

// The next one that writes at most bytes_max, whether or not it would free anything; nothing if
// there is none: no such files, or the tables concerned are being merged, or are too large.
std::optional<GarbageRound> next_round(const rocksdb::ColumnFamilyMetaData& content,
                                       uint64_t bytes_max);

struct GarbageSeen {
    uint64_t garbage_bytes;
    uint64_t all_bytes;       // of the files, garbage included
    uint64_t copy_bytes_max;  // what may be copied in a round
    bool is_short;            // of room on the disk
};

// Whether to begin, or, once begun, to go on until only a quarter is garbage.
bool is_worth_collecting(const GarbageSeen& seen, bool collecting);

class GarbageCollector {
 public:
    static constexpr uint64_t kRoundBytesMax = 512 * kMiB;
    // A round that has to be repeated was in vain, and waits for so many looks.
    static constexpr unsigned kLooksInVain = 60;

    GarbageCollector(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& content, Log& log)
        : db_(db), content_(content), log_(log) {}

    ~GarbageCollector() { stop(); }

    GarbageCollector(const GarbageCollector&) = delete;
    GarbageCollector& operator=(const GarbageCollector&) = delete;

    // See QueueStore::collect_garbage(). Returns at once.
    QueueGarbage look(uint64_t bytes_max, bool is_short);
    // Ends the round that is under way; no other begins.
    void stop();

 private:
    void settle();
    void begin(GarbageRound round);

    rocksdb::DB& db_;
    rocksdb::ColumnFamilyHandle& content_;
    Log& log_;
    std::thread thread_;
    std::atomic<bool> done_{false};  // thread_ ends without touching anything more
    rocksdb::Status result_;         // of it; read once it is done
    bool stopped_ = false;
    bool collecting_ = false;  // until the holes are few
    GarbageRound round_;       // the last that began
    unsigned looks_to_wait_ = 0;
};

}  // namespace posthaste::store
