#include "ingress/smtpd/refusing_transports.h"

#include <utility>

#include "base/strings.h"

#include "mail/enhanced_status.h"

#include "lookup/match_list.h"

namespace posthaste::smtpd {

bool RefusingTransports::open(const Settings& settings, OpenReport& report) {
    if (!settings.boolean("smtpd_reject_unlisted_recipient")) {
        transport_map_ = {};
        return true;
    }
    TransportMap map;
    const bool parents = parent_matches_subdomains(
        settings.text("parent_domain_matches_subdomains"), "transport_maps");
    if (!map.open(settings.text("transport_maps"), {parents, settings.text("recipient_delimiter")},
                  report))
        return false;
    transport_map_ = std::move(map);
    return true;
}

std::string RefusingTransports::refusal_of(std::string_view recipient) const {
    if (transport_map_.empty()) return {};
    const auto found = transport_map_.find(recipient);
    if (!found || !*found) return {};
    const std::string_view target = **found;
    const bool is_error = target.starts_with("error:");
    if (!is_error && !target.starts_with("retry:")) return {};
    std::string_view text = trimmed(target.substr(target.find(':') + 1));
    std::string dsn = "x.1.1";
    if (const auto status = enhanced_status_of(text); !status.empty()) {
        dsn.assign(status);
        text = trimmed(text.substr(status.size()));
    }
    dsn[0] = is_error ? '5' : '4';
    if (text.empty()) text = "Address is undeliverable";
    std::string reply = is_error ? "550 " : "450 ";
    reply.append(dsn).append(" <").append(recipient).append(">: Recipient address rejected: ");
    return reply.append(printable(text));
}

}  // namespace posthaste::smtpd
