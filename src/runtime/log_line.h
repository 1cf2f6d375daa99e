// runtime/log_line.h: what is logged, and how it comes to postlogd, which makes
// "postfix/smtpd[123]: connect from …" of it.
//
// A service writes LogEntry into its ring: who it is has postlogd from master, and takes nobody's
// own word for it. Master speaks for others too and sends whole LogLines, to a socket that only
// root reaches.
#pragma once

#include <cstdint>
#include <string_view>

namespace posthaste::wire {

enum class Severity : uint8_t { info = 0, warning = 1, error = 2, fatal = 3, panic = 4 };

struct LogEntry {
    static constexpr uint16_t kType = 1;
    int64_t wall_us = 0;  // the writer's word: postlogd judges it
    Severity severity = Severity::info;
    std::string_view text;

    template <class Codec>
    void visit(Codec& codec) {
        codec(wall_us);
        codec(severity);
        codec.text(text, 4096);
    }
};

struct LogLine {
    static constexpr size_t kProgramBytesMax = 128;
    int64_t wall_us = 0;
    uint32_t pid = 0;
    Severity severity = Severity::info;
    std::string_view program;  // "postfix/smtpd": syslog_name/program
    std::string_view text;     // printable, one line

    template <class Codec>
    void visit(Codec& codec) {
        codec(wall_us);
        codec(pid);
        codec(severity);
        codec.text(program, kProgramBytesMax);
        codec.text(text, 4096);
    }
};

}  // namespace posthaste::wire
