#include "runtime/settings/edit.h"

#include <algorithm>
#include <map>

#include "base/strings.h"

#include "runtime/settings/main_cf.h"

namespace posthaste {

namespace {

std::vector<std::string_view> physical_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const size_t end = text.find('\n');
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

bool is_comment_or_blank(std::string_view line) {
    const auto content = trimmed(line);
    return content.empty() || content[0] == '#';
}

std::string name_of_line(const LogicalLine& line) {
    const std::string_view text = line.text;
    return std::string(trimmed(text.substr(0, text.find('='))));
}

}  // namespace

std::string edited_main_cf(std::string_view text,
                           const std::vector<std::pair<std::string, std::string>>& values) {
    std::map<std::string, std::string> wanted;
    for (const auto& [name, value] : values) wanted[name] = value;

    const auto definitions = logical_lines(text);
    std::map<std::string, unsigned> last_definition;
    for (const LogicalLine& line : definitions)
        last_definition[name_of_line(line)] = line.first_line;

    std::string out;
    auto definition = definitions.begin();
    const auto lines = physical_lines(text);
    for (unsigned number = 1; number <= lines.size(); ++number) {
        while (definition != definitions.end() && definition->last_line < number) ++definition;
        const std::string_view line = lines[number - 1];
        const bool inside = definition != definitions.end() && definition->first_line <= number;
        const auto replaced = inside ? wanted.find(name_of_line(*definition)) : wanted.end();
        if (replaced == wanted.end() || is_comment_or_blank(line)) {
            out.append(line).append("\n");
        } else if (number == definition->first_line && last_definition[replaced->first] == number) {
            out += replaced->first + " = " + replaced->second + "\n";
        }
    }
    for (const auto& [name, value] : values) {
        const auto still = wanted.find(name);
        if (last_definition.contains(name) || still == wanted.end()) continue;
        out += name + " = " + still->second + "\n";
        wanted.erase(still);
    }
    return out;
}

std::string main_cf_without(std::string_view text, const std::vector<std::string>& names,
                            Disposal disposal) {
    std::string out;
    const auto definitions = logical_lines(text);
    auto definition = definitions.begin();
    const auto lines = physical_lines(text);
    for (unsigned number = 1; number <= lines.size(); ++number) {
        while (definition != definitions.end() && definition->last_line < number) ++definition;
        const std::string_view line = lines[number - 1];
        const bool inside = definition != definitions.end() && definition->first_line <= number;
        const bool goes =
            inside && !is_comment_or_blank(line) &&
            std::find(names.begin(), names.end(), name_of_line(*definition)) != names.end();
        if (goes && disposal == Disposal::remove) continue;
        out.append(goes ? "#" : "").append(line).append("\n");
    }
    return out;
}

}  // namespace posthaste
