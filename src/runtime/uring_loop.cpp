#include "runtime/uring_loop.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/units.h"

#include "runtime/socket_address.h"
#include "runtime/uring_ring.h"

namespace posthaste {
namespace {

// user_data: | generation 32 | part 8 | slot 24 |. 0 means nobody: generations begin at 1.
constexpr unsigned kSlotBits = 24;
constexpr uint64_t kSlotMask = (uint64_t{1} << kSlotBits) - 1;
constexpr uint64_t kNobody = 0;

enum Part : uint8_t { part_only = 0, part_sync = 1 };

constexpr uint64_t key_of(uint32_t slot, uint32_t generation) noexcept {
    return uint64_t{generation} << 32 | slot;
}

constexpr uint64_t with_part(uint64_t key, Part part) noexcept {
    return key | uint64_t{part} << kSlotBits;
}

constexpr uint64_t without_part(uint64_t key) noexcept {
    return key & ~(uint64_t{0xff} << kSlotBits);
}

constexpr unsigned part_of(uint64_t key) noexcept {
    return static_cast<unsigned>(key >> kSlotBits) & 0xff;
}

// Eight bytes the kernel adds to an eventfd.
constexpr uint64_t kOne = 1;
constexpr int kBacklogMax = 4096;

int64_t clock_us(clockid_t clock) noexcept {
    timespec time{};
    ::clock_gettime(clock, &time);
    return time.tv_sec * kSecondUs + time.tv_nsec / 1000;
}

uint64_t seed_from_kernel() noexcept {
    uint64_t seed = 0;
    // Early boot only can make this fail; the clock is spread enough for jitter.
    if (::getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed)) {
        seed = static_cast<uint64_t>(clock_us(CLOCK_MONOTONIC));
    }
    return seed;
}

}  // namespace

std::string uring_remedy(const Error& error) {
    switch (error.os_errno) {
        case ENOSYS:
            return "the kernel has no io_uring, or a container's seccomp profile hides it: "
                   "Linux 6.1 or later is needed; with Docker or Podman use --security-opt "
                   "seccomp=FILE with a "
                   "profile that allows io_uring_setup, io_uring_enter and io_uring_register";
        case EPERM:
        case EACCES:
            return "io_uring is forbidden here: set `sysctl kernel.io_uring_disabled=0`, and in a "
                   "container use "
                   "--security-opt seccomp=FILE with a profile that allows io_uring_setup, "
                   "io_uring_enter and "
                   "io_uring_register";
        case EINVAL:
            return "the kernel's io_uring is too old: Linux 6.1 or later is needed";
        case ENOMEM:
            return "no memory for io_uring: raise the service's LimitMEMLOCK (ulimit -l) or its "
                   "memory limit";
        case EMFILE:
        case ENFILE:
            return "no file descriptor left for io_uring: raise LimitNOFILE (ulimit -n)";
        default:
            return "io_uring could not be set up";
    }
}

Result<std::unique_ptr<UringLoop>> UringLoop::create(const UringOptions& options) {
    ASSIGN_OR_RETURN(auto ring, UringRing::create(options));
    return std::unique_ptr<UringLoop>(new UringLoop(std::move(ring)));
}

UringLoop::UringLoop(std::unique_ptr<UringRing> ring)
    : ring_(std::move(ring)), random_(seed_from_kernel()), timers_(clock_us(CLOCK_MONOTONIC)) {
    read_clocks();
}

UringLoop::~UringLoop() { abandon_all(); }

