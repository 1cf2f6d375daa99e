// lookup/transport_map.h: transport_maps: which keys a recipient is asked for, in transport(5)'s
// order:
//
//   user+extension@domain · user@domain · domain · .parent (or parent, when transport_maps stands in
//   parent_domain_matches_subdomains), .grandparent … · *
//
// The value is returned as it is; cleanup/rewrite/routing.h takes it apart.
#pragma once

#include <optional>
#include <string>

#include "lookup/table_list.h"

namespace posthaste {

class TransportMap {
 public:
    struct Options {
        bool parent_matches_subdomains = false;
        std::string recipient_delimiter;  // characters; the first of them in the local part begins
                                          // the extension
    };

    TransportMap() = default;
    bool open(std::string_view text, Options options, OpenReport& report);

    bool empty() const noexcept { return tables_.empty(); }

    Result<std::optional<std::string>> find(std::string_view address) const;

    // No table has a key for a single address of this domain: what find() said for one is right for
    // all.
    bool is_per_domain(std::string_view domain) const {
        return !tables_.may_hold_addresses_in(domain);
    }

 private:
    TableList tables_;
    Options options_;
};

}  // namespace posthaste
