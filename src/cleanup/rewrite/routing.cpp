#include "cleanup/rewrite/routing.h"

#include <algorithm>

#include "base/strings.h"

#include "mail/address.h"

namespace posthaste::rewrite {
namespace {

bool is_text_transport(std::string_view transport) noexcept {
    return transport == "error" || transport == "retry";
}

}  // namespace

bool Routing::needs_hosts(std::string_view transport) const noexcept {
    return std::find(services_.begin(), services_.end(), transport) != services_.end();
}

Routing::Target Routing::split_target(std::string_view text) {
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos) return {std::string(trimmed(text)), ""};
    return {std::string(trimmed(text.substr(0, colon))),
            std::string(trimmed(text.substr(colon + 1)))};
}

bool Routing::open(const Settings& settings, std::vector<IpAddress> own_addresses,
                   OpenReport& report) {
    const std::string& parents = settings.text("parent_domain_matches_subdomains");
    const auto explain = [&](const char* setting) {
        report.error = std::string(setting) + ": " + report.error;
        return false;
    };
    Routing out;
    // As in Postfix never what lies below, and as smtpd has it.
    if (!out.local_domains_.open(settings.text("mydestination"), false, report)) {
        return explain("mydestination");
    }
    if (!out.relay_domains_.open(settings.text("relay_domains"),
                                 parent_matches_subdomains(parents, "relay_domains"), report)) {
        return explain("relay_domains");
    }
    TransportMap::Options options;
    options.parent_matches_subdomains = parent_matches_subdomains(parents, "transport_maps");
    options.recipient_delimiter = settings.text("recipient_delimiter");
    if (!out.transport_map_.open(settings.text("transport_maps"), std::move(options), report)) {
        return explain("transport_maps");
    }
    out.local_ = split_target(settings.text("local_transport"));
    out.relay_ = split_target(settings.text("relay_transport"));
    out.other_ = split_target(settings.text("default_transport"));
    for (const std::string_view service : settings.list("delivery_services"))
        out.services_.emplace_back(service);
    out.relayhost_ = std::string(trimmed(settings.text("relayhost")));
    out.myhostname_ = settings.text("myhostname");
    out.own_addresses_ = std::move(own_addresses);
    *this = std::move(out);
    return true;
}

Result<wire::AddressClass> Routing::class_of(std::string_view domain) const {
    if (domain.starts_with('[') && domain.ends_with(']')) {
        std::string_view inner = domain.substr(1, domain.size() - 2);
        if (starts_with_ignoring_case(inner, "ipv6:")) inner.remove_prefix(5);
        const auto address = IpAddress::parse(inner);
        if (address && std::find(own_addresses_.begin(), own_addresses_.end(), *address) !=
                           own_addresses_.end()) {
            return wire::AddressClass::local;
        }
    }
    ASSIGN_OR_RETURN(const bool local, local_domains_.matches(domain));
    if (local) return wire::AddressClass::local;
    ASSIGN_OR_RETURN(const bool relayed, relay_domains_.matches(domain));
    return relayed ? wire::AddressClass::relay : wire::AddressClass::other;
}

// An address without brackets is no domain (RFC 5321 4.1.3), though it may be a next hop of ours.
void Routing::send_to_domain(Route& route, const std::string& domain) {
    if (IpAddress::parse(domain)) {
        route.transport = "error";
        route.next_hop = "5.1.3 Bad recipient address syntax";
    } else {
        route.next_hop = domain;
    }
}

Result<Route> Routing::route(std::string_view recipient) const {
    std::string domain = lowered(domain_of(recipient));
    const bool bare = domain.empty();
    if (bare) domain = myhostname_;
    Route out;
    if (bare) {
        out.address_class = wire::AddressClass::local;
    } else {
        ASSIGN_OR_RETURN(out.address_class, class_of(domain));
    }
    out.per_domain = !bare && transport_map_.is_per_domain(domain);
    const Target& target = out.address_class == wire::AddressClass::local   ? local_
                           : out.address_class == wire::AddressClass::relay ? relay_
                                                                            : other_;
    out.transport = target.transport;
    out.next_hop = target.next_hop;

    ASSIGN_OR_RETURN(const auto entry, transport_map_.find(recipient));
    const Target mapped = entry ? split_target(*entry) : Target{};
    if (!mapped.transport.empty()) {
        out.transport = mapped.transport;
        out.next_hop = mapped.next_hop;
        if (out.next_hop.empty()) {
            if (is_text_transport(out.transport)) {
                out.next_hop = "Address is undeliverable";
            } else {
                send_to_domain(out, domain);
            }
        }
        return out;
    }
    if (!mapped.next_hop.empty()) {
        out.next_hop = mapped.next_hop;
        return out;
    }
    if (!out.next_hop.empty()) return out;
    if (is_text_transport(out.transport)) {
        out.next_hop = "Address is undeliverable";
    } else if (!relayhost_.empty() && out.address_class != wire::AddressClass::local) {
        out.next_hop = relayhost_;
        out.by_relayhost = true;
    } else {
        send_to_domain(out, domain);
    }
    return out;
}

}  // namespace posthaste::rewrite
