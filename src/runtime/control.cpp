#include "runtime/control.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace posthaste {
namespace {

constexpr uint16_t kVersion = 1;
constexpr size_t kFrameBytes = 4;
constexpr size_t kSnapshotBytesMax = 1 << 20;

struct Frame {
    uint16_t type;
    uint16_t version;
};

static_assert(sizeof(Frame) == kFrameBytes);

// Takes every descriptor the kernel has put into this process, wanted or not: none may leak.
void take_descriptors(msghdr& message, std::vector<Fd>& out) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            out.emplace_back(descriptor);
        }
    }
}

}  // namespace

Result<void> send_control_bytes(int socket, uint16_t type, std::string_view body,
                                std::span<const int> fds) {
    ASSERT(body.size() <= kControlBytesMax);
    ASSERT(fds.size() <= kControlFdsMax);
    Frame frame{type, kVersion};
    iovec pieces[2] = {{&frame, sizeof(frame)}, {const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kControlFdsMax * sizeof(int))> space{};
    if (!fds.empty()) {
        message.msg_control = space.data();
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
    }
    while (::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return Error{Errc::no_space, 0, "control socket"};
        if (errno == EPIPE || errno == ECONNRESET) return Error{Errc::closed, 0, "control socket"};
        return os_error("sendmsg on a control socket");
    }
    return {};
}

Result<bool> receive_control(int socket, ControlMessage& out, ControlWait wait) {
    out.fds.clear();
    out.body.resize(kControlBytesMax);
    Frame frame{};
    iovec pieces[2] = {{&frame, sizeof(frame)}, {out.body.data(), out.body.size()}};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kControlFdsMax * sizeof(int))> space{};
    msghdr message{};
    ssize_t size = -1;
    for (;;) {
        message = {};
        message.msg_iov = pieces;
        message.msg_iovlen = 2;
        message.msg_control = space.data();
        message.msg_controllen = space.size();
        size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size >= 0) break;
        if (errno == EINTR) continue;
        if (errno == EAGAIN && wait == ControlWait::yes) {
            pollfd readable{socket, POLLIN, 0};
            if (::poll(&readable, 1, -1) < 0 && errno != EINTR)
                return os_error("poll on a control socket");
            continue;
        }
        out.body.clear();
        if (errno == EAGAIN) return false;
        if (errno == ECONNRESET) return Error{Errc::closed, 0, "control socket"};
        return os_error("recvmsg on a control socket");
    }
    take_descriptors(message, out.fds);
    out.body.resize(
        static_cast<size_t>(size) > kFrameBytes ? static_cast<size_t>(size) - kFrameBytes : 0);
    // A message of no bytes and end of file look the same; neither is an answer.
    if (size == 0) return Error{Errc::closed, 0, "control socket"};
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return Error{Errc::too_large, 0, "control message"};
    if (static_cast<size_t>(size) < kFrameBytes || frame.version != kVersion) {
        return Error{Errc::malformed, 0, "control message"};
    }
    out.type = frame.type;
    return true;
}

Result<SocketPair> make_control_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        return os_error("socketpair");
    }
    return SocketPair{Fd(ends[0]), Fd(ends[1])};
}

Result<Fd> make_snapshot(std::string_view text) {
    if (text.size() > kSnapshotBytesMax) return Error{Errc::too_large, 0, "settings snapshot"};
    Fd memfd(::memfd_create("posthaste-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memfd) return os_error("memfd_create");
    while (!text.empty()) {
        const ssize_t written = ::write(memfd.get(), text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return os_error("write settings snapshot");
        text.remove_prefix(static_cast<size_t>(written));
    }
    if (::fcntl(memfd.get(), F_ADD_SEALS,
                F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
        return os_error("seal settings snapshot");
    }
    return memfd;
}

Result<std::string> read_snapshot(int memfd) {
    const int seals = ::fcntl(memfd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_WRITE) == 0)
        return Error{Errc::malformed, 0, "settings snapshot: not sealed"};

    struct stat status {};

    if (::fstat(memfd, &status) != 0) return os_error("fstat settings snapshot");
    if (status.st_size < 0 || static_cast<size_t>(status.st_size) > kSnapshotBytesMax) {
        return Error{Errc::too_large, 0, "settings snapshot"};
    }
    std::string text(static_cast<size_t>(status.st_size), '\0');
    size_t done = 0;
    while (done < text.size()) {
        const ssize_t size =
            ::pread(memfd, text.data() + done, text.size() - done, static_cast<off_t>(done));
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return os_error("read settings snapshot");
        if (size == 0) return Error{Errc::malformed, 0, "settings snapshot: short"};
        done += static_cast<size_t>(size);
    }
    return text;
}

}  // namespace posthaste
