#include "ingress/smtpd/refusing_transports.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

#include "mail/enhanced_status.h"

#include "lookup/match_list.h"

namespace posthaste::smtpd {

namespace {

bool refuses(std::string_view target) noexcept {
    return target.starts_with("error:") || target.starts_with("retry:");
}

}  // namespace

bool RefusingTransports::open(const Settings& settings, OpenReport& report) {
    if (!settings.boolean("smtpd_reject_unlisted_recipient")) {
        *this = {};
        return true;
    }
    TransportMap map;
    const bool parents = parent_matches_subdomains(
        settings.text("parent_domain_matches_subdomains"), "transport_maps");
    if (!map.open(settings.text("transport_maps"), {parents, settings.text("recipient_delimiter")},
                  report))
        return false;
    transport_map_ = std::move(map);
    of_class_ = {settings.text("local_transport"), settings.text("relay_transport"),
                 settings.text("default_transport")};
    some_class_is_refused_ = std::any_of(of_class_.begin(), of_class_.end(), refuses);
    return true;
}

// A map that names no transport leaves that of the class.
std::string RefusingTransports::target_of(std::string_view recipient,
                                          const ClassOf& class_of) const {
    if (!transport_map_.empty()) {
        auto found = transport_map_.find(recipient);
        if (!found) return {};
        const bool names_one = *found && !(*found)->empty() && !(*found)->starts_with(':');
        if (names_one) return std::move(**found);
    }
    if (!some_class_is_refused_) return {};
    return of_class_[static_cast<size_t>(class_of(recipient))];
}

std::string RefusingTransports::refusal_of(std::string_view recipient,
                                           const ClassOf& class_of) const {
    if (transport_map_.empty() && !some_class_is_refused_) return {};
    const std::string found = target_of(recipient, class_of);
    const std::string_view target = found;
    if (!refuses(target)) return {};
    const bool is_error = target.starts_with("error:");
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
