#include "store/log_file.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <unistd.h>

#include "base/assert.h"

namespace posthaste::store {

namespace {

rocksdb::IOStatus status_of(const Error& error) {
    return error.code == Errc::no_space ? rocksdb::IOStatus::NoSpace(error.text())
                                        : rocksdb::IOStatus::IOError(error.text());
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the text is owned by what is returned

constexpr uint64_t round_down(uint64_t value) noexcept {
    return value / LogFile::kAlignment * LogFile::kAlignment;
}

constexpr uint64_t round_up(uint64_t value) noexcept {
    return round_down(value + LogFile::kAlignment - 1);
}

}  // namespace

void ClosedLogs::add(const std::string& path, uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    bytes_[path] = bytes;
}

bool ClosedLogs::forget(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return bytes_.erase(path) > 0;
}

void ClosedLogs::cut() {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, bytes] : bytes_) {
        [[maybe_unused]] const int failure = ::truncate(path.c_str(), static_cast<off_t>(bytes));
    }
    bytes_.clear();
}

LogFile::LogFile(Fd file, std::string path, std::shared_ptr<LogRing> ring,
                 std::shared_ptr<LogProgress> progress, std::shared_ptr<ClosedLogs> closed)
    : file_(std::move(file)),
      path_(std::move(path)),
      ring_(std::move(ring)),
      progress_(std::move(progress)),
      closed_(std::move(closed)),
      buffer_(static_cast<char*>(std::aligned_alloc(kAlignment, kBufferBytes))) {
    ASSERT(buffer_ != nullptr);
}

LogFile::~LogFile() {
    if (file_) Close({}, nullptr).PermitUncheckedError();
}

rocksdb::IOStatus LogFile::Append(const rocksdb::Slice& data, const rocksdb::IOOptions&,
                                  rocksdb::IODebugContext*) {
    size_t taken = 0;
    while (taken < data.size()) {
        const auto used = static_cast<size_t>(size_ - start_);
        if (used == kBufferBytes) {
            auto status = write_out(LogRing::Sync::none);
            if (!status.ok()) return status;
            written_unsynced_ = true;
            continue;
        }
        const size_t count = std::min(data.size() - taken, kBufferBytes - used);
        std::memcpy(buffer_.get() + used, data.data() + taken, count);
        taken += count;
        size_ += count;
        dirty_ = true;
    }
    return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus LogFile::Flush(const rocksdb::IOOptions&, rocksdb::IODebugContext*) {
    return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus LogFile::Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) {
    if (!dirty_) return rocksdb::IOStatus::OK();
    const auto began = std::chrono::steady_clock::now();
    auto status =
        write_out(written_unsynced_ ? LogRing::Sync::whole_file : LogRing::Sync::these_bytes);
    if (!status.ok()) return status;
    const auto took = std::chrono::steady_clock::now() - began;
    progress_->sync_us.fetch_add(
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()),
        std::memory_order_relaxed);
    dirty_ = false;
    written_unsynced_ = false;
    progress_->synced_bytes.store(size_, std::memory_order_relaxed);
    return status;
}

// Writes the buffer in whole blocks and keeps the last, partly filled one.
rocksdb::IOStatus LogFile::write_out(LogRing::Sync sync) {
    const auto used = static_cast<size_t>(size_ - start_);
    const auto padded = static_cast<size_t>(round_up(used));
    std::memset(buffer_.get() + used, 0, padded - used);
    const std::string_view bytes(buffer_.get(), padded);
    const auto result = ring_ && ring_->is_ours() ? ring_->write(file_.get(), bytes, start_, sync)
                                                  : write_plainly(file_.get(), bytes, start_, sync);
    if (!result) return status_of(result.error());
    const auto whole = static_cast<size_t>(round_down(used));
    std::memmove(buffer_.get(), buffer_.get() + whole, used - whole);
    start_ += whole;
    return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus LogFile::Truncate(uint64_t size, const rocksdb::IOOptions&,
                                    rocksdb::IODebugContext*) {
    if (size != size_) return rocksdb::IOStatus::NotSupported("truncate log");
    return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus LogFile::Close(const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* debug) {
    if (!file_) return rocksdb::IOStatus::OK();
    auto status = Sync(options, debug);
    if (status.ok()) closed_->add(path_, size_);
    file_.reset();
    return status;
}

}  // namespace posthaste::store
