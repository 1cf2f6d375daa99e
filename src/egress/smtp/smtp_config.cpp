#include "egress/smtp/smtp_config.h"

#include <algorithm>

#include "base/units.h"

namespace posthaste::smtp {

namespace {

// Until the server has answered, it counts this connection. Nobody waits for that but the place.
constexpr int64_t kSkippedQuitUs = 10 * kSecondUs;

}  // namespace

SmtpConfig SmtpConfig::from(const Settings& settings) {
    SmtpConfig config;
    config.myhostname = settings.text("myhostname");
    config.helo_name = settings.text("smtp_helo_name");
    config.bind_v4 = IpAddress::parse(settings.text("smtp_bind_address"));
    config.bind_v6 = IpAddress::parse(settings.text("smtp_bind_address6"));
    config.always_send_ehlo = settings.boolean("smtp_always_send_ehlo");
    config.never_send_ehlo = settings.boolean("smtp_never_send_ehlo");
    config.skip_5xx_greeting = settings.boolean("smtp_skip_5xx_greeting");
    config.line_bytes_max = static_cast<uint32_t>(settings.integer("smtp_line_length_limit"));
    config.connect_timeout_us = settings.time_us("smtp_connect_timeout");
    config.helo_timeout_us = settings.time_us("smtp_helo_timeout");
    config.mail_timeout_us = settings.time_us("smtp_mail_timeout");
    config.rcpt_timeout_us = settings.time_us("smtp_rcpt_timeout");
    config.data_init_timeout_us = settings.time_us("smtp_data_init_timeout");
    config.data_xfer_timeout_us = settings.time_us("smtp_data_xfer_timeout");
    config.data_done_timeout_us = settings.time_us("smtp_data_done_timeout");
    config.rset_timeout_us = settings.time_us("smtp_rset_timeout");
    config.quit_timeout_us = settings.time_us("smtp_quit_timeout");
    if (settings.boolean("smtp_skip_quit_response"))
        config.quit_timeout_us = std::min(config.quit_timeout_us, kSkippedQuitUs);
    config.reuse_time_limit_us = settings.time_us("smtp_connection_reuse_time_limit");
    config.reuse_count_limit =
        static_cast<uint32_t>(settings.integer("smtp_connection_reuse_count_limit"));
    config.mx_address_limit = static_cast<uint32_t>(settings.integer("smtp_mx_address_limit"));
    config.mx_session_limit = static_cast<uint32_t>(settings.integer("smtp_mx_session_limit"));
    return config;
}

}  // namespace posthaste::smtp
