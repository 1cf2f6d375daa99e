#include "lookup/list_items.h"

#include "base/strings.h"

namespace posthaste {

std::optional<std::vector<std::string_view>> list_items(std::string_view text) {
    std::vector<std::string_view> items;
    size_t depth = 0;
    size_t begin = std::string_view::npos;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool separator = depth == 0 && (is_space(c) || c == ',');
        if (separator) {
            if (begin != std::string_view::npos) items.push_back(text.substr(begin, i - begin));
            begin = std::string_view::npos;
            continue;
        }
        if (begin == std::string_view::npos) begin = i;
        if (c == '{') ++depth;
        if (c == '}' && depth-- == 0) return std::nullopt;
    }
    if (depth != 0) return std::nullopt;
    if (begin != std::string_view::npos) items.push_back(text.substr(begin));
    return items;
}

std::string_view without_braces(std::string_view text) noexcept {
    text = trimmed(text);
    if (text.size() >= 2 && text.front() == '{' && text.back() == '}') {
        return trimmed(text.substr(1, text.size() - 2));
    }
    return text;
}

}  // namespace posthaste
