// lookup/list_items.h: lists in main.cf that may hold braces: "inline:{ a=b, {c = d e} },
// texthash:/x".
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace posthaste {

// Pieces between blanks and commas, where a piece runs on through balanced braces. Nothing when
// braces do not balance.
std::optional<std::vector<std::string_view>> list_items(std::string_view text);

// "{ text }" → "text"; anything else trimmed only.
std::string_view without_braces(std::string_view text) noexcept;

}  // namespace posthaste
