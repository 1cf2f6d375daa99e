#include "runtime/settings/parameters.h"

#include <algorithm>

namespace posthaste {

namespace {

std::vector<ParameterRow> sorted_table() {
    std::vector<ParameterRow> rows;
    for (const auto area :
         {parameters::general(), parameters::smtpd(), parameters::cleanup(), parameters::rewrite(),
          parameters::queue(), parameters::smtp(), parameters::ours()})
        rows.insert(rows.end(), area.begin(), area.end());
    std::sort(rows.begin(), rows.end(),
              [](const ParameterRow& a, const ParameterRow& b) { return a.name < b.name; });
    return rows;
}

}  // namespace

std::span<const ParameterRow> parameter_table() {
    static const std::vector<ParameterRow> kTable = sorted_table();
    return kTable;
}

const ParameterRow* find_parameter(std::string_view name) noexcept {
    const auto table = parameter_table();
    const auto row = std::lower_bound(table.begin(), table.end(), name,
                                      [](const ParameterRow& candidate, std::string_view wanted) {
                                          return candidate.name < wanted;
                                      });
    return row != table.end() && row->name == name ? &*row : nullptr;
}

}  // namespace posthaste
