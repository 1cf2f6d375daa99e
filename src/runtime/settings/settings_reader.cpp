#include <algorithm>
#include <array>
#include <set>

#include "base/ip_address.h"
#include "base/strings.h"

#include "runtime/settings/main_cf.h"
#include "runtime/settings/near_name.h"
#include "runtime/settings/not_done_yet.h"
#include "runtime/settings/postfix_names.h"
#include "runtime/settings/value.h"
#include "runtime/settings/value_checks.h"

namespace posthaste {

namespace {

constexpr std::string_view kDefaultPrefix = "default_";
// A transport's own form of a parameter that has no "default_" in its name.
constexpr std::string_view kPlainTransportSuffix = "initial_destination_concurrency";

// "destination_rate_delay" of "default_destination_rate_delay"; empty when the row is none of that
// kind.
std::string_view transport_suffix(const ParameterRow& row) noexcept {
    if (row.name == kPlainTransportSuffix) return row.name;
    if (!row.name.starts_with(kDefaultPrefix) || row.name == "default_transport") return {};
    return row.name.substr(kDefaultPrefix.size());
}

const MainCfEntry* last_of(std::span<const MainCfEntry> entries, std::string_view name) noexcept {
    const MainCfEntry* found = nullptr;
    for (const MainCfEntry& entry : entries)
        if (entry.name == name) found = &entry;
    return found;
}

std::string_view nearest_parameter(std::string_view name) {
    std::vector<std::string_view> names;
    for (const ParameterRow& row : parameter_table()) names.push_back(row.name);
    return nearest_name(name, names);
}

// "smtp" and its like in place of a port's number: services live without /etc/services.
std::string port_number(std::string value) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kPorts = {
        {{"smtp", "25"},
         {"lmtp", "24"},
         {"smtps", "465"},
         {"submissions", "465"},
         {"submission", "587"}}};
    for (const auto& [name, number] : kPorts)
        if (value == name) return std::string(number);
    return value;
}

// As in Postfix, those of the addresses alone at which mail is taken.
std::string networks_in_use(std::string_view networks, std::string_view interfaces,
                            std::string_view protocols) {
    constexpr std::string_view kSeparators = ", \t\r\n";
    const auto names = split(interfaces, kSeparators);
    const auto is_named = [&](std::string_view wanted) {
        return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
            return equals_ignoring_case(name, wanted);
        });
    };
    const bool is_all = names.empty() || is_named("all");
    std::string out;
    for (const auto text : split(networks, " ")) {
        const auto network = IpNetwork::parse(text);
        if (!network) continue;
        const bool is_spoken =
            protocols.find(network->ip.v6 ? "ipv6" : "ipv4") != std::string_view::npos ||
            equals_ignoring_case(trimmed(protocols), "all");
        const bool is_listened =
            is_all || (is_named("loopback-only") && network->ip.is_loopback()) ||
            std::any_of(names.begin(), names.end(), [&](std::string_view name) {
                if (name.starts_with('[') && name.ends_with(']'))
                    name = name.substr(1, name.size() - 2);
                const auto address = IpAddress::parse(name);
                return address && network->contains(*address);
            });
        if (is_spoken && is_listened) out.append(out.empty() ? "" : " ").append(text);
    }
    return out;
}

}  // namespace

std::string_view transport_of(std::string_view parameter) noexcept {
    if (find_parameter(parameter)) return {};
    for (const ParameterRow& row : parameter_table()) {
        const auto suffix = transport_suffix(row);
        if (!suffix.empty() && parameter.ends_with(suffix) && row_for(parameter) == &row)
            return parameter.substr(0, parameter.size() - suffix.size() - 1);
    }
    return {};
}

const ParameterRow* row_for(std::string_view name) noexcept {
    if (const auto* row = find_parameter(name)) return row;
    for (const ParameterRow& row : parameter_table()) {
        const auto suffix = transport_suffix(row);
        if (!suffix.empty() && name.size() > suffix.size() + 1 && name.ends_with(suffix) &&
            name[name.size() - suffix.size() - 1] == '_')
            return &row;
    }
    return nullptr;
}

