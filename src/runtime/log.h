// runtime/log.h: a process's log lines on their way to postlogd. Formats into a private buffer,
// writes into the log ring; a full ring drops the line, counts it, and says so with the next line
// that fits: mail is never delayed by logging. Until postlogd is introduced, lines wait in a
// bounded buffer; before the loop exists they go to stderr.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/log_line.h"

namespace posthaste {

class Log {
 public:
    virtual ~Log() = default;

    // `text` as Postfix writes it, without prefix and line end: "4Zq…: client=unknown[192.0.2.1]".
    // Non-printable bytes are replaced. One call a line.
    virtual void line(wire::Severity severity, std::string_view text) = 0;

    void info(std::string_view text) { line(wire::Severity::info, text); }

    void warning(std::string_view text) { line(wire::Severity::warning, text); }

    void error(std::string_view text) { line(wire::Severity::error, text); }

    void fatal(std::string_view text) { line(wire::Severity::fatal, text); }
};

}  // namespace posthaste
