#include "master/command_socket.h"

#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace posthaste {

namespace {

constexpr int kPatienceMs =
    200;  // only root gets here; still, master does not wait for anybody for long
constexpr int kBacklog = 16;

}  // namespace

Result<Fd> open_command_socket(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error{Errc::too_large, 0, "queue_directory: its path is too long for a socket"};
    std::memcpy(address.sun_path, path.data(), path.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return os_error("socket");
    ::unlink(path.c_str());
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return os_error("bind private/master");
    if (::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), kBacklog) != 0)
        return os_error("listen on private/master");
    return fd;
}

Question accept_question(int listener) {
    Question out;
    out.connection.reset(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!out.connection) return out;
    const timeval patience{0, kPatienceMs * 1000};
    ::setsockopt(out.connection.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(out.connection.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    char line[256];
    const ssize_t got = ::recv(out.connection.get(), line, sizeof line, 0);
    if (got <= 0) return out;
    const std::string_view text(line, static_cast<size_t>(got));
    if (const size_t end = text.find('\n'); end != std::string_view::npos)
        out.text = std::string(text.substr(0, end));
    return out;
}

void answer(const Question& question, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent =
            ::send(question.connection.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        text.remove_prefix(static_cast<size_t>(sent));
    }
}

}  // namespace posthaste
