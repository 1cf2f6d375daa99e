#include "lookup/pattern_file.h"

#include "base/units.h"

#include "lookup/logical_lines.h"

namespace posthaste {

bool add_patterns_from(std::string_view path, OpenReport& report,
                       const std::function<bool(std::string_view)>& add) {
    constexpr size_t kFileBytesMax = 64 * kMiB;
    const std::string file(path);
    const auto text = read_text_file(file, kFileBytesMax);
    if (!text) {
        report.error = file + ": " + text.error().text();
        return false;
    }
    LogicalLines lines(*text);
    std::string line;
    while (lines.next(line)) {
        if (add(line)) continue;
        report.error = file + ":" + std::to_string(lines.number()) + ": " + report.error;
        return false;
    }
    return true;
}

bool is_comment_in_list(std::string_view item, OpenReport& report) {
    if (!item.starts_with('#')) return false;
    report.warnings.emplace_back(
        "comment at end of line is not supported: what follows the \"#\" is ignored");
    return true;
}

}  // namespace posthaste
