#include "master/postlogd/log_text.h"

#include <array>
#include <time.h>

#include "base/units.h"

#include "runtime/ring_log.h"
#include "runtime/stderr_log.h"

namespace posthaste {

namespace {

constexpr size_t kTextBytesMax = 4096;
constexpr size_t kProgramBytesMax = 128;

// Facility mail (2), severities of RFC 5424.
int syslog_priority(wire::Severity severity) noexcept {
    constexpr int kMail = 2 << 3;
    switch (severity) {
        case wire::Severity::info:
            return kMail | 6;
        case wire::Severity::warning:
            return kMail | 4;
        case wire::Severity::error:
            return kMail | 3;
        case wire::Severity::fatal:
        case wire::Severity::panic:
            return kMail | 2;
    }
    return kMail | 6;
}

void append_tail(const wire::LogLine& line, std::string& out) {
    // Another process wrote this: no byte of it may end the line or disturb a terminal.
    static thread_local std::string clean;
    make_printable(line.program, kProgramBytesMax, clean);
    out.append(clean).append("[").append(std::to_string(line.pid)).append("]: ");
    if (line.severity != wire::Severity::info) out.append(name_of(line.severity)).append(": ");
    make_printable(line.text, kTextBytesMax, clean);
    out.append(clean);
}

}  // namespace

LogText::LogText(std::string_view host) : host_(host.substr(0, host.find('.'))) {
    ::tzset();
    time_text(0);
}

std::string_view LogText::time_text(int64_t wall_us) {
    constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const int64_t second = wall_us / kSecondUs;
    if (second == second_) return time_;
    const time_t when = static_cast<time_t>(second);

    struct tm parts {};

    if (::localtime_r(&when, &parts) == nullptr || parts.tm_mon < 0 || parts.tm_mon > 11)
        parts = {};
    const auto two = [](int number, char blank) {
        const char high = number < 10 ? blank : static_cast<char>('0' + number / 10 % 10);
        return std::string{high, static_cast<char>('0' + number % 10)};
    };
    time_ = std::string(kMonths[static_cast<size_t>(parts.tm_mon)]) + " " +
            two(parts.tm_mday, ' ') + " " + two(parts.tm_hour, '0') + ":" + two(parts.tm_min, '0') +
            ":" + two(parts.tm_sec, '0');
    second_ = second;
    return time_;
}

void LogText::append(const wire::LogLine& line, std::string& out) {
    out.append(time_text(line.wall_us)).append(" ").append(host_).append(" ");
    append_tail(line, out);
    out += '\n';
}

void LogText::append_for_syslog(const wire::LogLine& line, std::string& out) {
    out.append("<").append(std::to_string(syslog_priority(line.severity))).append(">");
    out.append(time_text(line.wall_us)).append(" ");
    append_tail(line, out);
}

}  // namespace posthaste
