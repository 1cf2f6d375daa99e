#include "store/log_ring.h"

#include <cerrno>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"

namespace posthaste::store {

namespace {

constexpr unsigned kEntries = 4;

// liburing 2.3 declares io_uring_register_restrictions but does not export it.
Result<void> restrict_and_enable(io_uring& ring) {
    io_uring_restriction allowed[3] = {};
    allowed[0].opcode = IORING_RESTRICTION_SQE_OP;
    allowed[0].sqe_op = IORING_OP_WRITE;
    allowed[1].opcode = IORING_RESTRICTION_SQE_OP;
    allowed[1].sqe_op = IORING_OP_FSYNC;
    allowed[2].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    allowed[2].sqe_flags = IOSQE_IO_LINK;
    int failure = io_uring_register(static_cast<unsigned>(ring.ring_fd),
                                    IORING_REGISTER_RESTRICTIONS, allowed, 3);
    if (failure < 0) return Error{Errc::unsupported, -failure, "restrict log ring"};
    failure = io_uring_register(static_cast<unsigned>(ring.ring_fd), IORING_REGISTER_ENABLE_RINGS,
                                nullptr, 0);
    if (failure < 0) return Error{Errc::unsupported, -failure, "enable log ring"};
    return {};
}

Error write_error(int os_errno) noexcept {
    const bool full = os_errno == ENOSPC || os_errno == EDQUOT;
    return {full ? Errc::no_space : Errc::os, os_errno, "write queue log"};
}

}  // namespace

Result<std::shared_ptr<LogRing>> LogRing::create() {
    std::shared_ptr<LogRing> made(new LogRing());
    const int failure = io_uring_queue_init(
        kEntries, &made->ring_,
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED);
    if (failure < 0) return Error{Errc::unsupported, -failure, "make log ring"};
    made->open_ = true;
    made->owner_ = std::this_thread::get_id();
    RETURN_IF_ERROR(restrict_and_enable(made->ring_));
    io_uring_ring_dontfork(&made->ring_);
    return made;
}

LogRing::~LogRing() {
    if (open_) io_uring_queue_exit(&ring_);
}

Result<void> LogRing::write(int descriptor, std::string_view bytes, uint64_t offset, Sync sync) {
    ASSERT(is_ours());
    const unsigned submissions = sync == Sync::whole_file ? 2 : 1;
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    ASSERT(entry != nullptr);
    io_uring_prep_write(entry, descriptor, bytes.data(), static_cast<unsigned>(bytes.size()),
                        offset);
    io_uring_sqe_set_data64(entry, 0);
    if (sync == Sync::these_bytes) entry->rw_flags = RWF_DSYNC;
    if (sync == Sync::whole_file) {
        entry->flags |= IOSQE_IO_LINK;
        io_uring_sqe* flush = io_uring_get_sqe(&ring_);
        ASSERT(flush != nullptr);
        io_uring_prep_fsync(flush, descriptor, IORING_FSYNC_DATASYNC);
        io_uring_sqe_set_data64(flush, 1);
    }
    int results[2] = {0, 0};
    io_uring_submit_and_wait(&ring_, submissions);
    for (unsigned done = 0; done < submissions;) {
        io_uring_cqe* completion = nullptr;
        // An interrupted wait has submitted all the same; what was written must be known before we
        // return.
        if (io_uring_wait_cqe(&ring_, &completion) != 0) continue;
        results[io_uring_cqe_get_data64(completion) & 1] = completion->res;
        io_uring_cqe_seen(&ring_, completion);
        ++done;
    }
    if (results[0] < 0) return write_error(-results[0]);
    if (static_cast<size_t>(results[0]) != bytes.size()) {
        // A short write broke the link: finish the rest the plain way, and sync all of it.
        const auto written = static_cast<size_t>(results[0]);
        return write_plainly(descriptor, bytes.substr(written), offset + written,
                             sync == Sync::none ? Sync::none : Sync::whole_file);
    }
    if (results[1] < 0) return write_error(-results[1]);
    return {};
}

Result<void> write_plainly(int descriptor, std::string_view bytes, uint64_t offset,
                           LogRing::Sync sync) {
    while (!bytes.empty()) {
        const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
        const int flags = sync == LogRing::Sync::these_bytes ? RWF_DSYNC : 0;
        const ssize_t written =
            ::pwritev2(descriptor, &piece, 1, static_cast<off_t>(offset), flags);
        if (written < 0) {
            if (errno == EINTR) continue;
            return write_error(errno);
        }
        bytes.remove_prefix(static_cast<size_t>(written));
        offset += static_cast<uint64_t>(written);
    }
    if (sync == LogRing::Sync::whole_file && ::fdatasync(descriptor) != 0) {
        return write_error(errno);
    }
    return {};
}

}  // namespace posthaste::store
