// store/zeroed_files.h: makes files of zeros that become write-ahead logs.
//
// A thread of its own writes the zeros: for each logged byte another one goes to the disk and about
// half a microsecond of CPU for each 4 KiB; in return a sync takes half the time. So nothing is
// made before somebody wants it: an idle relay costs no disk. take() never waits. Files are called
// zeroed-N.spare; what an earlier process left is removed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"

namespace posthaste::store {

// What an earlier process left.
void remove_spare_logs(const std::string& directory);

class ZeroedFiles {
 public:
    struct File {
        std::string path;
        uint64_t zeroed_bytes = 0;  // the rest is reserved, which is worth less
    };

    // `direct`: past the page cache.
    ZeroedFiles(std::string directory, uint64_t file_bytes, bool direct);
    ~ZeroedFiles();
    ZeroedFiles(const ZeroedFiles&) = delete;
    ZeroedFiles& operator=(const ZeroedFiles&) = delete;

    // For the first log of a process: made now, only its beginning zeroed.
    std::optional<File> make_first();
    // One is made if there is none; asking again costs nothing.
    void want();
    bool is_ready();
    // The caller's now (rename it).
    std::optional<File> take();

 private:
    void run();
    Result<File> make_one(uint64_t zeroed_bytes);

    const std::string directory_;
    const uint64_t file_bytes_;
    const bool direct_;
    std::mutex mutex_;
    std::condition_variable changed_;
    // All under mutex_.
    std::optional<File> ready_;
    bool wanted_ = false;
    bool stopping_ = false;
    bool failed_ = false;  // no more of them
    uint64_t next_number_ = 1;
    std::thread thread_;
};

}  // namespace posthaste::store
