// master/master_log.h: master's own log lines: to postlogd's datagram socket, which waits while
// postlogd does not run. Lines that the socket does not take are kept (bounded) and tried again.
// Without a postlogd in master.cf, and when nothing runs any more: syslog.
#pragma once

#include <deque>
#include <string>

#include "base/fd.h"

#include "runtime/log.h"

namespace posthaste {

class MasterLog final : public Log {
 public:
    explicit MasterLog(bool also_to_stderr) : also_to_stderr_(also_to_stderr) {}

    void line(wire::Severity severity, std::string_view text) override;
    // As another program's line, e.g. a service's last words on its standard error.
    void line_of(std::string_view program, uint32_t pid, wire::Severity severity,
                 std::string_view text);

    // Empty: syslog. `syslog_name` is the tag's first part.
    void configure(std::string postlog_socket, std::string syslog_name);

    void set_also_to_stderr(bool yes) noexcept { also_to_stderr_ = yes; }

    bool has_waiting() const noexcept { return !waiting_.empty(); }

    void flush();
    // At the end: what is left goes to syslog.
    void finish();

 private:
    bool send(std::string_view encoded);

    static constexpr size_t kWaitingMax = 1000;
    bool also_to_stderr_;
    std::string postlog_socket_;
    std::string syslog_name_ = "postfix";
    Fd socket_;
    std::deque<std::string> waiting_;  // encoded LogLines
};

}  // namespace posthaste
