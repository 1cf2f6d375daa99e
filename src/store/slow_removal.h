// store/slow_removal.h: removes large files a piece at a time.
//
// A file system mounted with `discard` (as the images of many clouds are) tells the device of each
// block that is freed, and a device may do nothing else meanwhile: measured, the removal of one log
// of 64 MiB held up the sync beside it for 17 ms, and removals come by threes. So a thread of its
// own cuts such a file shorter step by step, syncing each step (or the journal would save them all
// up for its next commit) and leaving the disk to others in between.
//
// The name is free at once; the room comes back at 250 MiB a second at most. Where much waits already,
// or the disk is short, nobody has time for this. What a process leaves behind is called
// removed-N.spare and goes at the next start (zeroed_files.h).
//
// RocksDB's own (SstFileManager) would put old logs into its trash before they could be used again,
// and has its own mind about full disks.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace posthaste::store {

class SlowRemoval {
 public:
    static constexpr uint64_t kStepBytes = 1 << 20;
    static constexpr uint64_t kWaitingBytesMax = uint64_t{1} << 30;

    SlowRemoval();
    // What is left goes at once.
    ~SlowRemoval();
    SlowRemoval(const SlowRemoval&) = delete;
    SlowRemoval& operator=(const SlowRemoval&) = delete;

    // Any thread. False: it is the caller's to remove, since it is small, has another name (in
    // somebody's backup, say, which must not shrink), or too much waits.
    bool take(const std::string& path);
    // The disk is short: without pauses.
    void hurry(bool hurries);

 private:
    struct File {
        std::string path;
        uint64_t bytes = 0;
    };

    void run();

    std::mutex mutex_;  // never held while the file system works
    std::condition_variable changed_;
    // All under mutex_.
    std::deque<File> waiting_;
    uint64_t waiting_bytes_ = 0;
    bool hurries_ = false;
    bool stopping_ = false;
    uint64_t next_number_ = 1;
    std::thread thread_;
};

// Makes a rename in the directory of `path` last.
bool sync_directory_of(const std::string& path);

}  // namespace posthaste::store