bool is_machines_own(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 6> kNames = {"config_directory",  "daemon_directory",
                                                        "command_directory", "myhostname",
                                                        "mydomain",          "mynetworks"};
    return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

std::optional<std::string> SettingsReader::raw_of_machine(
    std::string_view name, std::span<const MainCfEntry> overrides) const {
    if (name == "config_directory" && !facts_.config_directory.empty())
        return facts_.config_directory;
    if (name == "daemon_directory" && !facts_.daemon_directory.empty())
        return facts_.daemon_directory;
    if (name == "command_directory" && !facts_.command_directory.empty())
        return facts_.command_directory;
    if (name == "myhostname" && !facts_.hostname.empty()) {
        if (facts_.hostname.find('.') != std::string::npos) return facts_.hostname;
        const bool has_domain = main_cf_.find("mydomain") || last_of(overrides, "mydomain");
        return facts_.hostname + (has_domain ? ".$mydomain" : ".localdomain");
    }
    const auto derived_from = [&](std::string_view other) -> std::optional<std::string> {
        const bool is_deriving =
            std::find(deriving_.begin(), deriving_.end(), name) != deriving_.end();
        if (is_deriving) return std::nullopt;
        deriving_.push_back(name);
        Expansion source = expanded(other, overrides);
        deriving_.pop_back();
        if (!source.fault.empty()) return std::nullopt;
        return std::move(source.text);
    };
    // "myhostname = mx.$mydomain" and no mydomain: a fault for whoever expands it.
    const std::string names_itself = "${" + std::string(name) + " names itself}";
    if (name == "mydomain") {
        const auto host = derived_from("myhostname");
        if (!host) return names_itself;
        const size_t dot = host->find('.');
        return dot == std::string::npos ? "localdomain" : host->substr(dot + 1);
    }
    if (name == "mynetworks") {
        const auto style = derived_from("mynetworks_style");
        if (!style) return names_itself;
        const auto& networks = equals_ignoring_case(*style, "subnet")  ? facts_.networks_subnet
                               : equals_ignoring_case(*style, "class") ? facts_.networks_class
                                                                       : facts_.networks_host;
        const auto interfaces = derived_from("inet_interfaces");
        const auto protocols = derived_from("inet_protocols");
        if (!interfaces || !protocols) return names_itself;
        if (!networks.empty()) return networks_in_use(networks, *interfaces, *protocols);
    }
    return std::nullopt;
}

std::optional<std::string> SettingsReader::raw(std::string_view name,
                                               std::span<const MainCfEntry> overrides) const {
    if (const auto* entry = last_of(overrides, name)) return entry->value;
    if (const auto* entry = main_cf_.find(name)) return entry->value;
    if (auto value = raw_of_machine(name, overrides)) return value;
    if (const auto* row = row_for(name))
        return row->name == name ? std::string(row->initial) : "$" + std::string(row->name);
    return std::nullopt;
}

Expansion SettingsReader::expanded(std::string_view name,
                                   std::span<const MainCfEntry> overrides) const {
    const auto value = raw(name, overrides);
    if (!value) return {};
    Expansion out = expand(*value, [&](std::string_view other) { return raw(other, overrides); });
    if (name == "smtp_tcp_port") out.text = port_number(std::move(out.text));
    if (name == "myorigin" && out.text.starts_with('/') && out.fault.empty()) {
        // As in Debian's Postfix: the first line of a file, /etc/mailname as a rule.
        const auto line = facts_.first_line ? facts_.first_line(out.text) : std::nullopt;
        if (line && !trimmed(*line).empty()) {
            out.text = trimmed(*line);
        } else {
            out.fault = "the file " + out.text + " can not be read, or its first line is empty";
        }
    }
    return out;
}

std::optional<Settings> SettingsReader::read(std::span<const MainCfEntry> overrides,
                                             Diagnostics& diagnostics) const {
    std::set<std::string, std::less<>> names;
    for (const ParameterRow& row : parameter_table()) names.emplace(row.name);
    for (const MainCfEntry& entry : main_cf_.entries) names.insert(entry.name);
    for (const MainCfEntry& entry : overrides) names.insert(entry.name);

    Settings out;
    bool good = true;
    for (const std::string& name : names) {
        const MainCfEntry* entry = last_of(overrides, name);
        if (!entry) entry = main_cf_.find(name);
        const Place place = entry ? entry->place : Place{main_cf_.path, 0};
        Expansion value = expanded(name, overrides);
        std::string fault = std::move(value.fault);
        if (const auto* row = row_for(name); row && fault.empty()) {
            auto found = fault_in_value(*row, value.text);
            if (!found) found = fault_in_meaning(name, value.text);
            fault = std::move(found).value_or("");
        }
        if (!fault.empty()) {
            diagnostics.error(place, name + " = " + printable(value.text, 80) + ": " + fault);
            good = false;
        }
        out.values_.emplace(name, std::move(value.text));
    }
    if (!good) return std::nullopt;
    if (auto fault = fault_in_backoff(out)) {
        const MainCfEntry* entry = nullptr;
        for (const auto* const name : {"minimal_backoff_time", "maximal_backoff_time"})
            if (const auto* const one =
                    last_of(overrides, name) ? last_of(overrides, name) : main_cf_.find(name))
                entry = one;
        diagnostics.error(entry ? entry->place : Place{main_cf_.path, 0}, *fault);
        return std::nullopt;
    }
    if (auto fault = fault_in_relaying(out)) {
        const auto* entry = last_of(overrides, "smtpd_relay_restrictions");
        if (!entry) entry = main_cf_.find("smtpd_relay_restrictions");
        diagnostics.error(entry ? entry->place : Place{main_cf_.path, 0}, *fault);
        return std::nullopt;
    }
    return out;
}

void SettingsReader::warn_of_unknown(std::span<const MainCfEntry> overrides,
                                     Diagnostics& diagnostics) const {
    std::set<std::string, std::less<>> mentioned;
    const auto mention = [&](std::string_view name) { mentioned.emplace(name); };
    for (const MainCfEntry& entry : main_cf_.entries) for_each_name(entry.value, mention);
    for (const MainCfEntry& entry : overrides) for_each_name(entry.value, mention);
    // `holds`: no later line says something else.
    const auto warn = [&](const MainCfEntry& entry, bool holds) {
        if (row_for(entry.name)) return;
        auto fault = fault_in_ignoring(entry.name, entry.value);
        if (fault && holds && entry.value.find('$') != std::string::npos) {
            const auto value =
                expand(entry.value, [&](std::string_view other) { return raw(other, overrides); });
            if (value.fault.empty()) fault = fault_in_ignoring(entry.name, value.text);
        }
        if (fault && holds) {
            return diagnostics.error(
                entry.place, entry.name + " = " + printable(entry.value, 80) + ": " + *fault);
        }
        if (mentioned.contains(entry.name)) return;
        if (is_postfix_only(entry.name))
            return diagnostics.warning(
                entry.place, entry.name + " is a parameter of Postfix that has no effect here yet");
        const auto near = nearest_parameter(entry.name);
        diagnostics.warning(entry.place,
                            "unknown parameter " + printable(entry.name, 80) + ", ignored" +
                                (near.empty() ? "; `postconf -d` lists those that exist"
                                              : "; did you mean " + std::string(near) + "?"));
    };
    for (const MainCfEntry& entry : main_cf_.entries)
        warn(entry, main_cf_.find(entry.name) == &entry);
    for (const MainCfEntry& entry : overrides) warn(entry, true);
}

}  // namespace posthaste
