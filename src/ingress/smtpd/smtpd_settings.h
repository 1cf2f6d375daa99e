// ingress/smtpd/smtpd_settings.h: main.cf as this service uses it: read once at start and at
// reload, then only plain values, so that no command asks the settings table. One object serves all
// sessions of a process; a reload puts new values in the same place, and sessions go on with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/data_scanner.h"
#include "mail/smtp_command.h"
#include "runtime/settings/settings.h"

#include "lookup/network_match_list.h"

#include "ingress/smtpd/restrictions.h"

namespace posthaste::smtpd {

struct SmtpdSettings {
    // Nothing when a value makes no sense; `fault` is the line for the log. `warnings` are lines
    // too. Opens what files the values name: for the prepare stage. message_bytes_max: what the
    // arenas can hold, a bound on message_size_limit.
    static std::optional<SmtpdSettings> read(const Settings& settings, uint64_t message_bytes_max,
                                             std::vector<std::string>& warnings,
                                             std::string& fault);

    std::string hostname;
    std::string greeting;    // "220 … \r\n"
    std::string ehlo_reply;  // whole, with line ends
    std::string helo_reply;

    Restrictions restrictions;
    NetworkMatchList bare_newline_exclusions;
    NetworkMatchList event_limit_exceptions;
    std::vector<std::string> forbidden_commands;
    std::vector<std::string> noop_commands;
    bool forbids_nonletters = false;  // regexp:{{/^[^A-Z]/ Bogus}} in smtpd_forbidden_commands

    BareNewline bare_newline = BareNewline::normalize;
    int64_t bare_newline_code = 550;
    bool forbids_unauth_pipelining = true;
    bool helo_required = false;
    bool vrfy_disabled = false;
    MailRules mail_rules = {};  // what MAIL and RCPT may be
    bool offers_chunking = true;
    bool offers_dsn = true;
    bool looks_up_client_names = true;
    bool logs_client_port = false;

    uint64_t message_bytes_max = 0;  // never 0: what the arena can hold when main.cf sets no limit
    uint32_t line_bytes_max = 2048;
    uint32_t recipients_max = 1000;
    uint32_t recipients_overshoot_max = 1000;
    uint32_t soft_errors_max = 10;
    uint32_t hard_errors_max = 20;
    uint32_t junk_commands_max = 100;
    uint32_t connections_from_one_address_max = 50;
    uint32_t sessions_max = 4000;
    int64_t error_pause_us = 0;
    int64_t silence_max_us = 0;  // smtpd_timeout
    int64_t min_data_rate = 0;   // bytes a second; 0: no smtpd_per_request_deadline
};

}  // namespace posthaste::smtpd
