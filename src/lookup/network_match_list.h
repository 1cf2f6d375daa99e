// lookup/network_match_list.h: lists of networks, as mynetworks has them: "127.0.0.0/8, [::1]/128,
// !10.0.0.7, /path/to/file". The first match decides; "!" means no. Read in the prepare stage.
// Tables (cidr: and the like) are not supported yet and are an error, never silently nothing.
#pragma once

#include <vector>

#include "base/ip_address.h"

#include "lookup/table.h"

namespace posthaste {

class NetworkMatchList {
 public:
    // False leaves the list as it was, and report.error says why.
    bool open(std::string_view text, OpenReport& report);
    // An IPv4-mapped address counts as the IPv4 address it means.
    bool contains(const IpAddress& address) const noexcept;

    bool empty() const noexcept { return networks_.empty(); }

 private:
    struct Entry {
        bool negated = false;
        IpNetwork network;
    };

    static bool add(std::string_view text, unsigned depth, std::vector<Entry>& out,
                    OpenReport& report);

    std::vector<Entry> networks_;
};

}  // namespace posthaste
