// Address classes and routes: where a recipient's mail goes.
#include "runtime/settings/parameters.h"

namespace posthaste::parameters {

std::span<const ParameterRow> rewrite() {
    using enum ParameterKind;
    using enum Applies;
    static constexpr ParameterRow kRows[] = {
        {"relayhost", text, "", 0, 0, live,
         "Next hop of all mail that is not for us: domain, [host], [host]:port. Empty: the "
         "recipient's domain."},
        {"relay_domains", text, "", 0, 0, live,
         "Domains that anybody may send to through us (address class relay)."},
        {"transport_maps", text, "", 0, 0, live,
         "Tables from recipient or domain to transport:nexthop. They override everything else."},
        {"recipient_delimiter", text, "", 0, 0, live,
         "Characters, the first of which in a local part begins an extension: user+extension. "
         "transport_maps are asked for the address with it, then without."},
        {"default_transport", text, "smtp", 0, 0, live,
         "Transport of mail for the rest of the world."},
        {"relay_transport", text, "relay", 0, 0, live, "Transport of mail for relay_domains."},
        {"local_transport", text, "local:$myhostname", 0, 0, live,
         "Transport of mail for mydestination."},
        {"disable_dns_lookups", boolean, "no", 0, 0, live,
         "Use addresses from the hosts file only, and no MX."},
        {"ignore_mx_lookup_error", boolean, "no", 0, 0, live,
         "Fall back to the A record when a look-up of MX records fails for now."},
        {"smtp_defer_if_no_mx_address_found", boolean, "no", 0, 0, live,
         "Defer instead of refusing when no MX host has an address."},
        {"smtp_host_lookup", text, "dns", 0, 0, live, "Where host addresses come from.",
         "dns|native|dns, native|native, dns"},
        {"smtp_address_preference", text, "any", 0, 0, live, "Which address family is tried first.",
         "any|ipv4|ipv6"},
        {"smtp_balance_inet_protocols", boolean, "yes", 0, 0, live,
         "Of a host's many addresses, use some of both families."},
        {"smtp_randomize_addresses", boolean, "yes", 0, 0, live,
         "Shuffle hosts of equal preference (RFC 5321 5.1)."},
    };
    return kRows;
}

}  // namespace posthaste::parameters
