#include "store/zeroed_files.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string_view>
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

void remove_spare_logs(const std::string& directory) {
    DIR* const entries = ::opendir(directory.c_str());
    if (entries == nullptr) return;
    while (const dirent* entry = ::readdir(entries)) {
        const std::string_view name = entry->d_name;
        if (name.starts_with("zeroed-") && name.ends_with(".spare")) {
            ::unlinkat(::dirfd(entries), entry->d_name, 0);
        }
    }
    ::closedir(entries);
}

ZeroedFiles::ZeroedFiles(std::string directory, uint64_t file_bytes, bool direct)
    : directory_(std::move(directory)),
      file_bytes_((file_bytes + kChunkBytes - 1) / kChunkBytes * kChunkBytes),
      direct_(direct) {
    remove_spare_logs(directory_);
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
}

std::optional<ZeroedFiles::File> ZeroedFiles::make_first() {
    auto made = make_one(std::min(file_bytes_, kFirstZeroedBytes));
    if (!made) return std::nullopt;
    return std::move(*made);
}

void ZeroedFiles::want() {
    {
        const std::lock_guard lock(mutex_);
        if (wanted_ || ready_ || failed_) return;
        wanted_ = true;
    }
    changed_.notify_one();
}

bool ZeroedFiles::is_ready() {
    const std::lock_guard lock(mutex_);
    return ready_.has_value();
}

std::optional<ZeroedFiles::File> ZeroedFiles::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(ready_, std::nullopt);
}

void ZeroedFiles::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || wanted_; });
        if (stopping_) return;
        lock.unlock();
        auto made = make_one(file_bytes_);
        lock.lock();
        wanted_ = false;
        if (made) {
            ready_ = std::move(*made);
        } else {
            failed_ = true;
        }
    }
}

Result<ZeroedFiles::File> ZeroedFiles::make_one(uint64_t zeroed_bytes) {
    uint64_t number = 0;
    {
        const std::lock_guard lock(mutex_);
        number = next_number_++;
    }
    const std::string path = directory_ + "/zeroed-" + std::to_string(number) + ".spare";
    const int flags = O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | (direct_ ? O_DIRECT : 0);
    const Fd file(::open(path.c_str(), flags, 0600));
    if (!file) return os_error("make zeroed log");
    const std::unique_ptr<char, decltype(&std::free)> zeros(
        static_cast<char*>(std::aligned_alloc(kAlignment, kChunkBytes)), &std::free);
    ASSERT(zeros != nullptr);
    std::memset(zeros.get(), 0, kChunkBytes);
    // One extent if the file system can.
    bool written =
        ::fallocate(file.get(), 0, 0, static_cast<off_t>(file_bytes_)) == 0 || errno == EOPNOTSUPP;
    for (uint64_t at = 0; written && at < zeroed_bytes; at += kChunkBytes) {
        written = ::pwrite(file.get(), zeros.get(), kChunkBytes, static_cast<off_t>(at)) ==
                  static_cast<ssize_t>(kChunkBytes);
        const std::lock_guard lock(mutex_);
        written = written && !stopping_;
    }
    if (written && ::fsync(file.get()) == 0) return File{path, zeroed_bytes};
    const Error error = os_error("zero log");
    ::unlink(path.c_str());
    return error;
}

}  // namespace posthaste::store
