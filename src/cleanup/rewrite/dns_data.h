// cleanup/rewrite/dns_data.h: record data as libunbound hands it over: RFC 1035 wire form, names
// not compressed. Foreign bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cleanup/rewrite/resolver.h"

namespace posthaste::rewrite {

// Lowered, without the final dot; the root is empty. `rest` becomes what follows. Nothing when it
// does not parse or holds bytes that no host name has.
std::optional<std::string> read_dns_name(std::string_view data, std::string_view& rest);
// A host name that is no address: "10.0.0.1" in an MX record is somebody's mistake.
bool is_host_name(std::string_view name) noexcept;

std::optional<MxRecord> read_mx(std::string_view data);
std::optional<IpAddress> read_address(std::string_view data, bool v6) noexcept;

// "4.3.2.1.in-addr.arpa", "….ip6.arpa": what PTR is asked for.
std::string reverse_name(const IpAddress& address);

// "nameserver" lines of resolv.conf(5), at most servers_max of them; others are skipped.
std::vector<Endpoint> read_resolv_conf(std::string_view text, size_t servers_max = 8);
// A file of DNSKEY or DS records in zone form (unbound's root.key, dns-root-data): one record a
// line, what follows ";" is comment.
std::vector<std::string> read_trust_anchors(std::string_view text, size_t anchors_max = 32);
// dns_servers: "192.0.2.1, 192.0.2.2@5353". Nothing when one of them is faulty.
std::optional<std::vector<Endpoint>> read_dns_servers(std::string_view text);

}  // namespace posthaste::rewrite
