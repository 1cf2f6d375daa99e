// lookup/own_addresses.h: the addresses at which this machine takes mail, as inet_interfaces and
// proxy_interfaces say. Mail whose best host is one of them would loop; a client that comes from
// one of them is local.
#pragma once

#include <string_view>
#include <vector>

#include "base/ip_address.h"

#include "lookup/table.h"

namespace posthaste {

// "all": every interface as it is now; "loopback-only"; otherwise addresses and host names. Asks
// the system, so it belongs in the prepare stage. What can not be found is a warning.
std::vector<IpAddress> own_addresses(std::string_view inet_interfaces,
                                     std::string_view proxy_interfaces, OpenReport& report);

}  // namespace posthaste
