// runtime/uring_ring.h: one io_uring and its receive buffers. Knows submission entries, completion
// entries and buffers; what they mean is UringLoop's.
//
// Owned by a UringLoop; one thread, the one that created it (SINGLE_ISSUER). Created after
// privileges were dropped: a ring keeps the credentials of its maker. Set up disabled, restricted
// to the operations named in UringOptions (IORING_REGISTER_RESTRICTIONS), then enabled; after that
// nothing can be registered any more. Needs Linux 6.1 (DEFER_TASKRUN, multishot receive, buffer
// rings).
#pragma once

#include <cstdint>
#include <liburing.h>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"

#include "runtime/uring_loop.h"

namespace posthaste {

class UringRing {
 public:
    static Result<std::unique_ptr<UringRing>> create(const UringOptions& options);
    UringRing(const UringRing&) = delete;
    UringRing& operator=(const UringRing&) = delete;
    ~UringRing();

    // An entry to be filled in; submitted by the next enter(), or right away when the queue is
    // full. Of `in_a_row` entries asked for (the first call says how many), all go in one
    // submission: a link is never cut.
    io_uring_sqe& sqe(unsigned in_a_row = 1);

    bool has_unsubmitted() const noexcept { return io_uring_sq_ready(&ring_) > 0; }

    // Submits everything and collects what is complete; sleeps up to wait_us if nothing is (0: does
    // not sleep, kNeverUs: until something is). One system call.
    void enter(int64_t wait_us);
    void submit();

    struct Reaped {
        uint64_t key;  // user_data
        int32_t result;
        uint32_t flags;  // IORING_CQE_F_*
    };

    // What enter() collected, in order; the caller clears it. submit() may add to it.
    std::vector<Reaped>& reaped() noexcept { return reaped_; }

    // Receive buffers, group kBufferGroup. The kernel picks one per receive; it comes back by
    // recycle().
    static constexpr uint16_t kBufferGroup = 0;
    std::string_view buffer(const Reaped& reaped) const noexcept;
    void recycle(const Reaped& reaped) noexcept;

 private:
    UringRing() = default;
    Result<void> set_up(const UringOptions& options);
    Result<void> provide_buffers(const UringOptions& options);
    Result<void> restrict_and_enable(const UringOptions& options);
    void reap();

    io_uring ring_{};
    bool ring_made_ = false;
    std::vector<Reaped> reaped_;
    char* memory_ = nullptr;  // the buffer ring's page(s), then the buffers
    size_t memory_bytes_ = 0;
    io_uring_buf_ring* buffer_ring_ = nullptr;
    char* buffers_ = nullptr;
    unsigned buffer_count_ = 0;
    unsigned buffer_bytes_ = 0;
};

}  // namespace posthaste
