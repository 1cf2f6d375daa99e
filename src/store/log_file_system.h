// store/log_file_system.h: RocksDB's file system with our write-ahead log files (log_file.h) in the
// place of its own, and files removed so that the syncs beside it do not feel it (slow_removal.h).
// Everything else passes through.
//
// Measured on ext4 over virtio, one batch of 400 KiB: RocksDB's own way 430 µs and 172 µs of CPU,
// this way 200 µs and 36 µs; one of 8 KiB: 147 and 47 against 86 and 22
// (bench/micro/store_bench.cpp). Half of it is the zeroed file, which spares the journal; the other
// half is leaving the page cache aside.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "runtime/log.h"

namespace rocksdb {
class FileSystem;
}

namespace posthaste::store {

struct LogFileOptions {
    uint64_t zeroed_bytes = 80 << 20;  // a little more than a log grows to; 0: none are prepared
    bool direct = true;                // O_DIRECT where the file system has it
};

struct LogFiles {
    std::shared_ptr<rocksdb::FileSystem> file_system;
    // After each commit: has the present log outgrown its zeros while a zeroed file lies ready?
    // Then it pays to turn to a new log. Also has that file made once the log has grown a little,
    // which an idle relay's does not.
    std::function<bool()> new_log_pays;
    // False while the disk is short: what was prepared is given back.
    std::function<void(bool)> allow_spares;
    // Time spent in writing and syncing logs, all of them since the start.
    std::function<uint64_t()> sync_us;
};

// `target` null: the operating system's; `directory`: the queue's. Falls back step by step, saying
// so: without io_uring plain system calls, without O_DIRECT the page cache.
LogFiles make_log_file_system(const std::shared_ptr<rocksdb::FileSystem>& target,
                              const std::string& directory, const LogFileOptions& options,
                              Log& log);

}  // namespace posthaste::store
