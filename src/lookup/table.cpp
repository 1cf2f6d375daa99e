#include "lookup/table.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

#include "lookup/inline_table.h"
#include "lookup/list_items.h"
#include "lookup/static_table.h"
#include "lookup/texthash.h"

namespace posthaste {

std::unique_ptr<Table> open_table(std::string_view spec, OpenReport& report) {
    const size_t colon = spec.find(':');
    if (colon == std::string_view::npos || colon == 0) {
        report.error = "bad table \"" + printable(spec, 200) + "\": expected type:name";
        return nullptr;
    }
    const std::string_view type = spec.substr(0, colon);
    const std::string_view name = trimmed(spec.substr(colon + 1));
    if (type == "inline") return open_inline(name, report);
    if (type == "texthash") return open_texthash(std::string(name), report);
    if (type == "static") return std::make_unique<StaticTable>(std::string(without_braces(name)));
    report.error = "unsupported table type \"" + printable(type, 64) + "\" in \"" +
                   printable(spec, 200) + "\": known are inline, static, texthash";
    constexpr std::array<std::string_view, 6> kMadeByPostmap = {"hash", "btree", "lmdb",
                                                                "cdb",  "dbm",   "sdbm"};
    if (std::find(kMadeByPostmap.begin(), kMadeByPostmap.end(), type) != kMadeByPostmap.end())
        report.error += "; write texthash:" + printable(name, 200) +
                        ", which reads the text file that postmap was given";
    return nullptr;
}

}  // namespace posthaste
