#include "lookup/network_match_list.h"

#include "base/strings.h"

#include "lookup/pattern_file.h"

namespace posthaste {

bool NetworkMatchList::open(std::string_view text, OpenReport& report) {
    std::vector<Entry> entries;
    if (!add(text, 0, entries, report)) return false;
    networks_ = std::move(entries);
    return true;
}

bool NetworkMatchList::add(std::string_view text, unsigned depth, std::vector<Entry>& out,
                           OpenReport& report) {
    for (std::string_view item : split(text, ", \t\r\n")) {
        if (is_comment_in_list(item, report)) break;
        const std::string_view as_written = item;
        Entry entry;
        while (item.starts_with('!')) {
            entry.negated = !entry.negated;
            item.remove_prefix(1);
        }
        if (item.starts_with('/')) {
            if (entry.negated || depth >= kPatternFileDepthMax) {
                report.error =
                    printable(item, 200) + ": a file can not be negated or nested that deep";
                return false;
            }
            const auto add_line = [&](std::string_view line) {
                return add(line, depth + 1, out, report);
            };
            if (!add_patterns_from(item, report, add_line)) return false;
            continue;
        }
        const size_t colon = item.find(":/");
        if (colon != std::string_view::npos && colon > 0) {
            report.error =
                "table \"" + printable(as_written, 100) +
                "\": networks are not looked up in tables yet; list them, or name a file "
                "that does (" +
                printable(item.substr(colon + 1), 100) + ")";
            return false;
        }
        const auto network = IpNetwork::parse(item);
        if (!network) {
            report.error = "bad network \"" + printable(as_written, 100) +
                           "\": expected address/length with zero host bits, such as 192.0.2.0/24 "
                           "or [2001:db8::]/32";
            return false;
        }
        entry.network = *network;
        out.push_back(entry);
    }
    return true;
}

bool NetworkMatchList::contains(const IpAddress& address) const noexcept {
    const IpAddress plain = address.unmapped();
    for (const Entry& entry : networks_) {
        if (entry.network.contains(plain)) return !entry.negated;
    }
    return false;
}

}  // namespace posthaste
