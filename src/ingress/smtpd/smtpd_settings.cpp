#include "ingress/smtpd/smtpd_settings.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

#include "mail/envelope.h"

#include "lookup/pattern_file.h"

namespace posthaste::smtpd {
namespace {

bool holds(const std::vector<std::string>& words, std::string_view word) {
    return std::any_of(words.begin(), words.end(), [word](const std::string& candidate) {
        return equals_ignoring_case(candidate, word);
    });
}

BareNewline bare_newline_policy(std::string_view value) {
    if (equals_ignoring_case(value, "reject")) return BareNewline::reject;
    if (equals_ignoring_case(value, "note")) return BareNewline::note;
    if (equals_ignoring_case(value, "no")) return BareNewline::no;
    return BareNewline::normalize;  // "normalize", and "yes" as in Postfix 3.9
}

// In Postfix's order. STARTTLS and AUTH come between ETRN and ENHANCEDSTATUSCODES when they exist;
// ETRN is not announced while it is refused.
std::string make_ehlo_reply(const SmtpdSettings& values, bool limits_size,
                            const std::vector<std::string>& discarded) {
    std::vector<std::string> lines{values.hostname};
    const auto offer = [&](std::string_view keyword, std::string line) {
        if (!holds(discarded, keyword)) lines.push_back(std::move(line));
    };
    offer("PIPELINING", "PIPELINING");
    offer("SIZE", limits_size ? "SIZE " + std::to_string(values.message_bytes_max) : "SIZE");
    if (!values.vrfy_disabled) offer("VRFY", "VRFY");
    offer("ENHANCEDSTATUSCODES", "ENHANCEDSTATUSCODES");
    offer("8BITMIME", "8BITMIME");
    if (values.offers_dsn) lines.push_back("DSN");
    if (values.mail_rules.offers_utf8) lines.push_back("SMTPUTF8");
    if (values.offers_chunking) lines.push_back("CHUNKING");
    std::string reply;
    for (size_t i = 0; i < lines.size(); ++i) {
        reply.append(i + 1 < lines.size() ? "250-" : "250 ").append(lines[i]).append("\r\n");
    }
    return reply;
}

// Words, and files of them, as in every list of Postfix.
bool add_words(std::string_view text, unsigned depth, std::vector<std::string>& out,
               OpenReport& report) {
    for (const std::string_view word : split(text, ", \t\r\n")) {
        if (word.starts_with('/')) {
            if (depth >= kPatternFileDepthMax) {
                report.error = std::string(word) + ": nested too deep";
                return false;
            }
            if (!add_patterns_from(word, report, [&](std::string_view line) {
                    return add_words(line, depth + 1, out, report);
                }))
                return false;
        } else if (word.find_first_of(":{}!") != std::string_view::npos) {
            report.error = "\"" + std::string(word) +
                           "\" is not understood yet; list the words, or name a file that does";
            return false;
        } else {
            out.emplace_back(word);
        }
    }
    return true;
}

uint32_t bounded(int64_t value) {
    return static_cast<uint32_t>(std::clamp<int64_t>(value, 0, UINT32_MAX));
}

}  // namespace

std::optional<SmtpdSettings> SmtpdSettings::read(const Settings& settings,
                                                 uint64_t arena_message_bytes_max,
                                                 std::vector<std::string>& warnings,
                                                 std::string& fault) {
    auto restrictions = Restrictions::parse(settings, fault);
    if (!restrictions) return std::nullopt;
    OpenReport report;
    NetworkMatchList exclusions;
    NetworkMatchList exceptions;
    const char* parameter = nullptr;
    if (!exclusions.open(settings.text("smtpd_forbid_bare_newline_exclusions"), report)) {
        parameter = "smtpd_forbid_bare_newline_exclusions";
    } else if (!exceptions.open(settings.text("smtpd_client_event_limit_exceptions"), report)) {
        parameter = "smtpd_client_event_limit_exceptions";
    }
    if (parameter != nullptr) {
        fault = std::string(parameter) + ": " + report.error;
        return std::nullopt;
    }
    SmtpdSettings out{.hostname = settings.text("myhostname"),
                      .greeting = "220 " + settings.text("smtpd_banner") + "\r\n",
                      .ehlo_reply = {},
                      .helo_reply = "250 " + settings.text("myhostname") + "\r\n",
                      .restrictions = std::move(*restrictions),
                      .bare_newline_exclusions = std::move(exclusions),
                      .event_limit_exceptions = std::move(exceptions),
                      .forbidden_commands = {},
                      .noop_commands = {}};

    // The one table that Postfix's default holds is understood; the words inside a braced table are
    // not commands.
    constexpr std::string_view kNonletters = "regexp:{{/^[^A-Z]/ Bogus}}";
    std::string commands = settings.text("smtpd_forbidden_commands");
    if (const size_t at = commands.find(kNonletters); at != std::string::npos) {
        out.forbids_nonletters = true;
        commands.erase(at, kNonletters.size());
    }
    if (!add_words(commands, 0, out.forbidden_commands, report)) {
        fault = "smtpd_forbidden_commands: " + report.error;
        return std::nullopt;
    }
    if (!add_words(settings.text("smtpd_noop_commands"), 0, out.noop_commands, report)) {
        fault = "smtpd_noop_commands: " + report.error;
        return std::nullopt;
    }

    out.bare_newline = bare_newline_policy(settings.text("smtpd_forbid_bare_newline"));
    out.bare_newline_code = settings.integer("smtpd_forbid_bare_newline_reject_code");
    out.forbids_unauth_pipelining = settings.boolean("smtpd_forbid_unauth_pipelining");
    out.helo_required = settings.boolean("smtpd_helo_required");
    out.vrfy_disabled = settings.boolean("disable_vrfy_command");
    out.looks_up_client_names = settings.boolean("smtpd_peername_lookup");
    out.logs_client_port = settings.boolean("smtpd_client_port_logging");
    if (!settings.boolean("smtpd_delay_reject")) {
        warnings.push_back(
            "smtpd_delay_reject = no is not supported: restrictions are asked at RCPT TO");
    }

    const std::vector<std::string> discarded = settings.list("smtpd_discard_ehlo_keywords");
    out.mail_rules.strict_utf8 = settings.boolean("strict_smtputf8");
    out.mail_rules.strict_path = settings.boolean("strict_rfc821_envelopes");
    out.mail_rules.offers_utf8 =
        settings.boolean("smtputf8_enable") && !holds(discarded, "SMTPUTF8");
    out.offers_chunking = !holds(discarded, "CHUNKING");
    out.offers_dsn = !holds(discarded, "DSN");

    const auto size_limit = static_cast<uint64_t>(settings.integer("message_size_limit"));
    out.message_bytes_max =
        size_limit == 0 ? arena_message_bytes_max : std::min(size_limit, arena_message_bytes_max);
    if (size_limit > arena_message_bytes_max) {
        const std::string text =
            "message_size_limit: more than a message may take (half of smtpd_arena_size, nearly a "
            "quarter of store_arena_size, 126 MiB in any case)";
        // Who asked for it would be told by mail that is refused. Nobody asked for the default.
        if (settings.text("message_size_limit") != find_parameter("message_size_limit")->initial) {
            fault = text + "; write " + std::to_string(arena_message_bytes_max) +
                    " at most, or 0 for just that";
            return std::nullopt;
        }
        warnings.push_back(text + "; the limit is " + std::to_string(arena_message_bytes_max));
    }
    out.line_bytes_max = bounded(settings.integer("line_length_limit"));
    out.recipients_max =
        std::min(bounded(settings.integer("smtpd_recipient_limit")), kRecipientsMax);
    out.recipients_overshoot_max = bounded(settings.integer("smtpd_recipient_overshoot_limit"));
    out.soft_errors_max = bounded(settings.integer("smtpd_soft_error_limit"));
    out.hard_errors_max = bounded(settings.integer("smtpd_hard_error_limit"));
    out.junk_commands_max = bounded(settings.integer("smtpd_junk_command_limit"));
    out.connections_from_one_address_max =
        bounded(settings.integer("smtpd_client_connection_count_limit"));
    out.sessions_max = bounded(settings.integer("smtpd_session_limit"));
    out.error_pause_us = settings.time_us("smtpd_error_sleep_time");
    out.silence_max_us = settings.time_us("smtpd_timeout");
    if (settings.boolean("smtpd_per_request_deadline"))
        out.min_data_rate = settings.integer("smtpd_min_data_rate");
    out.ehlo_reply = make_ehlo_reply(out, size_limit != 0, discarded);
    return out;
}

}  // namespace posthaste::smtpd
