#include "runtime/stderr_log.h"

#include <cerrno>
#include <unistd.h>

#include "runtime/ring_log.h"

namespace posthaste {

std::string_view name_of(wire::Severity severity) noexcept {
    switch (severity) {
        case wire::Severity::info:
            return "info";
        case wire::Severity::warning:
            return "warning";
        case wire::Severity::error:
            return "error";
        case wire::Severity::fatal:
            return "fatal";
        case wire::Severity::panic:
            return "panic";
    }
    return "unknown";
}

void StderrLog::line(wire::Severity severity, std::string_view text) {
    std::string printable;
    make_printable(text, 4096, printable);
    std::string out = program_ + ": ";
    if (severity != wire::Severity::info) {
        out += name_of(severity);
        out += ": ";
    }
    out += printable;
    out += '\n';
    std::string_view rest = out;
    while (!rest.empty()) {
        const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;  // nobody is left to tell
        rest.remove_prefix(static_cast<size_t>(written));
    }
}

}  // namespace posthaste
