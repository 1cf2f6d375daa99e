#include <fcntl.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

#include "master/postlogd/postlogd.h"

namespace posthaste {

namespace {

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
    out.descriptor.reset(
        ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!out.descriptor) return os_error("open maillog_file");
    return out;
}

}  // namespace posthaste
