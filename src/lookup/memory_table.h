// lookup/memory_table.h: a table whose entries all lie in memory; inline: and texthash: fill it.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "lookup/table.h"

namespace posthaste {

class MemoryTable final : public Table {
 public:
    static constexpr size_t kEntriesMax = 10'000'000;

    using Table::Table;

    // False: the key was there already. Its first value stays (Postfix's way with files) after
    // add(), its last (the way with inline tables) after set().
    bool add(std::string_view key, std::string_view value);
    bool set(std::string_view key, std::string_view value);

    size_t size() const noexcept { return entries_.size(); }

    Result<std::optional<std::string>> find(std::string_view key) const override;
    // Exact: there is a key that ends in "@domain".
    bool may_hold_addresses_in(std::string_view domain) const override;

 private:
    std::string noted(std::string_view key);

    std::unordered_map<std::string, std::string> entries_;
    std::unordered_set<std::string> address_domains_;
};

}  // namespace posthaste
