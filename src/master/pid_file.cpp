#include "master/pid_file.h"

#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace posthaste {

Result<Fd> lock_pid_file(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd) return os_error("open pid/master.pid");
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return os_error("lock pid/master.pid");
    char text[32];
    const int size = std::snprintf(text, sizeof text, "%10ld\n", static_cast<long>(::getpid()));
    if (::ftruncate(fd.get(), 0) != 0 ||
        ::pwrite(fd.get(), text, static_cast<size_t>(size), 0) != size)
        return os_error("write pid/master.pid");
    return fd;
}

}  // namespace posthaste
