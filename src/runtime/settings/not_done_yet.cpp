#include "runtime/settings/not_done_yet.h"

#include <algorithm>

#include "base/strings.h"

namespace posthaste {

namespace {

struct Ignored {
    std::string_view name;
    std::string_view harmless;   // words that ask for nothing, with blanks between; empty is one
    std::string_view otherwise;  // what would happen: "mail would …"
};

constexpr std::string_view kInClear = "mail would go out without TLS";
constexpr std::string_view kTakenInClear = "clients would not be held to TLS";
constexpr std::string_view kUnfiltered = "mail would pass unfiltered";
constexpr std::string_view kNotCopied = "no copy would be sent";
constexpr std::string_view kNotRewritten = "addresses would stay as they are";
constexpr std::string_view kElsewhere = "mail would go another way";
constexpr std::string_view kNotRefused = "what it forbids would be taken";
constexpr std::string_view kRefused = "mail would be refused for good";
constexpr std::string_view kUsed = "what it forbids would be used";
constexpr std::string_view kNoLogin = "nobody would log in";

constexpr Ignored kIgnored[] = {
    {"smtp_tls_security_level", "none may", kInClear},
    {"smtp_enforce_tls", "no", kInClear},
    {"smtp_tls_wrappermode", "no", kInClear},
    {"smtp_tls_policy_maps", "", kInClear},
    {"smtp_tls_per_site", "", kInClear},
    {"lmtp_tls_security_level", "none may", kInClear},
    {"lmtp_tls_policy_maps", "", kInClear},
    {"smtpd_tls_security_level", "none may", kTakenInClear},
    {"smtpd_enforce_tls", "no", kTakenInClear},
    {"smtpd_tls_wrappermode", "no", kTakenInClear},
    {"smtpd_tls_req_ccert", "no", kTakenInClear},
    {"smtp_sasl_auth_enable", "no", kNoLogin},
    {"lmtp_sasl_auth_enable", "no", kNoLogin},
    {"smtpd_milters", "", kUnfiltered},
    {"non_smtpd_milters", "", kUnfiltered},
    {"smtpd_milter_maps", "DISABLE", kUnfiltered},
    {"content_filter", "", kUnfiltered},
    {"smtpd_proxy_filter", "", kUnfiltered},
    {"header_checks", "", kUnfiltered},
    {"body_checks", "", kUnfiltered},
    {"mime_header_checks", "", kUnfiltered},
    {"nested_header_checks", "", kUnfiltered},
    {"milter_header_checks", "", kUnfiltered},
    {"smtp_header_checks", "", kUnfiltered},
    {"smtp_body_checks", "", kUnfiltered},
    {"smtp_mime_header_checks", "", kUnfiltered},
    {"smtp_nested_header_checks", "", kUnfiltered},
    {"message_reject_characters", "", kNotRefused},
    {"message_strip_characters", "", kUnfiltered},
    {"strict_7bit_headers", "no", kNotRefused},
    {"strict_8bitmime", "no", kNotRefused},
    {"strict_8bitmime_body", "no", kNotRefused},
    {"strict_mime_encoding_domain", "no", kNotRefused},
    {"smtpd_command_filter", "", kUnfiltered},
    {"smtpd_dns_reply_filter", "", kUnfiltered},
    {"smtp_dns_reply_filter", "", kUnfiltered},
    {"smtp_reply_filter", "", kUnfiltered},
    {"lmtp_reply_filter", "", kUnfiltered},
    {"smtp_delivery_status_filter", "", kUnfiltered},
    {"default_delivery_status_filter", "", kUnfiltered},
    {"always_bcc", "", kNotCopied},
    {"sender_bcc_maps", "", kNotCopied},
    {"recipient_bcc_maps", "", kNotCopied},
    {"canonical_maps", "", kNotRewritten},
    {"sender_canonical_maps", "", kNotRewritten},
    {"recipient_canonical_maps", "", kNotRewritten},
    {"masquerade_domains", "", kNotRewritten},
    {"smtp_generic_maps", "", kNotRewritten},
    {"virtual_alias_maps", "$virtual_maps", kElsewhere},
    {"virtual_maps", "", kElsewhere},
    {"virtual_alias_domains", "$virtual_alias_maps", kElsewhere},
    {"virtual_mailbox_domains", "$virtual_mailbox_maps", kElsewhere},
    {"virtual_mailbox_maps", "", kElsewhere},
    {"relocated_maps", "", kElsewhere},
    {"sender_dependent_relayhost_maps", "", kElsewhere},
    {"sender_dependent_default_transport_maps", "", kElsewhere},
    {"relay_recipient_maps", "", kNotRefused},
    {"smtpd_reject_footer_maps", "", "refusals would lack their footer"},
    {"smtpd_discard_ehlo_keyword_address_maps", "", kNotRefused},
    {"smtpd_upstream_proxy_protocol", "", "a proxy's header would be taken for a command"},
    {"smtp_bind_address_enforce", "no", "mail would leave from another address"},
    {"soft_bounce", "no", kRefused},
    {"smtpd_client_connection_rate_limit", "0", kNotRefused},
    {"smtpd_client_message_rate_limit", "0", kNotRefused},
    {"smtpd_client_recipient_rate_limit", "0", kNotRefused},
    {"smtpd_reject_unlisted_sender", "no", kNotRefused},
    {"local_recipient_maps", "proxy:unix:passwd.byname unix:passwd.byname $alias_maps",
     kNotRefused},
    {"authorized_mailq_users", "static:anyone", kNotRefused},
    {"authorized_flush_users", "static:anyone", kNotRefused},
    {"smtpd_hide_client_session", "no", "Received: would tell who the client was"},
    {"best_mx_transport", "", kElsewhere},
    {"smtp_dns_support_level", "enabled dnssec", kElsewhere},
    {"smtp_discard_ehlo_keywords", "starttls auth etrn silent-discard", kUsed},
    {"smtp_discard_ehlo_keyword_address_maps", "", kUsed},
    {"smtp_sasl_password_maps", "", kNoLogin},
    {"lmtp_tls_wrappermode", "no", kInClear},
    {"lmtp_enforce_tls", "no", kInClear},
};

}  // namespace

std::optional<std::string> fault_in_ignoring(std::string_view name, std::string_view value) {
    const auto* const row = std::find_if(std::begin(kIgnored), std::end(kIgnored),
                                         [&](const Ignored& each) { return each.name == name; });
    if (row == std::end(kIgnored)) return std::nullopt;
    const std::string_view asked = trimmed(value);
    if (asked.empty()) return std::nullopt;
    const auto harmless = split(row->harmless, " ");
    const auto words = split(asked, ", \t\r\n");
    const bool asks_nothing = std::ranges::all_of(words, [&](std::string_view word) {
        return std::ranges::any_of(
            harmless, [&](std::string_view each) { return equals_ignoring_case(each, word); });
    });
    if (asks_nothing) return std::nullopt;
    std::string text = "Posthaste does not do this yet, and " + std::string(row->otherwise) + "; ";
    if (harmless.empty()) return text + "remove the line to go on without it";
    return text + "to go on without it, set it to " + std::string(harmless.back());
}

std::vector<std::string_view> not_done_yet() {
    std::vector<std::string_view> out;
    for (const Ignored& row : kIgnored) out.push_back(row.name);
    return out;
}

}  // namespace posthaste
