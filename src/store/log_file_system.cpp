#include "store/log_file_system.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <rocksdb/file_system.h>
#include <string>
#include <unistd.h>
#include <utility>

#include "base/fd.h"

#include "store/log_file.h"
#include "store/log_ring.h"
#include "store/zeroed_files.h"

namespace posthaste::store {

namespace {

class LogFileSystem final : public rocksdb::FileSystemWrapper {
 public:
    LogFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target, const std::string& directory,
                  const LogFileOptions& options, std::shared_ptr<LogRing> ring, Log& log)
        : FileSystemWrapper(target), options_(options), ring_(std::move(ring)), log_(log) {
        if (options.zeroed_bytes > 0)
            zeroed_.emplace(directory, options.zeroed_bytes, options.direct, removal_);
    }

    ~LogFileSystem() override { closed_->cut(); }

    const char* Name() const override { return "PosthasteLogFileSystem"; }

    // Called by whoever turns to a new log, the writer or the garbage collector's thread: RocksDB
    // lets one at a time, while nobody writes.
    rocksdb::IOStatus NewWritableFile(const std::string& path,
                                      const rocksdb::FileOptions& file_options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* result,
                                      rocksdb::IODebugContext* debug) override {
        if (!path.ends_with(".log"))
            return FileSystemWrapper::NewWritableFile(path, file_options, result, debug);
        closed_->forget(path);
        if (zeroed_) take_zeroed(path);
        Fd file = open_log(path);
        if (!file) return rocksdb::IOStatus::IOError(os_error("make queue log").text());
        // Without a spare, because logs turn over faster than the disk takes zeros: at least the
        // size stays the same from sync to sync. Refused: it grows.
        (void)::fallocate(file.get(), 0, 0, static_cast<off_t>(options_.zeroed_bytes));
        *result = std::make_unique<LogFile>(std::move(file), path, ring_, progress_, closed_);
        return rocksdb::IOStatus::OK();
    }

    // Any thread of RocksDB's.
    rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* debug) override {
        // What somebody may still write into must not become a spare: only what was closed.
        const bool may_be_kept = closed_->forget(path) && zeroed_;
        if ((may_be_kept && zeroed_->keep(path)) || removal_.take(path))
            return rocksdb::IOStatus::OK();
        return FileSystemWrapper::DeleteFile(path, options, debug);
    }

    // RocksDB would copy every log byte into a buffer of its own first. Fragments larger than its
    // buffer go straight to ours.
    rocksdb::FileOptions OptimizeForLogWrite(const rocksdb::FileOptions& options,
                                             const rocksdb::DBOptions& database) const override {
        rocksdb::FileOptions log_options =
            FileSystemWrapper::OptimizeForLogWrite(options, database);
        log_options.writable_file_max_buffer_size = kRocksdbBufferBytes;
        return log_options;
    }

    bool new_log_pays() {
        if (!zeroed_) return false;
        if (const auto failure = zeroed_->failure())
            log_.warning("queue log: " + failure->text() +
                         ": until the next start each sync of the queue takes longer");
        const uint64_t synced = progress_->synced_bytes.load(std::memory_order_relaxed);
        if (synced >= std::min(kWantAfterBytes, options_.zeroed_bytes / 4)) zeroed_->want();
        return synced > progress_->zeroed_bytes.load(std::memory_order_relaxed) &&
               zeroed_->is_ready();
    }

    void allow_spares(bool allowed) {
        if (zeroed_) zeroed_->allow(allowed);
    }

    uint64_t sync_us() const noexcept { return progress_->sync_us.load(std::memory_order_relaxed); }

 private:
    static constexpr size_t kRocksdbBufferBytes = 1024;
    static constexpr uint64_t kWantAfterBytes = 2 << 20;

    // Puts a zeroed file in the place of the log, if there is one.
    void take_zeroed(const std::string& path) {
        progress_->synced_bytes = 0;
        progress_->zeroed_bytes = 0;
        const auto spare =
            std::exchange(first_log_, false) ? zeroed_->make_first() : zeroed_->take();
        if (!spare) return;
        if (::rename(spare->path.c_str(), path.c_str()) == 0) {
            progress_->zeroed_bytes = spare->zeroed_bytes;
        } else {
            ::unlink(spare->path.c_str());
        }
    }

    Fd open_log(const std::string& path) {
        constexpr int kFlags = O_CREAT | O_WRONLY | O_CLOEXEC;
        if (options_.direct) {
            Fd file(::open(path.c_str(), kFlags | O_DIRECT, 0600));
            if (file || errno != EINVAL) return file;
            log_.info("queue log: this file system has no O_DIRECT; using the page cache");
            options_.direct = false;
        }
        return Fd(::open(path.c_str(), kFlags, 0600));
    }

    LogFileOptions options_;
    std::shared_ptr<LogRing> ring_;
    // Of the newest log.
    std::shared_ptr<LogProgress> progress_ = std::make_shared<LogProgress>();
    std::shared_ptr<ClosedLogs> closed_ = std::make_shared<ClosedLogs>();
    SlowRemoval removal_;
    std::optional<ZeroedFiles> zeroed_;
    bool first_log_ = true;
    Log& log_;
};

}  // namespace

LogFiles make_log_file_system(const std::shared_ptr<rocksdb::FileSystem>& target,
                              const std::string& directory, const LogFileOptions& options,
                              Log& log) {
    std::shared_ptr<LogRing> ring;
    if (auto made = LogRing::create()) {
        ring = std::move(*made);
    } else {
        log.warning("queue log without io_uring (" + made.error().text() +
                    "): plain system calls do its work");
    }
    auto made = std::make_shared<LogFileSystem>(target ? target : rocksdb::FileSystem::Default(),
                                                directory, options, std::move(ring), log);
    return {made, [made] { return made->new_log_pays(); },
            [made](bool allowed) { made->allow_spares(allowed); },
            [made] { return made->sync_us(); }};
}

}  // namespace posthaste::store
