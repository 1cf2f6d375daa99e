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

}  // namespace posthaste
