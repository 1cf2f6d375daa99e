// The SMTP client: how it speaks and how long it waits.
#include "runtime/settings/parameters.h"

namespace posthaste::parameters {

std::span<const ParameterRow> smtp() {
    using enum ParameterKind;
    using enum Applies;
    static constexpr ParameterRow kRows[] = {
        {"smtp_helo_name", text, "$myhostname", 0, 0, live, "The name in HELO and EHLO."},
        {"smtp_bind_address", text, "", 0, 0, live,
         "IPv4 address to send from; empty: the kernel chooses."},
        {"smtp_bind_address6", text, "", 0, 0, live,
         "IPv6 address to send from; empty: the kernel chooses."},
        {"smtp_tcp_port", integer, "smtp", 1, 65535, live,
         "Port of a next hop that names none: a number, or a service's name as in \"smtp\"."},
        {"smtp_fallback_relay", text, "$fallback_relay", 0, 0, live,
         "Hosts tried when a destination's own hosts are not found or not reached."},
        {"fallback_relay", text, "", 0, 0, live, "Older name of smtp_fallback_relay."},
        {"smtp_always_send_ehlo", boolean, "yes", 0, 0, live,
         "EHLO first, whatever the greeting says."},
        {"smtp_never_send_ehlo", boolean, "no", 0, 0, live, "HELO only."},
        {"smtp_skip_5xx_greeting", boolean, "yes", 0, 0, live,
         "A 5XX greeting means: try the next host, not: return the mail."},
        {"smtp_skip_quit_response", boolean, "yes", 0, 0, live,
         "Wait for the reply to QUIT no longer than 10 s. A connection counts until then."},
        {"smtp_line_length_limit", size, "998", 0, 1 << 20, live,
         "Longer lines of a message are broken (CRLF and a blank), RFC 5321 4.5.3.1.6; 0: never."},
        {"smtp_mx_address_limit", integer, "5", 0, kIntMax, live,
         "Addresses of a destination that are tried in one delivery; 0: all."},
        {"smtp_mx_session_limit", integer, "2", 0, kIntMax, live,
         "Sessions of one delivery before it is deferred; 0: as many as there are addresses."},
        {"smtp_connect_timeout", time, "30s", 0, kIntMax, live,
         "For a TCP connection; 0: the kernel's own limit."},
        {"smtp_helo_timeout", time, "300s", 1, kIntMax, live,
         "For the greeting and the reply to HELO/EHLO (RFC 5321 4.5.3.2.1)."},
        {"smtp_mail_timeout", time, "300s", 1, kIntMax, live,
         "For the reply to MAIL FROM (RFC 5321 4.5.3.2.2)."},
        {"smtp_rcpt_timeout", time, "300s", 1, kIntMax, live,
         "For the reply to RCPT TO (RFC 5321 4.5.3.2.3)."},
        {"smtp_data_init_timeout", time, "120s", 1, kIntMax, live,
         "For the reply to DATA (RFC 5321 4.5.3.2.4)."},
        {"smtp_data_xfer_timeout", time, "180s", 1, kIntMax, live,
         "For a block of the message to leave (RFC 5321 4.5.3.2.5)."},
        {"smtp_data_done_timeout", time, "600s", 1, kIntMax, live,
         "For the reply to the end of the message (RFC 5321 4.5.3.2.6)."},
        {"smtp_rset_timeout", time, "20s", 1, kIntMax, live, "For the reply to RSET."},
        {"smtp_quit_timeout", time, "300s", 1, kIntMax, live,
         "For the reply to QUIT; at most 10 s with smtp_skip_quit_response."},
        {"smtp_connection_cache_time_limit", time, "2s", 0, kIntMax, live,
         "How long an idle connection is kept for the destination's next mail."},
        {"smtp_connection_reuse_time_limit", time, "300s", 1, kIntMax, live,
         "Age at which a connection takes no further mail."},
        {"smtp_connection_reuse_count_limit", integer, "0", 0, kIntMax, live,
         "Messages after which a connection takes no further mail; 0: no limit."},
    };
    return kRows;
}

}  // namespace posthaste::parameters
