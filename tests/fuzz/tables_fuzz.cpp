// The choice, then a table's text, a list, a next hop, resolv.conf and a hosts file, addresses and
// networks, or an entry to be written into a table: everything that reads text for lookup and
// rewrite.
#include <string>

#include "base/strings.h"

#include "lookup/inline_table.h"
#include "lookup/list_items.h"
#include "lookup/match_list.h"
#include "lookup/network_match_list.h"
#include "lookup/texthash.h"
#include "lookup/transport_map.h"

#include "cleanup/rewrite/dns_data.h"
#include "cleanup/rewrite/hosts_file.h"
#include "cleanup/rewrite/next_hop.h"
#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

void read_texthash(std::string_view text) {
    MemoryTable table("fuzz");
    OpenReport report;
    const bool good = parse_texthash(text, "map", table, report);
    ASSERT(good == report.error.empty());
    ASSERT(good || report.error.starts_with("map:"));
}

void read_lists(std::string_view text) {
    if (const auto items = list_items(text)) {
        for (const std::string_view item : *items)
            ASSERT(!item.empty() && fuzz::is_inside(item, text));
    }
    OpenReport report;
    if (const auto table = open_inline(text, report)) ASSERT(report.error.empty());
    // No files: they are not the fuzzer's to open.
    if (text.find('/') != std::string_view::npos) return;
    MatchList list;
    report = {};
    if (list.open(text, true, report)) ASSERT(list.matches(text.substr(0, 255)).has_value());
    TransportMap map;
    report = {};
    if (map.open(text, {false, "+"}, report)) ASSERT(map.find(text.substr(0, 255)).has_value());
}

void read_next_hop(std::string_view text) {
    const auto hop = rewrite::parse_next_hop(text, 25);
    if (!hop) return;
    ASSERT(hop->port != 0 && !hop->host.empty() && hop->host == lowered(hop->host));
    ASSERT(!hop->address || !hop->look_up_mx);
    // Written out again it means the same.
    const std::string host = hop->look_up_mx ? hop->host : "[" + hop->host + "]";
    const auto again = rewrite::parse_next_hop(host + ":" + std::to_string(hop->port), 1);
    ASSERT(again && again->host == hop->host && again->port == hop->port &&
           again->look_up_mx == hop->look_up_mx);
}

void read_files(std::string_view text) {
    if (const auto servers = rewrite::read_dns_servers(text)) {
        for (const Endpoint& server : *servers) ASSERT(server.port != 0);
    }
    const auto servers = rewrite::read_resolv_conf(text, 3);
    ASSERT(servers.size() <= 3);
    for (const Endpoint& server : servers)
        ASSERT(text.find(server.ip.v6 ? ':' : '.') < text.size());
    const auto anchors = rewrite::read_trust_anchors(text, 4);
    ASSERT(anchors.size() <= 4);
    for (const std::string& anchor : anchors)
        ASSERT(!anchor.empty() && anchor.find_first_of(";\n") == std::string::npos);

    // Names lead to addresses that lead back to a name.
    const auto hosts = rewrite::HostsFile::parse(text);
    for (const std::string_view word : split(text, " \t\r\n")) {
        const std::string name = lowered(word);
        for (const bool v6 : {false, true}) {
            for (const IpAddress& address : hosts.addresses_of(name, v6)) {
                ASSERT(address.v6 == v6 && hosts.knows(name));
                ASSERT(!hosts.name_of(address).empty());
            }
        }
    }
}

void read_addresses(std::string_view text) {
    if (const auto ip = IpAddress::parse(text)) {
        ASSERT(IpAddress::parse(ip->text()) == ip);
        ASSERT(ip->unmapped().unmapped() == ip->unmapped());
    }
    if (const auto endpoint = Endpoint::parse(text))
        ASSERT(Endpoint::parse(endpoint->text()) == endpoint);
    if (const auto network = IpNetwork::parse(text)) {
        const bool is_mapped = network->ip.unmapped() != network->ip;
        ASSERT(is_mapped || network->contains(network->ip));
        const auto again =
            IpNetwork::parse(network->ip.text() + "/" + std::to_string(network->prefix_bits));
        ASSERT(again && again->ip == network->ip && again->prefix_bits == network->prefix_bits);
    }
    // No files: they are not the fuzzer's to open.
    for (const std::string_view item : split(text, ", \t\r\n\v\f!{}"))
        if (item.front() == '/') return;
    NetworkMatchList list;
    OpenReport report;
    if (!list.open(text, report)) return ASSERT(!report.error.empty());
    // The first of a list decides; what it names is in it unless it is denied.
    if (const auto only = IpNetwork::parse(text); only && only->ip.unmapped() == only->ip)
        ASSERT(list.contains(only->ip));
}

// An entry as an administrator would quote it is found again under its key, quotes and all.
void write_entry(std::string_view text) {
    const size_t size = fuzz::take_choice(text) % 32;
    const std::string_view key = text.substr(0, size);
    const std::string_view value = trimmed(text.substr(key.size()));
    if (key.empty() || value.empty() || text.find_first_of("\r\n") < text.size()) return;
    std::string line = "\"";
    for (const char c : key) {
        if (c == '"' || c == '\\') line += '\\';
        line += c;
    }
    line += '"';
    const std::string quoted = line;
    line += " " + std::string(value) + "\n";
    MemoryTable table("fuzz");
    OpenReport report;
    ASSERT(parse_texthash(line, "map", table, report) && table.size() == 1);
    const auto found = table.find(quoted);
    ASSERT(found && *found == value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view text = fuzz::text_of(data, size);
    switch (fuzz::take_choice(text) % 6) {
        case 0:
            read_texthash(text);
            break;
        case 1:
            read_lists(text);
            break;
        case 2:
            read_next_hop(text);
            break;
        case 3:
            read_files(text);
            break;
        case 4:
            read_addresses(text);
            break;
        default:
            write_entry(text);
            break;
    }
    return 0;
}
