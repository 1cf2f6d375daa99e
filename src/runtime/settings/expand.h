// runtime/settings/expand.h: $name in parameter values, as Postfix expands it.
//
//   $name  ${name}          the parameter's value, expanded in turn; empty when there is no such parameter
//   ${name?text}            text if the value is not empty      ${name?{text}:{other}}
//   ${name:text}            text if the value is empty
//   ${{a} == {b} ? {c} : {d}}   ==, !=, <, <=, >=, >: as numbers if both are, else as text; with "level" appended
//                           (<=level …) as compatibility levels, number by number
//   $$                      a dollar sign
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace posthaste {

// The raw value of a parameter, nothing when there is none.
using RawLookup = std::function<std::optional<std::string>(std::string_view name)>;

struct Expansion {
    std::string text;
    std::string fault;  // empty: fine
};

// Depth and size are bounded: a value that names itself is a fault, not an endless loop.
Expansion expand(std::string_view value, const RawLookup& lookup);

// The names a value mentions, evaluated or not.
void for_each_name(std::string_view value, const std::function<void(std::string_view)>& seen);

}  // namespace posthaste
