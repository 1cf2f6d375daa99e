#include "master/master_log.h"

#include <cstdio>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/strings.h"

#include "runtime/stderr_log.h"

namespace posthaste {

namespace {

int64_t wall_us() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

std::string shown(wire::Severity severity, std::string_view text) {
    return severity == wire::Severity::info
               ? std::string(text)
               : std::string(name_of(severity)) + ": " + std::string(text);
}

void to_syslog(const wire::LogLine& line) {
    const int priority = line.severity == wire::Severity::info      ? LOG_INFO
                         : line.severity == wire::Severity::warning ? LOG_WARNING
                                                                    : LOG_ERR;
    const std::string tag(line.program);
    ::openlog(tag.c_str(), LOG_PID | LOG_NDELAY, LOG_MAIL);
    ::syslog(LOG_MAIL | priority, "%s", shown(line.severity, line.text).c_str());
    ::closelog();
}

}  // namespace

void MasterLog::configure(std::string postlog_socket, std::string syslog_name) {
    postlog_socket_ = std::move(postlog_socket);
    syslog_name_ = std::move(syslog_name);
}

void MasterLog::line(wire::Severity severity, std::string_view text) {
    line_of("master", static_cast<uint32_t>(::getpid()), severity, text);
}

void MasterLog::line_of(std::string_view program, uint32_t pid, wire::Severity severity,
                        std::string_view text) {
    const std::string tag = syslog_name_ + "/" + std::string(program);
    const std::string clean = printable(text, 2000);
    if (also_to_stderr_)
        std::fprintf(stderr, "%s[%u]: %s\n", tag.c_str(), pid, shown(severity, clean).c_str());
    wire::LogLine record;
    record.wall_us = wall_us();
    record.pid = pid;
    record.severity = severity;
    record.program = tag;
    record.text = clean;
    if (postlog_socket_.empty()) return to_syslog(record);
    if (waiting_.size() >= kWaitingMax) waiting_.pop_front();
    wire::encode(record, waiting_.emplace_back());
    flush();
}

void MasterLog::flush() {
    while (!waiting_.empty() && send(waiting_.front())) waiting_.pop_front();
}

bool MasterLog::send(std::string_view encoded) {
    if (!socket_) socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (postlog_socket_.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, postlog_socket_.data(), postlog_socket_.size());
    return ::sendto(socket_.get(), encoded.data(), encoded.size(), MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&address), sizeof address) >= 0;
}

void MasterLog::finish() {
    flush();
    for (const std::string& encoded : waiting_) {
        wire::LogLine record;
        if (wire::decode(encoded, record)) to_syslog(record);
    }
    waiting_.clear();
}

}  // namespace posthaste
