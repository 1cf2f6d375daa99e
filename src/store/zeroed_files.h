// store/zeroed_files.h: makes files of zeros that become write-ahead logs.
//
// A thread of its own writes the zeros: for each logged byte another one goes to the disk and about
// half a microsecond of CPU for each 4 KiB; in return a sync takes half the time. So nothing is
// made before somebody wants it: an idle relay costs no disk. take() never waits.
//
// Old logs are zeroed anew rather than removed and made again: the file system has nothing to
// allocate and the disk nothing to discard (slow_removal.h says what that costs). Some of them are
// kept for it, as many as come back at once when a memtable has been written out.
//
// Files are called zeroed-N.spare; what an earlier process left is removed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

#include "store/slow_removal.h"

namespace posthaste::store {

// What an earlier process left, of slow_removal.h too.
void remove_spares(const std::string& directory);

class ZeroedFiles {
 public:
    struct File {
        std::string path;
        uint64_t zeroed_bytes = 0;  // the rest is reserved, which is worth less
    };

    // `direct`: past the page cache. `removal` outlives this.
    ZeroedFiles(std::string directory, uint64_t file_bytes, bool direct, SlowRemoval& removal);
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
    // A log that nobody needs or has open. True: it is ours now. False: it is not wanted.
    bool keep(const std::string& old_log);
    // While the disk is short: false. What lies here is given back, and nothing is made or kept.
    void allow(bool allowed);
    // Why no more are made, once.
    std::optional<Error> failure();

 private:
    static constexpr size_t kOldLogsMax = 3;

    void run();
    // Under mutex_.
    std::string next_path();
    bool has_unwanted() const;
    // Without it.
    void give_back(const std::string& path);
    // What is there already is an old log. Never removes.
    Result<File> zero(const std::string& path, bool is_new, uint64_t zeroed_bytes);

    const std::string directory_;
    const uint64_t file_bytes_;
    const bool direct_;
    SlowRemoval& removal_;
    std::mutex mutex_;  // never held while the file system works
    std::condition_variable changed_;
    // All under mutex_.
    std::optional<File> ready_;
    std::vector<std::string> old_logs_;
    size_t being_kept_ = 0;  // on their way into old_logs_
    bool wanted_ = false;
    bool allowed_ = true;
    bool stopping_ = false;
    bool failed_ = false;  // no more of them
    std::optional<Error> failure_;
    uint64_t next_number_ = 1;
    std::thread thread_;
};

}  // namespace posthaste::store
