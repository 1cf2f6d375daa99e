#include "runtime/settings/file.h"

#include <cerrno>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"

namespace posthaste {

namespace {

Result<void> write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return os_error("write");
        content.remove_prefix(static_cast<size_t>(written));
    }
    return {};
}

Result<void> fill(int fd, const std::string& path, std::string_view content, mode_t mode) {
    struct stat old {};

    if (::stat(path.c_str(), &old) == 0) {
        mode = old.st_mode & 07777;
        if (::fchown(fd, old.st_uid, old.st_gid) != 0) return os_error("keep the owner");
    }
    if (::fchmod(fd, mode) != 0) return os_error("set the mode");
    RETURN_IF_ERROR(write_all(fd, content));
    if (::fsync(fd) != 0) return os_error("sync");
    return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t size_bytes_max) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return os_error("open");
    std::string out;
    char piece[16 * 1024];
    for (;;) {
        const ssize_t got = ::read(fd.get(), piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return os_error("read");
        if (got == 0) return out;
        out.append(piece, static_cast<size_t>(got));
        if (out.size() > size_bytes_max) return Error{Errc::too_large, 0, "read"};
    }
}

Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode) {
    const std::string temporary = path + ".tmp";
    const Fd fd(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return os_error("create");
    auto done = fill(fd.get(), path, content, mode);
    if (done && ::rename(temporary.c_str(), path.c_str()) != 0) done = os_error("rename");
    if (!done) ::unlink(temporary.c_str());
    return done;
}

}  // namespace posthaste
