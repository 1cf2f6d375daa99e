// runtime/settings/settings.h: main.cf's values as one process sees them.
//
// The parameters are rows of one table (parameters_*.cpp: name, kind, initial, min, max, live or
// restart, why); postconf, the checks and the reference page come from it. Master reads main.cf and
// master.cf (only it and the commands touch files), folds a service's "-o name=value" in, and hands
// each child the result as text ("name = value" lines) in a sealed memfd; the child parses it here.
// On reload it is handed a new one.
//
// Asking for a name that is not in the table, or by the wrong kind, is our own bug (ASSERT).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace posthaste {

enum class ParameterKind : uint8_t { text, integer, boolean, time, size };  // size in bytes
enum class Applies : uint8_t {
    live,
    restart
};  // what `posthaste reload` does: at once, or restarts that service

struct ParameterRow {
    std::string_view name;
    ParameterKind kind;
    std::string_view initial;  // as in main.cf, may hold $name
    int64_t min;               // integer, size: the number; time: seconds
    int64_t max;
    Applies applies;
    std::string_view why;           // one or two sentences: the reference page
    std::string_view choices = {};  // text that is one of few words: "best|strict|off"
};

// Every parameter, sorted by name. "<transport>_destination_concurrency_limit" and its kin are rows
// with a leading "default_"; a transport's own name is looked up by Settings::for_transport().
std::span<const ParameterRow> parameter_table();
const ParameterRow* find_parameter(std::string_view name) noexcept;

class Settings {
 public:
    // Initial values only; for tests and the simulation. `overrides` as "name = value" lines.
    static Settings initial(std::string_view overrides = {});
    // What master handed over (already checked there; a fault is an Error all the same).
    static Result<Settings> parse_snapshot(std::string_view lines);

    // Expanded: no $name is left.
    const std::string& text(std::string_view name) const;
    int64_t integer(std::string_view name) const;  // also sizes
    bool boolean(std::string_view name) const;
    int64_t time_us(std::string_view name) const;
    // Blank- or comma-separated.
    std::vector<std::string> list(std::string_view name) const;
    // "<transport>_<suffix>" when set, else "default_<suffix>".
    int64_t integer_for_transport(std::string_view transport, std::string_view suffix) const;
    int64_t time_us_for_transport(std::string_view transport, std::string_view suffix) const;
    std::string text_for_transport(std::string_view transport, std::string_view suffix) const;

    std::string snapshot() const;  // the lines parse_snapshot() reads

 private:
    friend class SettingsReader;
    std::map<std::string, std::string, std::less<>> values_;  // expanded, set or initial
};

}  // namespace posthaste
