#include "command/status_text.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/strings.h"

namespace posthaste {

namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* name) {
    const auto found = object.find(name);
    // What services say of themselves may reach the terminal, but not speak its language.
    return found != object.end() && found->is_string() ? without_controls(found->get<std::string>())
                                                       : std::string();
}

uint64_t number_of(const json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number_integer() ? found->get<uint64_t>() : 0;
}

const json& list_of(const json& object, const char* name) {
    static const json kNone = json::array();
    const auto found = object.find(name);
    return found != object.end() && found->is_array() ? *found : kNone;
}

// "3d 4h", "2h 5m", "1m 7s", "12s"
std::string duration(uint64_t seconds) {
    const auto two = [](uint64_t a, const char* unit_a, uint64_t b, const char* unit_b) {
        return std::to_string(a) + unit_a + " " + std::to_string(b) + unit_b;
    };
    if (seconds >= 86400) return two(seconds / 86400, "d", seconds % 86400 / 3600, "h");
    if (seconds >= 3600) return two(seconds / 3600, "h", seconds % 3600 / 60, "m");
    if (seconds >= 60) return two(seconds / 60, "m", seconds % 60, "s");
    return std::to_string(seconds) + "s";
}

std::string padded(std::string text, size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text;
}

struct Total {
    std::string unit;
    uint64_t value = 0;
};

using Totals = std::vector<std::pair<std::string, Total>>;

void add_counters(const json& process, Totals& totals) {
    for (const json& counter : list_of(process, "counters")) {
        const std::string name = text_of(counter, "name");
        auto known = std::find_if(totals.begin(), totals.end(),
                                  [&](const auto& each) { return each.first == name; });
        if (known == totals.end())
            known = totals.insert(totals.end(), {name, {text_of(counter, "unit"), 0}});
        known->second.value += number_of(counter, "value");
    }
}

}  // namespace

std::string status_text(std::string_view json_text) {
    const json status = json::parse(json_text, nullptr, false);
    if (!status.is_object()) return std::string(json_text);
    std::string out;
    for (const json& fault : list_of(status, "faults"))
        if (fault.is_string())
            out += "warning: " + without_controls(fault.get<std::string>()) + "\n";
    out += "posthaste " + text_of(status, "version") + " is " + text_of(status, "phase") +
           ": pid " + std::to_string(number_of(status, "pid")) + ", up " +
           duration(number_of(status, "seconds")) + "\nconfiguration " +
           text_of(status, "configuration") + ", queue " + text_of(status, "queue_directory") +
           "\n\n" + padded("process", 20) + padded("pid", 9) + padded("state", 10) + "up\n";
    std::map<std::string, Totals> totals;
    for (const json& process : list_of(status, "processes")) {
        const std::string name = text_of(process, "process");
        out += padded(name, 20) + padded(std::to_string(number_of(process, "pid")), 9) +
               padded(text_of(process, "state"), 10) + duration(number_of(process, "seconds")) +
               "\n";
        if (const std::string missing = text_of(process, "missing_layers"); !missing.empty())
            out += "    without these walls, which the kernel refused: " + missing + "\n";
        add_counters(process, totals[name.substr(0, name.find('/'))]);
    }
    // By program, after the living: whose counters begin the list is at work.
    for (const json& former : list_of(status, "former"))
        add_counters(former, totals[text_of(former, "process")]);
    for (const json& service : list_of(status, "waiting"))
        if (service.is_string())
            out += without_controls(service.get<std::string>()) + ": died, will be started again\n";
    for (const auto& [program, counters] : totals) {
        if (!counters.empty()) out += "\n" + program + "\n";
        for (const auto& [name, total] : counters)
            out +=
                "    " + padded(name, 36) + std::to_string(total.value) + " " + total.unit + "\n";
    }
    return out;
}

bool tells_of_faults(std::string_view json_text) {
    const json status = json::parse(json_text, nullptr, false);
    return status.is_object() && !list_of(status, "faults").empty();
}

}  // namespace posthaste
