// cleanup/cleanup/policy.h: cleanup's settings in the form its passes use. Read once at start and
// at each reload; const afterwards.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.h"

#include "runtime/settings/settings.h"

#include "lookup/network_match_list.h"
#include "lookup/table.h"

#include "cleanup/cleanup/address_completion.h"

namespace posthaste::cleanup {

struct CleanupPolicy {
    std::string host;    // myhostname
    std::string origin;  // myorigin
    std::string mail_name;
    AddressCompletion envelope;        // of every sender and recipient
    AddressCompletion local_headers;   // of messages whose client is local
    AddressCompletion remote_headers;  // of the others; empty: their headers stay as they are
    bool all_clients_local = false;
    NetworkMatchList local_clients;  // local_header_rewrite_clients
    bool always_add_missing_headers = false;
    bool tell_duplicates_by_original = true;  // enable_original_recipient
    std::vector<std::string> dropped_headers;
    size_t header_bytes_max = 0;  // of one field: header_size_limit
    size_t header_addresses_max = 0;
    uint32_t hops_max = 0;
    size_t duplicates_max = 0;  // 0: no limit

    // own_addresses: of this machine, for permit_inet_interfaces. What is not supported is an error
    // in the report, and nothing is returned.
    static std::optional<CleanupPolicy> read(const Settings& settings,
                                             const std::vector<IpAddress>& own_addresses,
                                             OpenReport& report);
    bool is_local(const std::string& client_address) const noexcept;
};

}  // namespace posthaste::cleanup
