#include "runtime/settings/near_name.h"

#include <algorithm>
#include <vector>

namespace posthaste {

namespace {

constexpr unsigned kOtherWord = 3;

// Edits between two names, as far as it matters.
unsigned distance(std::string_view a, std::string_view b) {
    if (a.size() > b.size() + 2 || b.size() > a.size() + 2) return kOtherWord;
    std::vector<unsigned> row(b.size() + 1);
    for (unsigned j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 0; i < a.size(); ++i) {
        unsigned diagonal = row[0]++;
        for (size_t j = 0; j < b.size(); ++j) {
            const unsigned changed = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> names) {
    std::string_view best;
    unsigned best_distance = kOtherWord;
    for (const std::string_view each : names) {
        const unsigned edits = distance(name, each);
        if (edits < best_distance) best = each;
        best_distance = std::min(best_distance, edits);
    }
    return best;
}

}  // namespace posthaste
