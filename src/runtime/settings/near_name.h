// runtime/settings/near_name.h: what a misspelt name was meant to be.
#pragma once

#include <span>
#include <string_view>

namespace posthaste {

// The one that is at most two edits away, the nearest; empty when there is none.
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> names);

}  // namespace posthaste
