// cleanup/rewrite/host_selection.h: from DNS answers to the hosts that a domain's mail may go to,
// in order (RFC 5321 section 5.1). Pure: answers, settings and random numbers come from outside.
//
//   MX answer                         what becomes of it
//   null MX (RFC 7505)                bounced 5.1.0
//   no such name                      bounced 5.4.4
//   failed                            deferred 4.4.3
//   no MX                             the domain's own addresses
//   MX hosts                          those with addresses, by preference; from ourselves on they are cut off
//   none has an address               deferred when any answer may yet come, else bounced 5.4.4
//   nothing is left but ourselves     bounced 5.4.6
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mail/wire/resolve.h"

#include "cleanup/rewrite/resolver.h"

namespace posthaste::rewrite {

enum class FamilyPreference : uint8_t { any, v4, v6 };

struct HostPolicy {
    bool v4 = true;  // inet_protocols
    bool v6 = true;
    FamilyPreference preference = FamilyPreference::any;
    bool randomize = true;             // smtp_randomize_addresses
    bool balance = true;               // smtp_balance_inet_protocols
    size_t addresses_max = 5;          // smtp_mx_address_limit; 0: kHostsMax
    bool look_up_dns = true;           // not disable_dns_lookups
    bool use_hosts_file = false;       // smtp_host_lookup names native
    bool ignore_mx_failure = false;    // ignore_mx_lookup_error
    bool defer_if_no_address = false;  // smtp_defer_if_no_mx_address_found
    bool roll_up = false;              // destination_rollup = mx
    uint16_t port_default = 25;        // smtp_tcp_port
    std::string fallback;              // smtp_fallback_relay
    std::vector<IpAddress> own_addresses;

    bool operator==(const HostPolicy&) const = default;
};

struct FoundHost {
    std::string name;
    uint16_t preference = 0;
    IpAddress address;
    uint16_t port = 25;
    uint8_t hop = 0;  // which of several next hops it belongs to; goes before preference
};

// What is known of a next hop until ttl_s has passed.
struct FoundHosts {
    wire::ResolveOutcome outcome = wire::ResolveOutcome::deferred;
    std::string dsn;
    std::string text;
    std::string site;              // empty: the next hop as it is written
    std::vector<FoundHost> hosts;  // all of them, by preference; order_hosts() makes a choice
    bool we_are_mx = false;        // worse ones were cut off: no fallback either
    uint32_t ttl_s = 0;
};

// One MX host (or the one host there is) with what was asked of its addresses. Families that were
// not asked have status no_data.
struct HostAnswers {
    MxRecord mx;
    AddressAnswer v4{DnsStatus::no_data, 0, {}};
    AddressAnswer v6{DnsStatus::no_data, 0, {}};
};

// Hosts worth asking for, by preference: no duplicates, null records left out, at most kRecordsMax.
std::vector<MxRecord> usable_mx(const MxAnswer& answer);

// The answer for a domain with no use for hosts: null MX, no such name, failure. `text` is
// complete.
FoundHosts no_hosts(const std::string& domain, const MxAnswer& answer);

// `domain` as written in logs; `answers` by preference; `port` the next hop's.
FoundHosts hosts_of_mx(const std::string& domain, const MxAnswer& mx,
                       std::vector<HostAnswers> answers, uint16_t port, const HostPolicy& policy);
// A single host, by name.
FoundHosts hosts_of_host(const HostAnswers& answers, uint16_t port, const HostPolicy& policy);

// Equal preference shuffled and the wanted family first; then cut to the limit, with both families
// in it if both exist.
std::vector<FoundHost> order_hosts(const std::vector<FoundHost>& hosts, const HostPolicy& policy,
                                   const std::function<uint64_t()>& random);

// Of hosts in that order: those of the same rank are equals, one of which each connection takes by
// chance (smtp_randomize_addresses). Ascending from 0.
std::vector<uint8_t> ranks_of(const std::vector<FoundHost>& ordered, const HostPolicy& policy);

// Exact name of an MX set, whatever its order: domains with the same one share a destination.
// Shorter than 200 bytes.
std::string site_of_mx(const std::vector<MxRecord>& records, uint16_t port);

FoundHosts refused_hosts(wire::ResolveOutcome outcome, std::string dsn, std::string text,
                         uint32_t ttl_s);

}  // namespace posthaste::rewrite
