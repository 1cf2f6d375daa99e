#include "lookup/match_list.h"

#include "base/strings.h"

#include "lookup/list_items.h"
#include "lookup/pattern_file.h"

namespace posthaste {
namespace {

bool ends_with_label(std::string_view name, std::string_view parent_with_dot) noexcept {
    return name.size() > parent_with_dot.size() && name.ends_with(parent_with_dot);
}

}  // namespace

bool parent_matches_subdomains(std::string_view setting, std::string_view list_name) {
    for (const std::string_view name : split(setting, ", \t\r\n")) {
        if (name == list_name) return true;
    }
    return false;
}

bool MatchList::open(std::string_view text, bool parents, OpenReport& report) {
    std::vector<Pattern> patterns;
    if (!add(text, 0, patterns, report)) return false;
    patterns_ = std::move(patterns);
    parent_matches_subdomains_ = parents;
    return true;
}

bool MatchList::add(std::string_view text, unsigned depth, std::vector<Pattern>& out,
                    OpenReport& report) {
    const auto items = list_items(text);
    if (!items) {
        report.error = "unbalanced braces in \"" + printable(text, 200) + "\"";
        return false;
    }
    for (std::string_view item : *items) {
        if (is_comment_in_list(item, report)) break;
        Pattern pattern;
        while (item.starts_with('!')) {
            pattern.negated = !pattern.negated;
            item.remove_prefix(1);
        }
        if (item.empty()) {
            report.error = "no pattern behind \"!\" in \"" + printable(text, 200) + "\"";
            return false;
        }
        if (item.front() == '/') {
            if (pattern.negated || depth >= kPatternFileDepthMax) {
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
        // An address literal holds colons too ([IPv6:…]) and is a name.
        if (item.front() != '[' && item.find(':') != std::string_view::npos) {
            pattern.table = open_table(item, report);
            if (!pattern.table) return false;
        } else {
            pattern.name = lowered(item);
        }
        out.push_back(std::move(pattern));
    }
    return true;
}

Result<bool> MatchList::pattern_matches(const Pattern& pattern, std::string_view domain) const {
    if (!pattern.table) {
        if (pattern.name == domain) return true;
        if (pattern.name.starts_with('.')) {
            return !parent_matches_subdomains_ && ends_with_label(domain, pattern.name);
        }
        return parent_matches_subdomains_ && ends_with_label(domain, "." + pattern.name);
    }
    for (std::string_view key = domain; !key.empty();) {
        const auto found = pattern.table->find(key);
        if (!found) return found.error();
        if (found->has_value()) return true;
        const size_t dot = key.find('.', 1);
        if (dot == std::string_view::npos) break;
        key.remove_prefix(parent_matches_subdomains_ ? dot + 1 : dot);
    }
    return false;
}

Result<bool> MatchList::matches(std::string_view domain) const {
    const std::string folded = lowered(domain);
    for (const Pattern& pattern : patterns_) {
        ASSIGN_OR_RETURN(const bool hit, pattern_matches(pattern, folded));
        if (hit) return !pattern.negated;
    }
    return false;
}

}  // namespace posthaste
