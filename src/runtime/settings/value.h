// runtime/settings/value.h: what a parameter's text means, by its kind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/settings/settings.h"

namespace posthaste {

std::optional<bool> parse_boolean(std::string_view text) noexcept;
std::optional<int64_t> parse_integer(std::string_view text) noexcept;
// "64M": K, M and G are powers of 1024, as an addition to Postfix's bare bytes.
std::optional<int64_t> parse_size(std::string_view text) noexcept;
// Microseconds. s m h d w as in Postfix, and ms. `unit` is that of a bare number.
std::optional<int64_t> parse_time_us(std::string_view text, char unit) noexcept;
// A bare number means what the parameter's initial value is written in: days for
// maximal_queue_lifetime.
char time_unit_of(const ParameterRow& row) noexcept;

// What is wrong with an expanded value and how to mend it; nothing when it is good.
std::optional<std::string> fault_in_value(const ParameterRow& row, std::string_view value);

}  // namespace posthaste
