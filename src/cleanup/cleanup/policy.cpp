#include "cleanup/cleanup/policy.h"

#include <string_view>

#include "base/strings.h"

namespace posthaste::cleanup {
namespace {

// Builds "networks" text for NetworkMatchList from the restrictions of
// local_header_rewrite_clients.
bool read_local_clients(const Settings& settings, const std::vector<IpAddress>& own_addresses,
                        CleanupPolicy& policy, OpenReport& report) {
    std::string networks;
    for (const std::string& name : settings.list("local_header_rewrite_clients")) {
        if (name == "permit_inet_interfaces") {
            for (const IpAddress& address : own_addresses) {
                networks += address.v6 ? "[" + address.text() + "] " : address.text() + " ";
            }
        } else if (name == "permit_mynetworks") {
            networks += settings.text("mynetworks") + " ";
        } else if (name == "static:all") {
            policy.all_clients_local = true;
        } else if (name == "permit_sasl_authenticated" || name == "permit_tls_clientcerts" ||
                   name == "permit_tls_all_clientcerts") {
            report.warnings.push_back("local_header_rewrite_clients: " + name +
                                      " has no effect yet");
        } else {
            report.error =
                "local_header_rewrite_clients: \"" + printable(name, 100) + "\" is not supported";
            return false;
        }
    }
    return policy.local_clients.open(networks, report);
}

}  // namespace

std::optional<CleanupPolicy> CleanupPolicy::read(const Settings& settings,
                                                 const std::vector<IpAddress>& own_addresses,
                                                 OpenReport& report) {
    CleanupPolicy out;
    out.host = settings.text("myhostname");
    out.origin = settings.text("myorigin");
    out.mail_name = settings.text("mail_name");
    const std::string parent =
        settings.boolean("append_dot_mydomain") ? settings.text("mydomain") : "";
    const bool complete = settings.boolean("append_at_myorigin");
    out.envelope = {complete ? out.origin : "", parent};
    out.local_headers = out.envelope;
    const std::string& domain = settings.text("remote_header_rewrite_domain");
    if (!domain.empty()) {
        out.remote_headers = {complete ? domain : "", parent.empty() ? "" : domain};
    }
    if (!read_local_clients(settings, own_addresses, out, report)) return std::nullopt;
    // Whose header is to be completed shall get what it lacks, too.
    out.always_add_missing_headers =
        settings.boolean("always_add_missing_headers") || !domain.empty();
    out.tell_duplicates_by_original = settings.boolean("enable_original_recipient");
    for (const std::string& name : settings.list("message_drop_headers"))
        out.dropped_headers.push_back(name);
    out.header_bytes_max = static_cast<size_t>(settings.integer("header_size_limit"));
    out.header_addresses_max = static_cast<size_t>(settings.integer("header_address_token_limit"));
    out.hops_max = static_cast<uint32_t>(settings.integer("hopcount_limit"));
    out.duplicates_max = static_cast<size_t>(settings.integer("duplicate_filter_limit"));
    return out;
}

bool CleanupPolicy::is_local(const std::string& client_address) const noexcept {
    if (all_clients_local) return true;
    const auto address = IpAddress::parse(client_address);
    // Mail that came by no network has no client address.
    return address ? local_clients.contains(*address) : client_address.empty();
}

}  // namespace posthaste::cleanup