void UringLoop::abandon_all() noexcept {
    // The kernel must let go of the owners' memory first: a send that waits for room would read it
    // when it holds something else.
    io_uring_sqe& sqe = ring_->sqe();
    io_uring_prep_cancel64(&sqe, kNobody, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    io_uring_sqe_set_data64(&sqe, kNobody);
    ring_->submit();
    for (Slot& slot : slots_) {
        if (slot.kind == Kind::free) continue;
        slot.completion->abandon();
        if (slot.kind == Kind::connect && slot.fd >= 0) ::close(slot.fd);
        slot.kind = Kind::free;
        ++slot.generation;
    }
    again_.clear();
}

// ---- slots ----

UringLoop::Slot& UringLoop::begin(Completion& done, Kind kind, int fd) {
    if (free_slots_.empty()) {
        ASSERT(slots_.size() < kSlotMask);
        free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
        slots_.emplace_back();
    }
    const uint32_t number = free_slots_.back();
    free_slots_.pop_back();
    Slot& slot = slots_[number];
    slot.completion = &done;
    slot.fd = fd;
    slot.kind = kind;
    slot.in_kernel = false;
    slot.cancelled = false;
    slot.done_bytes = 0;
    done.begin();
    done.loop_private = key_of(number, slot.generation);
    return slot;
}

UringLoop::Slot* UringLoop::find(uint64_t key) noexcept {
    const uint64_t number = key & kSlotMask;
    if (number >= slots_.size()) return nullptr;
    Slot& slot = slots_[number];
    return slot.kind != Kind::free && slot.generation == key >> 32 ? &slot : nullptr;
}

void UringLoop::finish(uint64_t key, Slot& slot, const Event& event) {
    if (slot.kind == Kind::accept && slot.cancelled) accept_the_rest(slot);
    Completion& done = *slot.completion;
    slot.kind = Kind::free;
    slot.rest.reset();
    if (++slot.generation == 0) slot.generation = 1;
    free_slots_.push_back(static_cast<uint32_t>(key & kSlotMask));
    done.deliver(event);
}

// Of several that wait at a listener the kernel wakes one for a client. If that was us, a moment
// before the end, nobody else looks until the next client comes.
void UringLoop::accept_the_rest(Slot& slot) {
    for (int count = 0; count < kBacklogMax; ++count) {
        const int fd = ::accept4(slot.fd, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (fd < 0) return;
        slot.completion->deliver({fd, false, {}});
    }
}

// A start that failed here is reported as the kernel would: from the queue, later.
void UringLoop::fail_later(uint64_t key, int32_t result) {
    ring_->reaped().push_back({key, result, 0});
}

// ---- starting ----

void UringLoop::accept(Completion& done, Socket listener) {
    const int fd = static_cast<int>(listener);
    // Accepted sockets inherit it: no system call per connection. Unix sockets refuse it, which is
    // right.
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    Slot& slot = begin(done, Kind::accept, fd);
    start(done.loop_private, slot);
}

void UringLoop::connect(Completion& done, const Endpoint& to, const IpAddress* from) {
    Slot& slot = begin(done, Kind::connect, -1);
    const SocketAddress address = to_socket_address(to);
    std::memcpy(&slot.address, &address.storage, address.length);
    slot.total_bytes = address.length;
    start_connect(done.loop_private, slot, from);
}

void UringLoop::start_connect(uint64_t key, Slot& slot, const IpAddress* from) {
    slot.fd = ::socket(slot.address.sin6_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (slot.fd < 0) return fail_later(key, -errno);
    const int on = 1;
    ::setsockopt(slot.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (from != nullptr) {
        // The port is chosen at connect(): as many connections as there are (address, port) pairs,
        // not ports.
        ::setsockopt(slot.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        const SocketAddress local = to_socket_address({*from, 0});
        if (::bind(slot.fd, local.get(), local.length) != 0) return fail_later(key, -errno);
    }
    start(key, slot);
}

void UringLoop::receive(Completion& done, Socket socket) {
    Slot& slot = begin(done, Kind::receive, static_cast<int>(socket));
    start(done.loop_private, slot);
}

void UringLoop::send(Completion& done, Socket socket, std::span<const iovec> pieces) {
    ASSERT(pieces.size() <= kSendPiecesMax);
    Slot& slot = begin(done, Kind::send, static_cast<int>(socket));
    set_pieces(slot, pieces);
    start(done.loop_private, slot);
}

void UringLoop::watch(Completion& done, int descriptor) {
    Slot& slot = begin(done, Kind::watch, descriptor);
    start(done.loop_private, slot);
}

void UringLoop::write_file(Completion& done, int descriptor, std::span<const iovec> pieces,
                           uint64_t offset, FileSync sync) {
    Slot& slot = begin(done, Kind::write_file, descriptor);
    slot.offset = offset;
    slot.sync = sync;
    set_pieces(slot, pieces);
    start(done.loop_private, slot);
}

void UringLoop::start(uint64_t key, Slot& slot) {
    io_uring_sqe& sqe =
        ring_->sqe(slot.kind == Kind::write_file && slot.sync != FileSync::none ? 2 : 1);
    switch (slot.kind) {
        case Kind::accept:
            io_uring_prep_multishot_accept(&sqe, slot.fd, nullptr, nullptr, SOCK_CLOEXEC);
            break;
        case Kind::connect:
            io_uring_prep_connect(&sqe, slot.fd, reinterpret_cast<const sockaddr*>(&slot.address),
                                  static_cast<socklen_t>(slot.total_bytes));
            break;
        case Kind::receive:
            io_uring_prep_recv_multishot(&sqe, slot.fd, nullptr, 0, 0);
            sqe.flags |= IOSQE_BUFFER_SELECT;
            sqe.buf_group = UringRing::kBufferGroup;
            break;
        case Kind::send: {
            constexpr int kFlags = MSG_NOSIGNAL | MSG_WAITALL;
            const msghdr& message = slot.message;
            if (message.msg_iovlen == 1) {
                io_uring_prep_send(&sqe, slot.fd, message.msg_iov->iov_base,
                                   message.msg_iov->iov_len, kFlags);
            } else {
                io_uring_prep_sendmsg(&sqe, slot.fd, &message, kFlags);
            }
            break;
        }
        case Kind::watch:
            io_uring_prep_poll_multishot(&sqe, slot.fd, POLLIN);
            break;
        case Kind::write_file: {
            io_uring_prep_writev(&sqe, slot.fd, slot.message.msg_iov,
                                 static_cast<unsigned>(slot.message.msg_iovlen),
                                 slot.offset + slot.done_bytes);
            slot.parts_in_kernel = 1;
            if (slot.sync != FileSync::none) {
                sqe.flags |= IOSQE_IO_LINK;
                io_uring_sqe& sync = ring_->sqe();
                if (slot.sync == FileSync::durable) {
                    io_uring_prep_fsync(&sync, slot.fd, IORING_FSYNC_DATASYNC);
                } else {
                    io_uring_prep_sync_file_range(&sync, slot.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
                }
                io_uring_sqe_set_data64(&sync, with_part(key, part_sync));
                slot.parts_in_kernel = 2;
            }
            break;
        }
        case Kind::free:
            ASSERT(false);
            break;
    }
    io_uring_sqe_set_data64(&sqe, key);
    slot.in_kernel = true;
}

void UringLoop::start_again(uint64_t key) {
    Slot* const slot = find(key);
    if (slot == nullptr) return;
    if (slot->cancelled) return finish(key, *slot, {-ECANCELED, true, {}});
    start(key, *slot);
}

void UringLoop::set_pieces(Slot& slot, std::span<const iovec> pieces) {
    slot.message = {};
    slot.message.msg_iov =
        const_cast<iovec*>(pieces.data());  // the kernel reads it; it is copied before a cut
    slot.message.msg_iovlen = pieces.size();
    slot.total_bytes = 0;
    for (const iovec& piece : pieces) slot.total_bytes += piece.iov_len;
}

void UringLoop::cut_pieces(Slot& slot, size_t sent_bytes) {
    msghdr& message = slot.message;
    if (slot.rest == nullptr) {
        slot.rest = std::make_unique<iovec[]>(message.msg_iovlen);
        std::copy_n(message.msg_iov, message.msg_iovlen, slot.rest.get());
        message.msg_iov = slot.rest.get();
    }
    while (message.msg_iovlen > 0 && sent_bytes >= message.msg_iov->iov_len) {
        sent_bytes -= message.msg_iov->iov_len;
        ++message.msg_iov;
        --message.msg_iovlen;
    }
    if (sent_bytes == 0) return;
    message.msg_iov->iov_base = static_cast<char*>(message.msg_iov->iov_base) + sent_bytes;
    message.msg_iov->iov_len -= sent_bytes;
}

void UringLoop::cancel(Completion& done) {
    if (!done.in_flight()) return;
    Slot* const slot = find(done.loop_private);
    ASSERT(slot != nullptr);
    if (slot->cancelled || slot->kind == Kind::write_file) return;
    slot->cancelled = true;
    if (!slot->in_kernel) return;  // ends when it would be started again
    io_uring_sqe& sqe = ring_->sqe();
    io_uring_prep_cancel64(&sqe, done.loop_private, 0);
    sqe.flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(&sqe, kNobody);
}

void UringLoop::ring_doorbell(int doorbell) {
    io_uring_sqe& sqe = ring_->sqe();
    io_uring_prep_write(&sqe, doorbell, &kOne, sizeof(kOne), 0);
    // Its owner may fill it to the brim and make it blocking: then the write fails, and does not
    // wait in the kernel at our expense.
    sqe.rw_flags = RWF_NOWAIT;
    sqe.flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(&sqe, kNobody);
}

void UringLoop::close(Socket socket) { ::close(static_cast<int>(socket)); }

void UringLoop::shutdown_send(Socket socket) { ::shutdown(static_cast<int>(socket), SHUT_WR); }

Endpoint UringLoop::peer_of(Socket socket) {
    SocketAddress address;
    if (::getpeername(static_cast<int>(socket), address.get(), &address.length) != 0) return {};
    return to_endpoint(address);
}

Endpoint UringLoop::local_of(Socket socket) {
    SocketAddress address;
    if (::getsockname(static_cast<int>(socket), address.get(), &address.length) != 0) return {};
    return to_endpoint(address);
}

bool UringLoop::has_input(Socket socket) {
    char byte = 0;
    return ::recv(static_cast<int>(socket), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

// ---- turning: sleep, then work, so that what a turn starts is submitted by the sleep of the next
// ----

void UringLoop::run() noexcept {
    while (!stopped_) turn(kNeverUs);
    stopped_ = false;
    ring_->submit();  // the last doorbells
}

void UringLoop::turn(int64_t wait_us_max) {
    ++turns_;
    sleep(wait_us_max);
    work();
}

void UringLoop::work() {
    read_clocks();
    dispatch();
    timers_.advance(now_us_);
    listeners_.run();
}

void UringLoop::sleep(int64_t wait_us_max) {
    const bool listener_busy = listeners_.before_sleep();
    const bool busy = listener_busy || !ring_->reaped().empty();
    int64_t wait_us = busy ? 0 : wait_us_max;
    const int64_t deadline_us = timers_.next_deadline_us();
    if (wait_us > 0 && deadline_us != kNeverUs) {
        wait_us = std::min(wait_us, deadline_us - clock_us(CLOCK_MONOTONIC));
    }
    ring_->enter(wait_us);
    listeners_.after_sleep();
}

int64_t UringLoop::fresh_wall_us() const noexcept { return clock_us(CLOCK_REALTIME); }

void UringLoop::read_clocks() noexcept {
    now_us_ = std::max(now_us_, clock_us(CLOCK_MONOTONIC));
    wall_us_ = clock_us(CLOCK_REALTIME);
}

void UringLoop::dispatch() {
    auto& reaped = ring_->reaped();
    // Callbacks may add entries (a full submission queue, a failed start); those wait for the next
    // turn.
    const size_t count = reaped.size();
    for (size_t i = 0; i < count; ++i) {
        const UringRing::Reaped entry = reaped[i];
        const uint64_t key = without_part(entry.key);
        Slot* const slot = key == kNobody ? nullptr : find(key);
        if (slot != nullptr) {
            const bool more = (entry.flags & IORING_CQE_F_MORE) != 0;
            if (!more) slot->in_kernel = false;
            switch (slot->kind) {
                case Kind::accept:
                case Kind::watch:
                    on_multishot(key, *slot, {entry.result, false, {}}, more);
                    break;
                case Kind::receive:
                    on_multishot(key, *slot, {entry.result, false, ring_->buffer(entry)}, more);
                    break;
                case Kind::send:
                    on_send(key, *slot, entry.result);
                    break;
                case Kind::connect:
                    on_connect(key, *slot, entry.result);
                    break;
                case Kind::write_file:
                    on_write_file(key, *slot, part_of(entry.key), entry.result);
                    break;
                case Kind::free:
                    break;
            }
        }
        ring_->recycle(entry);
    }
    reaped.erase(reaped.begin(), reaped.begin() + static_cast<ptrdiff_t>(count));
    for (size_t i = 0; i < again_.size(); ++i) start_again(again_[i]);
    again_.clear();
}

void UringLoop::on_multishot(uint64_t key, Slot& slot, const Event& event, bool more) {
    // All buffers are out; they are back when this turn's callbacks are done.
    if (event.result == -ENOBUFS && !more && slot.kind == Kind::receive)
        return again_.push_back(key);
    const bool over =
        event.result < 0 || (event.result == 0 && slot.kind == Kind::receive) ||
        (slot.kind == Kind::watch && (event.result & (POLLERR | POLLHUP | POLLNVAL)) != 0);
    if (!more && (over || slot.cancelled))
        return finish(key, slot, {event.result, true, event.data});
    slot.completion->deliver(event);
    if (!more) again_.push_back(key);
}

void UringLoop::on_send(uint64_t key, Slot& slot, int32_t result) {
    if (result < 0) return finish(key, slot, {result, true, {}});
    slot.done_bytes += static_cast<uint64_t>(result);
    if (slot.done_bytes == slot.total_bytes) {
        return finish(key, slot, {static_cast<int32_t>(slot.total_bytes), true, {}});
    }
    if (result == 0) return finish(key, slot, {-EPIPE, true, {}});
    cut_pieces(slot, static_cast<size_t>(result));
    start_again(key);
}

void UringLoop::on_connect(uint64_t key, Slot& slot, int32_t result) {
    const int fd = std::exchange(slot.fd, -1);
    if (result < 0 && fd >= 0) ::close(fd);
    finish(key, slot, {result < 0 ? result : fd, true, {}});
}

void UringLoop::on_write_file(uint64_t key, Slot& slot, unsigned part, int32_t result) {
    (part == part_sync ? slot.sync_result : slot.write_result) = result;
    if (--slot.parts_in_kernel > 0) return;
    if (slot.write_result < 0) return finish(key, slot, {slot.write_result, true, {}});
    slot.done_bytes += static_cast<uint64_t>(slot.write_result);
    if (slot.done_bytes < slot.total_bytes) {
        // A short write cut the link: its sync did not run.
        if (slot.write_result == 0) return finish(key, slot, {-ENOSPC, true, {}});
        cut_pieces(slot, static_cast<size_t>(slot.write_result));
        return start(key, slot);
    }
    if (slot.sync == FileSync::durable && slot.sync_result < 0)
        return finish(key, slot, {slot.sync_result, true, {}});
    finish(key, slot, {static_cast<int32_t>(slot.total_bytes), true, {}});
}

}  // namespace posthaste
