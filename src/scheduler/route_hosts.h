// scheduler/route_hosts.h: the servers of a destination as a Destination keeps them: encoded, since
// they are read only when a lane is opened and there may be a hundred thousand destinations.
#pragma once

#include <string>
#include <vector>

#include "base/codec.h"

#include "mail/wire/host.h"

namespace posthaste {

struct RouteHosts {
    std::vector<wire::Host> hosts;  // in the order to be tried; names are views into the encoding

    template <class Codec>
    void visit(Codec& codec) {
        codec.list(hosts, wire::kHostsMax);
    }
};

}  // namespace posthaste
