#include "lookup/texthash.h"

#include <optional>

#include "base/strings.h"
#include "base/units.h"

#include "lookup/logical_lines.h"

namespace posthaste {
namespace {

constexpr size_t kFileBytesMax = 1 * kGiB;

struct Entry {
    std::string_view key;
    std::string_view value;
};

// "key value": the first blank outside quotes parts them. Quotes are part of the key, as they are of
// an address that needs them. Nothing when one is left open.
std::optional<Entry> split_entry(std::string_view line) {
    bool quoted = false;
    size_t i = 0;
    for (; i < line.size() && (quoted || !is_space(line[i])); ++i) {
        if (line[i] == '"') quoted = !quoted;
        if (line[i] == '\\' && quoted && i + 1 < line.size()) ++i;
    }
    if (quoted) return std::nullopt;
    return Entry{line.substr(0, i), trimmed(line.substr(i))};
}

}  // namespace

bool parse_texthash(std::string_view text, std::string_view path, MemoryTable& table,
                    OpenReport& report) {
    LogicalLines lines(text);
    std::string line;
    const auto where = [&] {
        return std::string(path) + ":" + std::to_string(lines.number()) + ": ";
    };
    while (lines.next(line)) {
        if (lines.orphan()) {
            report.error =
                where() + "line begins with a blank, but there is nothing before it to continue";
            return false;
        }
        const auto entry = split_entry(line);
        if (!entry) {
            report.error = where() + "bad quotes around the key";
            return false;
        }
        if (entry->key.empty() || entry->value.empty()) {
            report.error = where() + "expected format: key whitespace value";
            return false;
        }
        if (table.size() >= MemoryTable::kEntriesMax) {
            report.error = where() + "too many entries";
            return false;
        }
        if (!table.add(entry->key, entry->value)) {
            report.warnings.push_back(where() + "duplicate entry: \"" + printable(entry->key, 200) +
                                      "\"");
        }
    }
    return true;
}

std::unique_ptr<Table> open_texthash(const std::string& path, OpenReport& report) {
    const auto text = read_text_file(path, kFileBytesMax);
    if (!text) {
        report.error = "texthash:" + path + ": " + text.error().text();
        return nullptr;
    }
    auto table = std::make_unique<MemoryTable>("texthash:" + path);
    if (!parse_texthash(*text, path, *table, report)) return nullptr;
    return table;
}

}  // namespace posthaste
