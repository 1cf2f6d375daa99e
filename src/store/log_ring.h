// store/log_ring.h: the store's private io_uring for its write-ahead log: write and sync as one
// submission.
//
// Made after privileges are dropped and before seccomp closes io_uring_setup; restricted to writing
// and syncing. Used by the thread that made it only (RocksDB's background threads, which may close
// an old log, write the plain way); waits for its own completions, so it is never shared with the
// service's loop.
#pragma once

#include <cstdint>
#include <liburing.h>
#include <memory>
#include <string_view>
#include <thread>

#include "base/result.h"

namespace posthaste::store {

class LogRing {
 public:
    static Result<std::shared_ptr<LogRing>> create();
    ~LogRing();
    LogRing(const LogRing&) = delete;
    LogRing& operator=(const LogRing&) = delete;

    bool is_ours() const noexcept { return std::this_thread::get_id() == owner_; }

    enum class Sync : uint8_t {
        none,
        these_bytes,  // what this call writes survives power loss (RWF_DSYNC)
        whole_file,   // and everything written before it: write and fdatasync, linked
    };
    Result<void> write(int descriptor, std::string_view bytes, uint64_t offset, Sync sync);

 private:
    LogRing() = default;

    io_uring ring_{};
    bool open_ = false;
    std::thread::id owner_;
};

// The same with plain system calls, from any thread.
Result<void> write_plainly(int descriptor, std::string_view bytes, uint64_t offset,
                           LogRing::Sync sync);

}  // namespace posthaste::store
