// store/log_file.h: one write-ahead log file as RocksDB sees it, written in whole 4 KiB blocks into
// a file that was zeroed beforehand.
//
//   |====== on disk ======|== buffer_ ===========|0000000000000000 zeros 0000000000000|
//   0                     start_ (4 KiB aligned) size_                               zeroed end
//
// Append() only fills the buffer; Sync() writes it, padded to whole blocks, past the page cache and
// durably in one operation. The file's size and extents do not change, so the file system has no
// journal to commit. The last block, when partly filled, stays in the buffer and is written again
// with the next batch: its old bytes do not change. Beyond the zeroed end the file grows and each
// sync costs more; nothing else changes.
//
// Close() leaves the zeros where they are: a log that is not needed any more is zeroed anew and
// used again (zeroed_files.h), and cutting it would only give the file system work. ClosedLogs says
// where the others end.
//
// Bytes that were appended and not synced are lost with the process: whoever needs an answer asks
// for Sync().
#pragma once

#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <rocksdb/file_system.h>
#include <string>

#include "base/fd.h"

#include "store/log_ring.h"

namespace posthaste::store {

// How far the present log has come; for whoever decides about the next one.
struct LogProgress {
    std::atomic<uint64_t> synced_bytes{0};
    std::atomic<uint64_t> zeroed_bytes{0};
    std::atomic<uint64_t> sync_us{0};  // spent in Sync(), all logs together
};

// Logs that were closed with zeros behind them: what may be used again when it is deleted, and what
// is cut when the queue is closed. Any thread.
class ClosedLogs {
 public:
    void add(const std::string& path, uint64_t bytes);
    // Whether it was one.
    bool forget(const std::string& path);
    // For who looks at the queue while it is closed; what fails is cut at the next start
    // (log_repair.h).
    void cut();

 private:
    std::mutex mutex_;
    std::map<std::string, uint64_t> bytes_;
};

class LogFile final : public rocksdb::FSWritableFile {
 public:
    static constexpr size_t kAlignment = 4096;
    static constexpr size_t kBufferBytes = 1 << 20;

    // `file` is open for writing, with O_DIRECT when the file system has it. `ring` may be null:
    // plain system calls.
    LogFile(Fd file, std::string path, std::shared_ptr<LogRing> ring,
            std::shared_ptr<LogProgress> progress, std::shared_ptr<ClosedLogs> closed);
    ~LogFile() override;

    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions&,
                             rocksdb::IODebugContext*) override;

    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo&,
                             rocksdb::IODebugContext* debug) override {
        return Append(data, options, debug);
    }

    rocksdb::IOStatus Flush(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus Truncate(uint64_t size, const rocksdb::IOOptions&,
                               rocksdb::IODebugContext*) override;
    rocksdb::IOStatus Close(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override;

    uint64_t GetFileSize(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
        return size_;
    }

    // The space is there already.
    void PrepareWrite(size_t, size_t, const rocksdb::IOOptions&,
                      rocksdb::IODebugContext*) override {}

    rocksdb::IOStatus InvalidateCache(size_t, size_t) override { return rocksdb::IOStatus::OK(); }

 private:
    struct Free {
        void operator()(char* memory) const noexcept { std::free(memory); }
    };

    rocksdb::IOStatus write_out(LogRing::Sync sync);

    Fd file_;
    const std::string path_;
    std::shared_ptr<LogRing> ring_;
    std::shared_ptr<LogProgress> progress_;
    std::shared_ptr<ClosedLogs> closed_;
    std::unique_ptr<char, Free> buffer_;
    uint64_t start_ = 0;
    uint64_t size_ = 0;
    bool dirty_ = false;             // appended since the last sync
    bool written_unsynced_ = false;  // some of it written without sync: the buffer was too small
};

}  // namespace posthaste::store
