// runtime/log_line.h: everybody → postlogd. The text is whole: "postfix/smtpd[123]: connect from …"
// is built by postlogd from these fields, so that the time is the event's and not the writer's.
#pragma once

#include <cstdint>
#include <string_view>

namespace posthaste::wire {

enum class Severity : uint8_t { info = 0, warning = 1, error = 2, fatal = 3, panic = 4 };

struct LogLine {
    static constexpr uint16_t kType = 1;
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
        codec.text(program, 128);
        codec.text(text, 4096);
    }
};

}  // namespace posthaste::wire
