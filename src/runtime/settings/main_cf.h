// runtime/settings/main_cf.h: main.cf as it is written, and what it means for a service.
//
//   name = value          "#" at a line's first non-blank begins a comment; a line that begins with
//   white space
//      continued          continues the one before it (comments and blank lines between do not end
//      it);
//                         the last definition of a name wins
//
// Used by master and the commands; services see the result only (settings.h). Pure: text in, values
// out. What the machine itself has to say (host name, networks) comes in as SystemFacts.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/settings/diagnostics.h"
#include "runtime/settings/expand.h"
#include "runtime/settings/settings.h"

namespace posthaste {

inline constexpr size_t kConfigFileBytesMax = 4 << 20;

// A line of a configuration file with its continuations joined by single blanks.
struct LogicalLine {
    std::string text;
    unsigned first_line = 0;
    unsigned last_line = 0;
    // The first continuation that reads like a setting of its own, "relayhost = …"; 0: none does.
    unsigned setting_line = 0;
    std::string setting_name;
};

std::vector<LogicalLine> logical_lines(std::string_view text);

struct MainCfEntry {
    std::string name;
    std::string value;  // as written
    Place place;
};

struct MainCf {
    std::string path;
    std::vector<MainCfEntry> entries;  // in the order of the file

    const MainCfEntry* find(std::string_view name) const noexcept;  // the one that holds

    static MainCf parse(std::string path, std::string_view text, Diagnostics& diagnostics);
    static MainCf load(const std::string& path, Diagnostics& diagnostics);
};

// Initial values that only the machine knows; empty: the table's.
struct SystemFacts {
    std::string hostname;
    std::string networks_host, networks_subnet, networks_class;  // mynetworks by mynetworks_style
    std::string config_directory, daemon_directory, command_directory;
    // The first line of a file that a parameter names, without its end; nothing: it can not be read.
    std::function<std::optional<std::string>(const std::string& path)> first_line;
};

class SettingsReader {
 public:
    SettingsReader(const MainCf& main_cf, const SystemFacts& facts)
        : main_cf_(main_cf), facts_(facts) {}

    // Everything checked; nothing when a value is wrong (the reasons are in `diagnostics`).
    // `overrides` are a service's "-o name=value" and hold over main.cf.
    std::optional<Settings> read(std::span<const MainCfEntry> overrides,
                                 Diagnostics& diagnostics) const;

    // The value before expansion, from main.cf, the machine, or the table.
    std::optional<std::string> raw(std::string_view name,
                                   std::span<const MainCfEntry> overrides = {}) const;
    Expansion expanded(std::string_view name, std::span<const MainCfEntry> overrides = {}) const;

    // Warns of names in main.cf that nothing knows. `overrides`: those of all services.
    void warn_of_unknown(std::span<const MainCfEntry> overrides, Diagnostics& diagnostics) const;

 private:
    std::optional<std::string> raw_of_machine(std::string_view name,
                                              std::span<const MainCfEntry> overrides) const;

    const MainCf& main_cf_;
    const SystemFacts& facts_;
    // What is being derived from another parameter right now: that one may name it in turn.
    mutable std::vector<std::string_view> deriving_;
};

// The row that governs a name: its own, or for "slow_destination_rate_delay" that of
// "default_destination_rate_delay".
const ParameterRow* row_for(std::string_view name) noexcept;
// Not set, its value is what SystemFacts say, and the table's only where they are silent.
bool is_machines_own(std::string_view name) noexcept;
// "slow" of "slow_destination_rate_delay"; empty for a parameter that is no transport's own.
std::string_view transport_of(std::string_view parameter) noexcept;

}  // namespace posthaste
