// master/postlogd/log_text.h: a LogLine as Postfix writes it: "Nov 22 07:30:00 mail
// postfix/smtpd[4711]: connect from …".
//
// Local time. The time zone's rules are read when the first object is made, which must be before
// the chroot; after that no file is touched, daylight saving included.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/log_line.h"

namespace posthaste {

class LogText {
 public:
    // `host`: its first label appears in each line.
    explicit LogText(std::string_view host);

    // With a line end.
    void append(const wire::LogLine& line, std::string& out);
    // As a datagram for /dev/log: "<22>Nov 22 07:30:00 postfix/smtpd[4711]: …"
    void append_for_syslog(const wire::LogLine& line, std::string& out);

 private:
    std::string_view time_text(int64_t wall_us);

    std::string host_;
    int64_t second_ = -1;  // time_ is its text
    std::string time_;
};

}  // namespace posthaste
