#include "lookup/logical_lines.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strings.h"

namespace posthaste {

std::string_view LogicalLines::peek(size_t& consumed) const noexcept {
    const size_t end = rest_.find('\n');
    consumed = end == std::string_view::npos ? rest_.size() : end + 1;
    return rest_.substr(0, end);
}

bool LogicalLines::next(std::string& line) {
    line.clear();
    while (!rest_.empty()) {
        size_t consumed = 0;
        const std::string_view physical = peek(consumed);
        const std::string_view visible = trimmed(physical);
        const bool skipped = visible.empty() || visible.front() == '#';
        if (!skipped && !line.empty() && !is_space(physical.front())) return true;
        rest_.remove_prefix(consumed);
        ++physical_;
        if (skipped) continue;
        if (line.empty()) {
            number_ = physical_;
            orphan_ = is_space(physical.front());
        } else {
            line += ' ';
        }
        line += visible;
    }
    return !line.empty();
}

Result<std::string> read_text_file(const std::string& path, size_t text_bytes_max) {
    // Without O_NONBLOCK a FIFO in the file's place would keep the whole start waiting.
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) return os_error("open");

    struct stat status {};

    if (::fstat(file.get(), &status) != 0) return os_error("stat");
    if (!S_ISREG(status.st_mode))
        return Error{Errc::os, S_ISDIR(status.st_mode) ? EISDIR : EINVAL, "read"};
    if (static_cast<uint64_t>(status.st_size) > text_bytes_max)
        return Error{Errc::os, EFBIG, "read"};
    std::string text(static_cast<size_t>(status.st_size), '\0');
    size_t have = 0;
    while (have < text.size()) {
        const ssize_t got = ::read(file.get(), text.data() + have, text.size() - have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return os_error("read");
        if (got == 0) break;  // it became shorter meanwhile
        have += static_cast<size_t>(got);
    }
    text.resize(have);
    return text;
}

}  // namespace posthaste
