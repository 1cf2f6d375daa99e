#include "lookup/inline_table.h"

#include "base/strings.h"

#include "lookup/list_items.h"
#include "lookup/memory_table.h"

namespace posthaste {

std::unique_ptr<Table> open_inline(std::string_view text, OpenReport& report) {
    const std::string name = "inline:" + std::string(text);
    const auto fail = [&](std::string_view what) {
        report.error = "bad table \"" + printable(name, 200) + "\": " + std::string(what);
        return nullptr;
    };
    if (text.size() < 2 || text.front() != '{' || text.back() != '}') {
        return fail("expected inline:{ key=value, ... }");
    }
    const auto items = list_items(text.substr(1, text.size() - 2));
    if (!items) return fail("unbalanced braces");
    auto table = std::make_unique<MemoryTable>(name);
    for (const std::string_view item : *items) {
        // Braces protect the whole "key = value", or the value alone: key={value with blanks}.
        const std::string_view entry = without_braces(item);
        const size_t equals = entry.find('=');
        const std::string_view key =
            equals == std::string_view::npos ? "" : trimmed(entry.substr(0, equals));
        if (key.empty()) return fail("expected key=value, found \"" + printable(item, 100) + "\"");
        if (!table->set(key, without_braces(entry.substr(equals + 1)))) {
            report.warnings.push_back(printable(name, 200) + ": duplicate entry: \"" +
                                      printable(key, 100) + "\"");
        }
    }
    if (table->size() == 0) return fail("it holds nothing");
    return table;
}

}  // namespace posthaste
