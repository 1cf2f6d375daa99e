#include "mail/xtext.h"

#include <cstdint>

#include "base/strings.h"

#include "mail/address.h"

namespace posthaste {
namespace {

int hex_value(char c) noexcept {
    if (is_digit(c)) return c - '0';
    const char lower = to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

constexpr std::string_view kHex = "0123456789ABCDEF";

// The length of "\x{…}" at the beginning, 0 when there is none.
size_t escape_at(std::string_view text) noexcept {
    constexpr std::string_view kBegin = "\\x{";
    constexpr size_t kDigitsMax = 6;
    if (text.substr(0, kBegin.size()) != kBegin) return 0;
    size_t at = kBegin.size();
    while (at < text.size() && hex_value(text[at]) >= 0) ++at;
    const size_t digits = at - kBegin.size();
    if (digits == 0 || digits > kDigitsMax || at == text.size() || text[at] != '}') return 0;
    return at + 1;
}

void append_escape(std::string& out, uint32_t code_point) {
    out += "\\x{";
    int shift = 20;
    while (shift > 4 && code_point >> shift == 0) shift -= 4;  // two digits at least
    for (; shift >= 0; shift -= 4) out.push_back(kHex[code_point >> shift & 15]);
    out.push_back('}');
}

}  // namespace

std::string to_xtext(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (c > ' ' && c < 0x7f && c != '+' && c != '=') {
            out.push_back(c);
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out.push_back('+');
        out.push_back(kHex[byte >> 4]);
        out.push_back(kHex[byte & 15]);
    }
    return out;
}

std::optional<std::string> from_xtext(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte <= ' ' || byte == 0x7f) return std::nullopt;
        if (byte != '+') {
            out.push_back(text[i]);
            continue;
        }
        if (text.size() - i < 3) return std::nullopt;
        const int high = hex_value(text[i + 1]);
        const int low = hex_value(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return out;
}

std::string to_utf8_xtext(std::string_view address, bool server_knows_utf8) {
    if (!is_utf8(address)) return to_xtext(address);  // no type can say what this is
    std::string out;
    out.reserve(address.size());
    while (!address.empty()) {
        const auto lead = static_cast<unsigned char>(address[0]);
        const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0x80 ? 2 : 1;
        if (const size_t escape = escape_at(address); escape > 0) {
            out += address.substr(0, escape);
            address.remove_prefix(escape);
            continue;
        }
        const bool plain =
            bytes > 1 ? server_knows_utf8
                      : lead > ' ' && lead < 0x7f && lead != '+' && lead != '=' && lead != '\\';
        if (plain) {
            out += address.substr(0, bytes);
        } else {
            uint32_t code_point = bytes == 1 ? lead : lead & (0x7fU >> bytes);
            for (size_t i = 1; i < bytes; ++i)
                code_point = code_point << 6 | (static_cast<unsigned char>(address[i]) & 0x3fU);
            append_escape(out, code_point);
        }
        address.remove_prefix(bytes);
    }
    return out;
}

}  // namespace posthaste
