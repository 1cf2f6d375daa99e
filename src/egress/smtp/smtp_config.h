// egress/smtp/smtp_config.h: main.cf as the SMTP client uses it, read once and again at each
// reload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ip_address.h"

#include "runtime/settings/settings.h"

namespace posthaste::smtp {

struct SmtpConfig {
    std::string myhostname;
    std::string helo_name;             // smtp_helo_name
    std::optional<IpAddress> bind_v4;  // smtp_bind_address
    std::optional<IpAddress> bind_v6;  // smtp_bind_address6
    bool always_send_ehlo = true;
    bool never_send_ehlo = false;
    bool skip_5xx_greeting = true;
    uint32_t line_bytes_max = 998;   // smtp_line_length_limit, 0 = none
    int64_t connect_timeout_us = 0;  // RFC 5321 4.5.3.2 names the least values; these are Postfix's
    int64_t helo_timeout_us = 0;
    int64_t mail_timeout_us = 0;
    int64_t rcpt_timeout_us = 0;
    int64_t data_init_timeout_us = 0;
    int64_t data_xfer_timeout_us = 0;
    int64_t data_done_timeout_us = 0;
    int64_t rset_timeout_us = 0;
    int64_t quit_timeout_us = 0;      // no longer than a moment with smtp_skip_quit_response
    int64_t reuse_time_limit_us = 0;  // smtp_connection_reuse_time_limit
    uint32_t reuse_count_limit = 0;   // smtp_connection_reuse_count_limit, 0 = none
    uint32_t mx_address_limit = 0;
    uint32_t mx_session_limit = 0;

    static SmtpConfig from(const Settings& settings);
};

}  // namespace posthaste::smtp
