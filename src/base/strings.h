// base/strings.h: ASCII text without locale. Mail's keywords and domain names are ASCII; anything
// else passes through unchanged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthaste {

constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

constexpr char to_upper(char c) noexcept {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

constexpr bool is_alpha(char c) noexcept { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }

constexpr bool is_alnum(char c) noexcept { return is_digit(c) || is_alpha(c); }

constexpr bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

// What may reach neither a command line, a header, a log nor a terminal: ASCII's controls. Bytes of
// UTF-8 are none.
constexpr bool is_control(char c) noexcept {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

bool has_control(std::string_view text) noexcept;
// Each control becomes '?'.
std::string without_controls(std::string_view text);

std::string lowered(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) noexcept;
std::string_view trimmed(std::string_view text) noexcept;

// Pieces between any of `separators`; empty pieces are left out.
std::vector<std::string_view> split(std::string_view text, std::string_view separators);

// The whole text as a decimal number within [0, max]; nothing else is one.
std::optional<uint64_t> parse_number(std::string_view text, uint64_t max = UINT64_MAX) noexcept;

// Bytes outside printable ASCII become '?', and the text is cut at size_max: for logs.
std::string printable(std::string_view text, size_t size_max = 1000);

}  // namespace posthaste
