#include "lookup/memory_table.h"

#include "base/strings.h"

namespace posthaste {

bool MemoryTable::add(std::string_view key, std::string_view value) {
    return entries_.try_emplace(noted(key), value).second;
}

bool MemoryTable::set(std::string_view key, std::string_view value) {
    return entries_.insert_or_assign(noted(key), std::string(value)).second;
}

// The key in small letters, with its domain among those that have addresses.
std::string MemoryTable::noted(std::string_view key) {
    std::string folded = lowered(key);
    // user@domain, not @domain alone: that one speaks for the whole domain.
    const size_t at = folded.rfind('@');
    if (at != std::string::npos && at > 0) address_domains_.insert(folded.substr(at + 1));
    return folded;
}

Result<std::optional<std::string>> MemoryTable::find(std::string_view key) const {
    const auto found = entries_.find(lowered(key));
    if (found == entries_.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
}

bool MemoryTable::may_hold_addresses_in(std::string_view domain) const {
    return !address_domains_.empty() && address_domains_.contains(lowered(domain));
}

}  // namespace posthaste
