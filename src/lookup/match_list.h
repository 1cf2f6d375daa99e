// lookup/match_list.h: lists of domains, as mydestination, relay_domains and the like have them.
//
//   example.com            that domain; with parent_matches_subdomains also what lies below it
//   .example.com           only what lies below it
//   type:table             a key of the table (or of a parent: "example.com" or ".example.com", by the same rule)
//   /path/to/file          more patterns, one or more a line
//   !pattern               whatever matches this does not match the list; the first match decides
//
// Read in the prepare stage, as tables are. Case does not matter.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lookup/table.h"

namespace posthaste {

class MatchList {
 public:
    MatchList() = default;

    // parent_matches_subdomains: the list's name stands in parent_domain_matches_subdomains. False
    // leaves the list as it was, and report.error says why.
    bool open(std::string_view text, bool parent_matches_subdomains, OpenReport& report);

    // An Error when a table that would decide cannot say now.
    Result<bool> matches(std::string_view domain) const;

    bool empty() const noexcept { return patterns_.empty(); }

 private:
    struct Pattern {
        bool negated = false;
        std::string name;  // lowered; empty: ask the table
        std::unique_ptr<Table> table;
    };

    bool add(std::string_view text, unsigned depth, std::vector<Pattern>& out, OpenReport& report);
    Result<bool> pattern_matches(const Pattern& pattern, std::string_view domain) const;

    std::vector<Pattern> patterns_;
    bool parent_matches_subdomains_ = false;
};

// Is `list_name` in the value of parent_domain_matches_subdomains?
bool parent_matches_subdomains(std::string_view setting, std::string_view list_name);

}  // namespace posthaste
