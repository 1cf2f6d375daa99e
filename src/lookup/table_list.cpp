#include "lookup/table_list.h"

#include "base/strings.h"

#include "lookup/list_items.h"

namespace posthaste {

bool TableList::open(std::string_view text, OpenReport& report) {
    const auto items = list_items(text);
    if (!items) {
        report.error = "unbalanced braces in \"" + printable(text, 200) + "\"";
        return false;
    }
    std::vector<std::unique_ptr<Table>> tables;
    for (const std::string_view item : *items) {
        auto table = open_table(item, report);
        if (!table) return false;
        tables.push_back(std::move(table));
    }
    tables_ = std::move(tables);
    return true;
}

Result<std::optional<std::string>> TableList::find(std::string_view key) const {
    for (const auto& table : tables_) {
        auto found = table->find(key);
        if (!found || found->has_value()) return found;
    }
    return std::optional<std::string>();
}

bool TableList::may_hold_addresses_in(std::string_view domain) const {
    for (const auto& table : tables_) {
        if (table->may_hold_addresses_in(domain)) return true;
    }
    return false;
}

}  // namespace posthaste
