#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "master/postlogd/postlogd.h"

namespace posthaste {

namespace {

constexpr int kOpenFlags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW;

Fd system_log_socket() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    constexpr std::string_view kPath = "/dev/log";
    kPath.copy(address.sun_path, kPath.size());
    Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fd.reset();
    return fd;
}

// Whoever may read the system's logs may read this one: group adm, where there is one.
void give_to_readers(int fd) {
    const group* const readers = ::getgrnam("adm");
    if (readers != nullptr) (void)!::fchown(fd, static_cast<uid_t>(-1), readers->gr_gid);
}

// A file that is there stays as its owner made it.
Fd open_or_create(const std::string& path) {
    Fd fd(::open(path.c_str(), kOpenFlags));
    if (fd || errno != ENOENT) return fd;
    fd.reset(::open(path.c_str(), kOpenFlags | O_CREAT | O_EXCL, 0640));
    if (fd) {
        give_to_readers(fd.get());
    } else if (errno == EEXIST) {
        fd.reset(::open(path.c_str(), kOpenFlags));
    }
    return fd;
}

}  // namespace

Result<LogTarget> open_log_target(const Settings& settings) {
    LogTarget out;
    std::string path = settings.text("maillog_file");
    if (path.empty()) {
        out.descriptor = system_log_socket();
        out.is_syslog = static_cast<bool>(out.descriptor);
        if (out.is_syslog) return out;
        path = settings.text("queue_directory") + "/mail.log";
    }
    out.descriptor = open_or_create(path);
    if (!out.descriptor) return os_error("open maillog_file");
    return out;
}

std::string fault_in_log_target(const Settings& settings) {
    const std::string& path = settings.text("maillog_file");
    if (path.empty()) return {};
    const auto fault = [&](const std::string& what) {
        return "maillog_file: " + path + ": " + what + "; name a file in a directory that is there";
    };
    if (!path.starts_with('/')) return fault("not an absolute path");
    const Fd fd(::open(path.c_str(), kOpenFlags | O_NONBLOCK));
    if (!fd && errno != ENOENT) return fault(std::strerror(errno));
    if (fd) return {};
    const std::string directory = path.substr(0, path.rfind('/') + 1);
    return ::access(directory.c_str(), W_OK | X_OK) == 0 ? std::string()
                                                         : fault(std::strerror(errno));
}

}  // namespace posthaste
