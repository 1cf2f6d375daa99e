#include "store/zeroed_files.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/assert.h"
#include "base/fd.h"

namespace posthaste::store {

namespace {

// Small enough that a commit does not wait long behind one.
constexpr size_t kChunkBytes = 256 * 1024;
constexpr size_t kAlignment = 4096;
// Of the first file: start-up should not wait for all of it.
constexpr uint64_t kFirstZeroedBytes = 8 * 1024 * 1024;

}  // namespace

void remove_spares(const std::string& directory) {
    DIR* const entries = ::opendir(directory.c_str());
    if (entries == nullptr) return;
    while (const dirent* entry = ::readdir(entries)) {
        const std::string_view name = entry->d_name;
        if ((name.starts_with("zeroed-") || name.starts_with("removed-")) &&
            name.ends_with(".spare")) {
            ::unlinkat(::dirfd(entries), entry->d_name, 0);
        }
    }
    ::closedir(entries);
}

ZeroedFiles::ZeroedFiles(std::string directory, uint64_t file_bytes, bool direct,
                         SlowRemoval& removal)
    : directory_(std::move(directory)),
      file_bytes_((file_bytes + kChunkBytes - 1) / kChunkBytes * kChunkBytes),
      direct_(direct),
      removal_(removal) {
    thread_ = std::thread([this] { run(); });
}

ZeroedFiles::~ZeroedFiles() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
    if (ready_) ::unlink(ready_->path.c_str());
    for (const std::string& path : old_logs_) ::unlink(path.c_str());
}

std::optional<ZeroedFiles::File> ZeroedFiles::make_first() {
    std::unique_lock lock(mutex_);
    const std::string path = next_path();
    lock.unlock();
    auto made = zero(path, true, std::min(file_bytes_, kFirstZeroedBytes));
    if (made) return std::move(*made);
    ::unlink(path.c_str());
    return std::nullopt;
}

void ZeroedFiles::want() {
    {
        const std::lock_guard lock(mutex_);
        if (wanted_ || ready_ || failed_ || !allowed_) return;
        wanted_ = true;
    }
    changed_.notify_one();
}

bool ZeroedFiles::is_ready() {
    const std::lock_guard lock(mutex_);
    return ready_ && allowed_;
}

std::optional<ZeroedFiles::File> ZeroedFiles::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(ready_, std::nullopt);
}

bool ZeroedFiles::keep(const std::string& old_log) {
    struct stat found {};

    // With another name it is in somebody's backup as well.
    if (::stat(old_log.c_str(), &found) != 0 || found.st_nlink != 1 ||
        static_cast<uint64_t>(found.st_size) > 2 * file_bytes_)
        return false;
    std::unique_lock lock(mutex_);
    if (failed_ || !allowed_ || old_logs_.size() + being_kept_ >= kOldLogsMax) return false;
    const std::string path = next_path();
    ++being_kept_;
    lock.unlock();
    const bool renamed = ::rename(old_log.c_str(), path.c_str()) == 0;
    lock.lock();
    --being_kept_;
    if (renamed) old_logs_.push_back(path);
    lock.unlock();
    changed_.notify_one();
    return renamed;
}

void ZeroedFiles::allow(bool allowed) {
    {
        const std::lock_guard lock(mutex_);
        if (allowed_ == allowed) return;
        allowed_ = allowed;
    }
    removal_.hurry(!allowed);
    changed_.notify_one();
}

std::optional<Error> ZeroedFiles::failure() {
    const std::lock_guard lock(mutex_);
    return std::exchange(failure_, std::nullopt);
}

bool ZeroedFiles::has_unwanted() const {
    return (failed_ || !allowed_) && (ready_ || !old_logs_.empty());
}

void ZeroedFiles::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || wanted_ || has_unwanted(); });
        if (stopping_) return;
        if (failed_ || !allowed_) {
            wanted_ = false;
            std::vector<std::string> unwanted = std::exchange(old_logs_, {});
            if (ready_) unwanted.push_back(std::exchange(ready_, std::nullopt)->path);
            lock.unlock();
            for (const std::string& path : unwanted) give_back(path);
            lock.lock();
            continue;
        }
        const bool is_new = old_logs_.empty();
        std::string path = is_new ? next_path() : std::move(old_logs_.back());
        if (!is_new) old_logs_.pop_back();
        lock.unlock();
        auto made = zero(path, is_new, file_bytes_);
        if (!made) give_back(path);
        lock.lock();
        wanted_ = false;
        if (made) {
            ready_ = std::move(*made);
        } else if (!stopping_) {
            failed_ = true;
            failure_ = made.error();
        }
    }
}

void ZeroedFiles::give_back(const std::string& path) {
    if (!removal_.take(path)) ::unlink(path.c_str());
}

std::string ZeroedFiles::next_path() {
    return directory_ + "/zeroed-" + std::to_string(next_number_++) + ".spare";
}

Result<ZeroedFiles::File> ZeroedFiles::zero(const std::string& path, bool is_new,
                                            uint64_t zeroed_bytes) {
    const int flags =
        O_WRONLY | O_CLOEXEC | (is_new ? O_CREAT | O_EXCL : 0) | (direct_ ? O_DIRECT : 0);
    const Fd file(::open(path.c_str(), flags, 0600));
    if (!file) return os_error("make zeroed log");
    const std::unique_ptr<char, decltype(&std::free)> zeros(
        static_cast<char*>(std::aligned_alloc(kAlignment, kChunkBytes)), &std::free);
    ASSERT(zeros != nullptr);
    std::memset(zeros.get(), 0, kChunkBytes);

    struct stat found {};

    // An old log must have lost its name for good before it loses its bytes: at the next start a
    // log that begins with zeros would look damaged.
    bool written = ::fstat(file.get(), &found) == 0 && (is_new || sync_directory_of(path));
    // One extent if the file system can.
    written = written && (::fallocate(file.get(), 0, 0, static_cast<off_t>(file_bytes_)) == 0 ||
                          errno == EOPNOTSUPP);
    const uint64_t end = std::max(zeroed_bytes, static_cast<uint64_t>(found.st_size));
    for (uint64_t at = 0; written && at < end; at += kChunkBytes) {
        written = ::pwrite(file.get(), zeros.get(), kChunkBytes, static_cast<off_t>(at)) ==
                  static_cast<ssize_t>(kChunkBytes);
        const std::lock_guard lock(mutex_);
        written = written && !stopping_;
    }
    if (written && ::fsync(file.get()) == 0) return File{path, end};
    return os_error("zero log");
}

}  // namespace posthaste::store
