// store/slow_removal.h: removes large files a piece at a time.
//
// A file system mounted with `discard` (as the images of many clouds are) tells the device of each
// block that is freed, and a device may do nothing else meanwhile: measured, the removal of one log
// of 64 MiB held up the sync beside it for 17 ms, and removals come by threes. So a thread of its
// own cuts such a file shorter step by step, syncing each step (or the journal would save them all
// up for its next commit) and leaving the disk to others in between.
//
// The name is free at once; the room comes back at some 200 MiB a second. What a process leaves
// behind is called removed-N.spare and goes with the other spares at the next start
// (zeroed_files.h).
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

    SlowRemoval();
    // What is left goes at once.
    ~SlowRemoval();
    SlowRemoval(const SlowRemoval&) = delete;
    SlowRemoval& operator=(const SlowRemoval&) = delete;

    // Any thread. False: it is small, or could not be renamed: the caller's to remove.
    bool take(const std::string& path);

 private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    // All under mutex_.
    std::deque<std::string> waiting_;
    bool stopping_ = false;
    uint64_t next_number_ = 1;
    std::thread thread_;
};

}  // namespace posthaste::store
