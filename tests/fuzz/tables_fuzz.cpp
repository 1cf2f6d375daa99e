// A table's text, a list, a next hop, a hosts file, DNS record data: everything that reads text for
// lookup and rewrite.
#include <string>

#include "base/strings.h"

#include "lookup/inline_table.h"
#include "lookup/list_items.h"
#include "lookup/match_list.h"
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

void read_dns(std::string_view data) {
    std::string_view rest;
    if (const auto name = rewrite::read_dns_name(data, rest)) {
        ASSERT(name->size() <= 253 && !fuzz::has_control(*name) && fuzz::is_inside(rest, data));
    }
    if (const auto mx = rewrite::read_mx(data))
        ASSERT(mx->host.empty() || rewrite::is_host_name(mx->host));
    if (const auto servers = rewrite::read_dns_servers(data)) {
        for (const Endpoint& server : *servers) ASSERT(server.port != 0);
    }
    ASSERT(rewrite::read_resolv_conf(data, 3).size() <= 3);
    rewrite::HostsFile::parse(data);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view text = fuzz::text_of(data, size);
    switch (fuzz::take_choice(text) % 4) {
        case 0:
            read_texthash(text);
            break;
        case 1:
            read_lists(text);
            break;
        case 2:
            read_next_hop(text);
            break;
        default:
            read_dns(text);
            break;
    }
    return 0;
}
