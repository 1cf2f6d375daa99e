// lookup/table_list.h: "type:a, type:b" as transport_maps and its kin have it: tables asked in
// order.
#pragma once

#include <memory>
#include <vector>

#include "lookup/table.h"

namespace posthaste {

class TableList {
 public:
    TableList() = default;

    // Nothing half open: false leaves the list as it was, and report.error says why.
    bool open(std::string_view text, OpenReport& report);

    bool empty() const noexcept { return tables_.empty(); }

    // The first table that has the key answers. A table that cannot say now ends the search with
    // its Error: a later one must not answer in its place.
    Result<std::optional<std::string>> find(std::string_view key) const;
    bool may_hold_addresses_in(std::string_view domain) const;

 private:
    std::vector<std::unique_ptr<Table>> tables_;
};

}  // namespace posthaste
