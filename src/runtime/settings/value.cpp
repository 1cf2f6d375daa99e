#include "runtime/settings/value.h"

#include "base/strings.h"
#include "base/units.h"

namespace posthaste {

namespace {

std::optional<int64_t> scaled(std::string_view digits, int64_t scale) noexcept {
    const auto number = parse_number(digits, static_cast<uint64_t>(INT64_MAX / scale));
    if (!number) return std::nullopt;
    return static_cast<int64_t>(*number) * scale;
}

std::optional<int64_t> unit_us(char unit) noexcept {
    switch (to_lower(unit)) {
        case 's':
            return kSecondUs;
        case 'm':
            return kMinuteUs;
        case 'h':
            return kHourUs;
        case 'd':
            return kDayUs;
        case 'w':
            return 7 * kDayUs;
        default:
            return std::nullopt;
    }
}

std::string out_of_range(const ParameterRow& row, std::string_view unit) {
    return "outside " + std::to_string(row.min) + std::string(unit) + " to " +
           std::to_string(row.max) + std::string(unit) + "; its default is " +
           std::string(row.initial);
}

bool is_choice(std::string_view choices, std::string_view value) {
    for (const auto choice : split(choices, "|"))
        if (equals_ignoring_case(choice, value)) return true;
    return false;
}

}  // namespace

std::optional<bool> parse_boolean(std::string_view text) noexcept {
    if (equals_ignoring_case(text, "yes")) return true;
    if (equals_ignoring_case(text, "no")) return false;
    return std::nullopt;
}

std::optional<int64_t> parse_integer(std::string_view text) noexcept { return scaled(text, 1); }

std::optional<int64_t> parse_size(std::string_view text) noexcept {
    if (text.empty()) return std::nullopt;
    int64_t scale = 1;
    switch (to_lower(text.back())) {
        case 'k':
            scale = kKiB;
            break;
        case 'm':
            scale = kMiB;
            break;
        case 'g':
            scale = kGiB;
            break;
        default:
            return scaled(text, 1);
    }
    return scaled(text.substr(0, text.size() - 1), scale);
}

std::optional<int64_t> parse_time_us(std::string_view text, char unit) noexcept {
    if (text.empty()) return std::nullopt;
    if (text.size() > 2 && to_lower(text[text.size() - 2]) == 'm' && to_lower(text.back()) == 's')
        return scaled(text.substr(0, text.size() - 2), kMsUs);
    if (!is_digit(text.back())) {
        unit = text.back();
        text.remove_suffix(1);
    }
    const auto scale = unit_us(unit);
    return scale ? scaled(text, *scale) : std::nullopt;
}

char time_unit_of(const ParameterRow& row) noexcept {
    return row.initial.empty() || is_digit(row.initial.back()) ? 's' : row.initial.back();
}

std::optional<std::string> fault_in_value(const ParameterRow& row, std::string_view value) {
    switch (row.kind) {
        case ParameterKind::text:
            if (row.choices.empty() || is_choice(row.choices, value)) return std::nullopt;
            {
                std::string fault = "write one of";
                for (const auto choice : split(row.choices, "|"))
                    fault += " \"" + std::string(choice) + "\"";
                return fault;
            }
        case ParameterKind::boolean:
            if (parse_boolean(value)) return std::nullopt;
            return "write yes or no";
        case ParameterKind::integer: {
            const auto number = parse_integer(value);
            if (!number) return "not a number; its default is " + std::string(row.initial);
            if (*number < row.min || *number > row.max) return out_of_range(row, "");
            return std::nullopt;
        }
        case ParameterKind::size: {
            const auto bytes = parse_size(value);
            if (!bytes) return "not a size; write bytes, or a number and K, M or G";
            if (*bytes < row.min || *bytes > row.max) return out_of_range(row, " bytes");
            return std::nullopt;
        }
        case ParameterKind::time: {
            const auto us = parse_time_us(value, time_unit_of(row));
            if (!us)
                return "not a time; write a whole number and one of ms, s, m, h, d, w, as in 300s";
            if (*us < row.min * kSecondUs || *us / kSecondUs > row.max)
                return out_of_range(row, "s");
            return std::nullopt;
        }
    }
    return std::nullopt;
}

}  // namespace posthaste
