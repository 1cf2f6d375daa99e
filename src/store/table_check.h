// store/table_check.h: what is looked at in the queue's tables before RocksDB opens them. It reads a
// table's properties before it has verified their checksum, and Debian's asserts on one bit of them:
// a file with that bit damaged would end the store without a word of which file it is.
#pragma once

#include <rocksdb/file_system.h>
#include <string>

#include "base/result.h"

#include "runtime/log.h"

namespace posthaste::store {

// Errc::corrupt when that bit is set in a table of the directory: the log names the file. What can
// not be read or understood is left to RocksDB, which says so.
Result<void> check_tables(rocksdb::FileSystem& file_system, const std::string& directory, Log& log);

}  // namespace posthaste::store
