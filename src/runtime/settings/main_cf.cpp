#include "runtime/settings/main_cf.h"

#include <algorithm>

#include "base/strings.h"

#include "runtime/settings/file.h"

namespace posthaste {

namespace {

// The line's beginning up to and without its end; `rest` moves behind it.
std::string_view take_line(std::string_view& rest) {
    const size_t end = rest.find('\n');
    auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

void note_setting(std::string_view content, unsigned number, LogicalLine& line) {
    const auto name = trimmed(content.substr(0, content.find('=')));
    if (line.setting_line != 0 || name.size() == content.size() || find_parameter(name) == nullptr)
        return;
    line.setting_line = number;
    line.setting_name = name;
}

}  // namespace

std::vector<LogicalLine> logical_lines(std::string_view text) {
    std::vector<LogicalLine> lines;
    for (unsigned number = 1; !text.empty(); ++number) {
        const auto line = take_line(text);
        const auto content = trimmed(line);
        if (content.empty() || content[0] == '#') continue;
        const bool continues = is_space(line[0]) && !lines.empty();
        if (!continues) lines.push_back({std::string(content), number, number, 0, {}});
        if (continues) {
            note_setting(content, number, lines.back());
            lines.back().text += ' ';
            lines.back().text += content;
            lines.back().last_line = number;
        }
    }
    return lines;
}

const MainCfEntry* MainCf::find(std::string_view name) const noexcept {
    const auto found = std::find_if(entries.rbegin(), entries.rend(),
                                    [&](const MainCfEntry& entry) { return entry.name == name; });
    return found == entries.rend() ? nullptr : &*found;
}

MainCf MainCf::parse(std::string path, std::string_view text, Diagnostics& diagnostics) {
    MainCf out;
    out.path = std::move(path);
    for (const LogicalLine& line : logical_lines(text)) {
        const Place place{out.path, line.first_line};
        const std::string_view content = line.text;
        const size_t equals = content.find('=');
        const auto name = trimmed(content.substr(0, equals));
        if (line.setting_line != 0) {
            diagnostics.warning({out.path, line.setting_line},
                                "begins with a blank and so continues line " +
                                    std::to_string(line.first_line) + "; if " + line.setting_name +
                                    " is a setting of its own, begin its line without a blank");
        }
        if (equals == std::string_view::npos) {
            diagnostics.error(place, "\"" + printable(content, 60) +
                                         "\" has no \"=\"; write name = value, or begin the "
                                         "line with a blank if it continues the one above");
        } else if (name.empty()) {
            diagnostics.error(place, "there is no name before the \"=\"; write name = value");
        } else if (name.find_first_of(" \t") != std::string_view::npos) {
            diagnostics.error(place, "the name \"" + printable(name, 60) + "\" holds a blank");
        } else {
            if (const auto* earlier = out.find(name))
                diagnostics.warning(place, "overrides the earlier " + std::string(name) +
                                               " of line " + std::to_string(earlier->place.line));
            out.entries.push_back(
                {std::string(name), std::string(trimmed(content.substr(equals + 1))), place});
        }
    }
    return out;
}

MainCf MainCf::load(const std::string& path, Diagnostics& diagnostics) {
    const auto text = read_file(path, kConfigFileBytesMax);
    if (!text) {
        diagnostics.error({path, 0}, "cannot be read: " + text.error().text() +
                                         "; `posthaste init` writes a working configuration");
        return {path, {}};
    }
    return parse(path, *text, diagnostics);
}

}  // namespace posthaste
