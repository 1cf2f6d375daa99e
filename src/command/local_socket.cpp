#include "command/local_socket.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace posthaste {

namespace {

constexpr size_t kLineBytesMax = 64 << 20;  // one message's listing with all its recipients

}  // namespace

Result<LocalSocket> LocalSocket::ask(const std::string& path, std::string_view question,
                                     int64_t patience_us) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error{Errc::too_large, 0, "the socket's path"};
    std::memcpy(address.sun_path, path.data(), path.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return os_error("socket");
    const timeval patience{patience_us / kSecondUs, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return os_error("connect");
    while (!question.empty()) {
        const ssize_t sent = ::send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL);
        if (sent < 0) return os_error("send");
        question.remove_prefix(static_cast<size_t>(sent));
    }
    return LocalSocket(std::move(fd));
}

Result<size_t> LocalSocket::read_more() {
    char piece[64 * 1024];
    for (;;) {
        const ssize_t got = ::recv(fd_.get(), piece, sizeof piece, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return os_error("receive");
        if (buffer_.size() > kLineBytesMax) return Error{Errc::too_large, 0, "receive"};
        buffer_.append(piece, static_cast<size_t>(got));
        return static_cast<size_t>(got);
    }
}

Result<void> LocalSocket::read_lines(const std::function<bool(std::string_view line)>& each) {
    for (;;) {
        size_t from = 0;
        for (size_t end; (end = buffer_.find('\n', from)) != std::string::npos; from = end + 1)
            if (!each(std::string_view(buffer_).substr(from, end - from))) return {};
        buffer_.erase(0, from);
        ASSIGN_OR_RETURN(const size_t got, read_more());
        // A cut last line is no answer: the other side died, or lost patience with us.
        if (got == 0)
            return buffer_.empty() ? Result<void>()
                                   : Error{Errc::closed, 0, "the answer broke off"};
    }
}

Result<std::string> LocalSocket::read_all() {
    for (;;) {
        ASSIGN_OR_RETURN(const size_t got, read_more());
        if (got == 0) return std::move(buffer_);
    }
}

}  // namespace posthaste
