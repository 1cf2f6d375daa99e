#include "mail/enhanced_status.h"

#include "base/strings.h"

namespace posthaste {

std::string_view enhanced_status_of(std::string_view text) noexcept {
    if (text.empty() || (text[0] != '2' && text[0] != '4' && text[0] != '5')) return {};
    size_t at = 1;
    for (int part = 0; part < 2; ++part) {
        if (at == text.size() || text[at] != '.') return {};
        const size_t begin = ++at;
        while (at < text.size() && is_digit(text[at])) ++at;
        if (at == begin || at - begin > 3) return {};
    }
    if (at < text.size() && text[at] != ' ' && text[at] != '\t') return {};
    return text.substr(0, at);
}

}  // namespace posthaste
