// store/zeroed_files.h: keeps a file of zeros ready to become the next write-ahead log.
//
// A thread of its own writes the zeros (4 KiB of them for each 4 KiB logged: about half a
// microsecond of CPU a message, and twice the bytes on the disk; in return a sync takes half the
// time). take() never waits: without a ready file the log gets space that is only reserved. Files
// are called zeroed-N.spare; what an earlier process left is removed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"

namespace posthaste::store {

class ZeroedFiles {
 public:
    // `direct`: past the page cache. The first file is made before this returns, zeroed only in its
    // first part.
    ZeroedFiles(std::string directory, uint64_t file_bytes, bool direct);
    ~ZeroedFiles();
    ZeroedFiles(const ZeroedFiles&) = delete;
    ZeroedFiles& operator=(const ZeroedFiles&) = delete;

    // Its path; it is the caller's now (rename it), and the next one is being made.
    std::optional<std::string> take();

 private:
    void run();
    Result<std::string> make_one(uint64_t number, uint64_t zeroed_bytes);

    const std::string directory_;
    const uint64_t file_bytes_;
    const bool direct_;
    std::mutex mutex_;
    std::condition_variable wanted_;
    std::optional<std::string> ready_;  // under mutex_
    bool stopping_ = false;             // under mutex_
    bool failed_ = false;               // under mutex_: no more of them, logs grow instead
    uint64_t next_number_ = 1;          // the thread's, after the constructor
    std::thread thread_;
};

}  // namespace posthaste::store
