// store/log_repair.h: looks at the write-ahead log before RocksDB does.
//
// Our logs lie in files zeroed beforehand (log_file_system.h), so after a crash the last batch is
// followed by zeros and may itself be torn: some of its sectors written, others still zero. RocksDB
// would call that corruption. What tells a torn batch from real damage: batch N+1 is never begun
// before batch N is synced. Thus
//   - nothing valid begins after the first bad place, and what is bad holds sectors never written
//     → the batch was never acknowledged: cut it off, quietly;
//   - a later record begins and is valid, or a bad record has no unwritten sector
//     → acknowledged bytes have changed: damage. Nothing is cut; the caller saves the log and says
//     so.
//
// Log format (RocksDB's, db/log_format.h): blocks of 32 KiB, in them records
//   {u32 masked crc32c of type and payload, u16 length, u8 type} payload;  type 1 full, 2 first, 3
//   middle, 4 last
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

#include "runtime/log.h"

namespace rocksdb {
class FileSystem;
}

namespace posthaste::store {

struct LogEnd {
    uint64_t good_bytes = 0;  // the end of the last whole batch
    bool torn = false;        // bytes of an unfinished batch follow
    bool damaged = false;
};

// `log` is the whole file.
LogEnd find_log_end(std::string_view log) noexcept;

// Cuts the tails of all logs in `directory`. True: one of them is damaged.
Result<bool> repair_logs(rocksdb::FileSystem& file_system, const std::string& directory, Log& log);
// The manifest has the log's format. A last record whose length was damaged looks to RocksDB as one
// that was being written at a power cut, and what it says of the tables would be forgotten, the
// tables with it; and without CURRENT it would begin a new queue in the place of the old one.
// Errc::corrupt: so it is, and the log says so.
Result<void> check_manifest(rocksdb::FileSystem& file_system, const std::string& directory,
                            Log& log);

// Whether an error that RocksDB met when it opened the queue is about a log: of everything else it
// says the file's name.
bool may_concern_log(std::string_view error) noexcept;
// Copies all logs into a new directory saved-log-N beside them and names it.
Result<std::string> save_logs_aside(rocksdb::FileSystem& file_system, const std::string& directory);

}  // namespace posthaste::store
