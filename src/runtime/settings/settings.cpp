#include "runtime/settings/settings.h"

#include "base/assert.h"
#include "base/strings.h"

#include "runtime/settings/main_cf.h"
#include "runtime/settings/value.h"

namespace posthaste {

namespace {

constexpr size_t kSnapshotNamesMax = 4096;

// The name in force for a transport: its own when set, else the default's.
std::string name_for_transport(const std::map<std::string, std::string, std::less<>>& values,
                               std::string_view transport, std::string_view suffix) {
    std::string name = std::string(transport) + "_" + std::string(suffix);
    if (values.contains(name)) return name;
    name = "default_" + std::string(suffix);
    return find_parameter(name) ? name : std::string(suffix);
}

// The row of an asked-for name; asking wrongly is our own bug.
const ParameterRow& row_of(std::string_view name, ParameterKind kind) {
    const auto* row = row_for(name);
    ASSERT(row != nullptr);
    ASSERT(row->kind == kind ||
           (row->kind == ParameterKind::size && kind == ParameterKind::integer));
    return *row;
}

}  // namespace

Settings Settings::initial(std::string_view overrides) {
    Diagnostics diagnostics;
    const MainCf main_cf = MainCf::parse("overrides", overrides, diagnostics);
    auto settings = SettingsReader(main_cf, SystemFacts{}).read({}, diagnostics);
    ASSERT(!diagnostics.has_errors());
    return std::move(*settings);
}

Result<Settings> Settings::parse_snapshot(std::string_view lines) {
    Settings out;
    while (!lines.empty()) {
        const size_t end = lines.find('\n');
        const auto line = lines.substr(0, end);
        lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
        const size_t equals = line.find(" = ");
        if (equals == std::string_view::npos || equals == 0)
            return Error{Errc::malformed, 0, "settings snapshot"};
        if (out.values_.size() >= kSnapshotNamesMax)
            return Error{Errc::too_large, 0, "settings snapshot"};
        const std::string name(line.substr(0, equals));
        const auto value = line.substr(equals + 3);
        if (const auto* row = row_for(name); row && fault_in_value(*row, value))
            return Error{Errc::invalid_setting, 0, "settings snapshot"};
        out.values_.insert_or_assign(name, std::string(value));
    }
    if (out.values_.empty()) return Error{Errc::not_found, 0, "settings snapshot"};
    // A master of another release, still running after an upgrade, does not know the newest names.
    for (const auto& [name, value] : initial().values_) out.values_.try_emplace(name, value);
    return out;
}

std::string Settings::snapshot() const {
    std::string out;
    for (const auto& [name, value] : values_) out += name + " = " + value + "\n";
    return out;
}

const std::string& Settings::text(std::string_view name) const {
    const auto found = values_.find(name);
    ASSERT(found != values_.end());
    return found->second;
}

int64_t Settings::integer(std::string_view name) const {
    const auto& row = row_of(name, ParameterKind::integer);
    const auto number =
        row.kind == ParameterKind::size ? parse_size(text(name)) : parse_integer(text(name));
    ASSERT(number.has_value());
    return *number;
}

bool Settings::boolean(std::string_view name) const {
    row_of(name, ParameterKind::boolean);
    const auto value = parse_boolean(text(name));
    ASSERT(value.has_value());
    return *value;
}

int64_t Settings::time_us(std::string_view name) const {
    const auto& row = row_of(name, ParameterKind::time);
    const auto us = parse_time_us(text(name), time_unit_of(row));
    ASSERT(us.has_value());
    return *us;
}

std::vector<std::string> Settings::list(std::string_view name) const {
    std::vector<std::string> out;
    for (const auto element : split(text(name), ", \t\r\n")) out.emplace_back(element);
    return out;
}

int64_t Settings::integer_for_transport(std::string_view transport, std::string_view suffix) const {
    return integer(name_for_transport(values_, transport, suffix));
}

int64_t Settings::time_us_for_transport(std::string_view transport, std::string_view suffix) const {
    return time_us(name_for_transport(values_, transport, suffix));
}

std::string Settings::text_for_transport(std::string_view transport,
                                         std::string_view suffix) const {
    return text(name_for_transport(values_, transport, suffix));
}

}  // namespace posthaste
