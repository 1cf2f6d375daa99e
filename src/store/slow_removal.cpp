#include "store/slow_removal.h"

#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

namespace posthaste::store {

namespace {

constexpr auto kPause = std::chrono::milliseconds(4);

// False: nothing is left to cut, or it cannot be cut.
bool cut_once(const std::string& path) {
    const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));

    struct stat found {};

    if (!file || ::fstat(file.get(), &found) != 0) return false;
    const auto size = static_cast<uint64_t>(found.st_size);
    if (size <= SlowRemoval::kStepBytes) return false;
    return ::ftruncate(file.get(), static_cast<off_t>(size - SlowRemoval::kStepBytes)) == 0 &&
           ::fdatasync(file.get()) == 0;
}

}  // namespace

bool sync_directory_of(const std::string& path) {
    const std::string directory = path.substr(0, path.rfind('/') + 1);
    const Fd file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return file && ::fsync(file.get()) == 0;
}

SlowRemoval::SlowRemoval() {
    thread_ = std::thread([this] { run(); });
}

SlowRemoval::~SlowRemoval() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
    for (const File& file : waiting_) ::unlink(file.path.c_str());
}

bool SlowRemoval::take(const std::string& path) {
    struct stat found {};

    if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode) || found.st_nlink != 1)
        return false;
    const auto bytes = static_cast<uint64_t>(found.st_size);
    if (bytes <= kStepBytes) return false;
    std::string renamed = path.substr(0, path.rfind('/') + 1) + "removed-";
    {
        const std::lock_guard lock(mutex_);
        if (waiting_bytes_ + bytes > kWaitingBytesMax) return false;
        renamed += std::to_string(next_number_++) + ".spare";
    }
    if (::rename(path.c_str(), renamed.c_str()) != 0) return false;
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back({renamed, bytes});
        waiting_bytes_ += bytes;
    }
    changed_.notify_one();
    return true;
}

void SlowRemoval::hurry(bool hurries) {
    const std::lock_guard lock(mutex_);
    hurries_ = hurries;
}

void SlowRemoval::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        const File file = waiting_.front();
        lock.unlock();
        // A log must have lost its name for good before it loses its end: with that name and
        // without that end it would look damaged at the next start.
        bool more = sync_directory_of(file.path);
        while (more && cut_once(file.path)) {
            lock.lock();
            if (!hurries_) changed_.wait_for(lock, kPause, [this] { return stopping_; });
            more = !stopping_;
            lock.unlock();
        }
        ::unlink(file.path.c_str());
        lock.lock();
        waiting_.pop_front();
        waiting_bytes_ -= file.bytes;
    }
}

}  // namespace posthaste::store
