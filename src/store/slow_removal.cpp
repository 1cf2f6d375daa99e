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

SlowRemoval::SlowRemoval() : thread_([this] { run(); }) {}

SlowRemoval::~SlowRemoval() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
    for (const std::string& path : waiting_) ::unlink(path.c_str());
}

bool SlowRemoval::take(const std::string& path) {
    struct stat found {};

    if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode) ||
        static_cast<uint64_t>(found.st_size) <= kStepBytes)
        return false;
    {
        const std::lock_guard lock(mutex_);
        const std::string spare = path.substr(0, path.rfind('/') + 1) + "removed-" +
                                  std::to_string(next_number_) + ".spare";
        if (::rename(path.c_str(), spare.c_str()) != 0) return false;
        ++next_number_;
        waiting_.push_back(spare);
    }
    changed_.notify_one();
    return true;
}

void SlowRemoval::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        const std::string path = waiting_.front();
        lock.unlock();
        const bool more = cut_once(path);
        if (!more) ::unlink(path.c_str());
        lock.lock();
        if (!more) waiting_.pop_front();
        changed_.wait_for(lock, kPause, [this] { return stopping_; });
    }
}

}  // namespace posthaste::store
