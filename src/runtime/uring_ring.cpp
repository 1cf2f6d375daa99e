#include "runtime/uring_ring.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/units.h"

namespace posthaste {
namespace {

constexpr unsigned kSetupFlags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP |
                                 IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED;
constexpr unsigned kFeatures = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
                               IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
// Multishot operations complete many times per submission.
constexpr unsigned kCompletionsPerEntry = 16;
constexpr size_t kPageBytes = 4096;

Error error_of(int negative_errno, const char* where) noexcept {
    const int os_errno = -negative_errno;
    const bool refused =
        os_errno == ENOSYS || os_errno == EPERM || os_errno == EACCES || os_errno == EINVAL;
    return {refused ? Errc::unsupported : Errc::os, os_errno, where};
}

io_uring_restriction allow_operation(uint8_t opcode) noexcept {
    io_uring_restriction out{};
    out.opcode = IORING_RESTRICTION_SQE_OP;
    out.sqe_op = opcode;
    return out;
}

std::vector<io_uring_restriction> restrictions_of(const UringOptions& options) {
    std::vector<io_uring_restriction> out;
    const auto allow = [&out](bool wanted, std::initializer_list<uint8_t> opcodes) {
        if (!wanted) return;
        for (const uint8_t opcode : opcodes) out.push_back(allow_operation(opcode));
    };
    // Waiting for doorbells, ringing them, and calling operations back is every loop's.
    allow(true, {IORING_OP_POLL_ADD, IORING_OP_WRITE, IORING_OP_ASYNC_CANCEL});
    allow(options.accept, {IORING_OP_ACCEPT});
    allow(options.connect, {IORING_OP_CONNECT});
    allow(options.receive, {IORING_OP_RECV});
    allow(options.send, {IORING_OP_SEND, IORING_OP_SENDMSG});
    allow(options.files, {IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_SYNC_FILE_RANGE});
    io_uring_restriction flags{};
    flags.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    flags.sqe_flags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    out.push_back(flags);
    return out;
}

}  // namespace

Result<std::unique_ptr<UringRing>> UringRing::create(const UringOptions& options) {
    std::unique_ptr<UringRing> ring(new UringRing);
    RETURN_IF_ERROR(ring->set_up(options));
    if (options.receive) RETURN_IF_ERROR(ring->provide_buffers(options));
    RETURN_IF_ERROR(ring->restrict_and_enable(options));
    return ring;
}

UringRing::~UringRing() {
    if (ring_made_) io_uring_queue_exit(&ring_);
    if (memory_ != nullptr) ::munmap(memory_, memory_bytes_);
}

Result<void> UringRing::set_up(const UringOptions& options) {
    ASSERT(options.entries >= 2);
    io_uring_params params{};
    params.flags = kSetupFlags;
    params.cq_entries = options.entries * kCompletionsPerEntry;
    const int made = io_uring_queue_init_params(options.entries, &ring_, &params);
    if (made < 0) return error_of(made, "io_uring_setup");
    ring_made_ = true;
    if ((params.features & kFeatures) != kFeatures)
        return Error{Errc::unsupported, EINVAL, "io_uring features"};
    // A child of fork() must not share our queues. Saves a descriptor look-up per enter; works
    // without.
    io_uring_ring_dontfork(&ring_);
    io_uring_register_ring_fd(&ring_);
    reaped_.reserve(options.entries);
    return {};
}

Result<void> UringRing::provide_buffers(const UringOptions& options) {
    buffer_count_ = std::bit_ceil(std::clamp(options.receive_buffers, 2u, 32768u));
    buffer_bytes_ = std::max(options.receive_buffer_bytes, 256u);
    const size_t ring_bytes =
        (buffer_count_ * sizeof(io_uring_buf) + kPageBytes - 1) / kPageBytes * kPageBytes;
    memory_bytes_ = ring_bytes + size_t{buffer_count_} * buffer_bytes_;
    void* const memory =
        ::mmap(nullptr, memory_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return os_error("receive buffers");
    memory_ = static_cast<char*>(memory);
    buffer_ring_ = static_cast<io_uring_buf_ring*>(memory);
    buffers_ = memory_ + ring_bytes;

    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<uintptr_t>(buffer_ring_);
    registration.ring_entries = buffer_count_;
    registration.bgid = kBufferGroup;
    const int done = io_uring_register_buf_ring(&ring_, &registration, 0);
    if (done < 0) return error_of(done, "io_uring buffer ring");
    io_uring_buf_ring_init(buffer_ring_);
    for (unsigned id = 0; id < buffer_count_; ++id) {
        io_uring_buf_ring_add(buffer_ring_, buffers_ + size_t{id} * buffer_bytes_, buffer_bytes_,
                              static_cast<uint16_t>(id), io_uring_buf_ring_mask(buffer_count_),
                              static_cast<int>(id));
    }
    io_uring_buf_ring_advance(buffer_ring_, static_cast<int>(buffer_count_));
    return {};
}

// liburing 2.3 declares io_uring_register_restrictions() and io_uring_enable_rings() but its
// library lacks them.
Result<void> UringRing::restrict_and_enable(const UringOptions& options) {
    const auto restrictions = restrictions_of(options);
    const auto fd = static_cast<unsigned>(ring_.ring_fd);
    int done = io_uring_register(fd, IORING_REGISTER_RESTRICTIONS, restrictions.data(),
                                 static_cast<unsigned>(restrictions.size()));
    if (done < 0) return error_of(done, "io_uring restrictions");
    done = io_uring_register(fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    if (done < 0) return error_of(done, "io_uring enable");
    return {};
}

io_uring_sqe& UringRing::sqe(unsigned in_a_row) {
    if (io_uring_sq_space_left(&ring_) < in_a_row) submit();
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    ASSERT(entry != nullptr);
    return *entry;
}

void UringRing::submit() {
    // The kernel refuses while completions overflow or memory is short; taking completions out
    // makes room.
    for (int tries = 0; has_unsubmitted(); ++tries) {
        ASSERT(tries < 1000);
        const int done = io_uring_submit(&ring_);
        if (done >= 0) continue;
        ASSERT(done == -EBUSY || done == -EAGAIN || done == -EINTR || done == -ENOMEM);
        io_uring_get_events(&ring_);
        reap();
    }
}

void UringRing::enter(int64_t wait_us) {
    int done = 0;
    if (wait_us <= 0) {
        done = io_uring_submit_and_get_events(&ring_);
    } else {
        io_uring_cqe* first = nullptr;
        __kernel_timespec timeout{wait_us / kSecondUs, wait_us % kSecondUs * 1000};
        done = io_uring_submit_and_wait_timeout(&ring_, &first, 1,
                                                wait_us == kNeverUs ? nullptr : &timeout, nullptr);
    }
    ASSERT(done >= 0 || done == -ETIME || done == -EINTR || done == -EBUSY || done == -EAGAIN ||
           done == -ENOMEM);
    reap();
}

void UringRing::reap() {
    unsigned head = 0;
    unsigned count = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring_, head, cqe) {
        reaped_.push_back({cqe->user_data, cqe->res, cqe->flags});
        ++count;
    }
    io_uring_cq_advance(&ring_, count);
}

std::string_view UringRing::buffer(const Reaped& reaped) const noexcept {
    if ((reaped.flags & IORING_CQE_F_BUFFER) == 0 || reaped.result <= 0) return {};
    const unsigned id = reaped.flags >> IORING_CQE_BUFFER_SHIFT;
    return {buffers_ + size_t{id} * buffer_bytes_, static_cast<size_t>(reaped.result)};
}

void UringRing::recycle(const Reaped& reaped) noexcept {
    if ((reaped.flags & IORING_CQE_F_BUFFER) == 0) return;
    const unsigned id = reaped.flags >> IORING_CQE_BUFFER_SHIFT;
    io_uring_buf_ring_add(buffer_ring_, buffers_ + size_t{id} * buffer_bytes_, buffer_bytes_,
                          static_cast<uint16_t>(id), io_uring_buf_ring_mask(buffer_count_), 0);
    io_uring_buf_ring_advance(buffer_ring_, 1);
}

}  // namespace posthaste
