// cleanup/rewrite/routing.h: from a recipient to its address class, transport and next hop. Tables
// and settings only, no DNS: what a host is comes later (host_finder.h).
//
//   class     mydestination, or a literal of our own address      → local    local_transport
//             relay_domains                                        → relay    relay_transport
//             everything else                                      → other    default_transport
//   precedence, first that says something:
//             transport      transport_maps, then the class's transport
//             next hop       transport_maps, then the class's transport, then relayhost (not for local), then the domain
//
//   values of transport_maps   t:n   transport and next hop         t:  transport, next hop the recipient's domain
//                              :n    next hop only                   :  nothing is changed
//
// Opened in the prepare stage (tables are files), const afterwards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"

#include "mail/wire/resolve.h"
#include "runtime/settings/settings.h"

#include "lookup/match_list.h"
#include "lookup/transport_map.h"

namespace posthaste::rewrite {

struct Route {
    wire::AddressClass address_class = wire::AddressClass::other;
    std::string transport;
    std::string next_hop;       // for error and retry: the text
    bool by_relayhost = false;  // then a host that is not found is our own mistake, and mail waits
    bool per_domain = true;     // no table has a word on single addresses of this domain
};

class Routing {
 public:
    Routing() = default;
    // False leaves it as it was, and the report says why.
    bool open(const Settings& settings, std::vector<IpAddress> own_addresses, OpenReport& report);

    // Mail of this transport is sent to hosts: master.cf has a service for it. Other mail ends here,
    // or waits.
    bool needs_hosts(std::string_view transport) const noexcept;

    // `recipient` as cleanup completed it; one without a domain is local. An Error: a table can not
    // say now.
    Result<Route> route(std::string_view recipient) const;

 private:
    struct Target {
        std::string transport;
        std::string next_hop;
    };

    static Target split_target(std::string_view text);
    static void send_to_domain(Route& route, const std::string& domain);
    Result<wire::AddressClass> class_of(std::string_view domain) const;

    MatchList local_domains_;
    MatchList relay_domains_;
    TransportMap transport_map_;
    Target local_;
    Target relay_;
    Target other_;
    std::vector<std::string> services_;
    std::string relayhost_;
    std::string myhostname_;
    std::vector<IpAddress> own_addresses_;
};

}  // namespace posthaste::rewrite
