#include "mail/address.h"

#include <algorithm>

#include "base/ip_address.h"
#include "base/strings.h"

namespace posthaste {
namespace {

constexpr bool is_high(char c) noexcept { return static_cast<unsigned char>(c) >= 0x80; }

// Behind the quoted string that begins at text[at], or npos when it is not closed or holds a
// control.
size_t end_of_quoted(std::string_view text, size_t at) noexcept {
    for (++at; at < text.size(); ++at) {
        if (text[at] == '"') return at + 1;
        if (text[at] == '\\' && ++at == text.size()) break;
        if (is_control(text[at])) break;
    }
    return std::string_view::npos;
}

// Behind the local part that begins the text: atoms, dots and quoted strings in any order.
size_t end_of_local_part(std::string_view text) noexcept {
    size_t at = 0;
    while (at < text.size()) {
        if (text[at] == '"') {
            at = end_of_quoted(text, at);
            if (at == std::string_view::npos) return at;
        } else if (is_atext(text[at]) || text[at] == '.') {
            ++at;
        } else {
            break;
        }
    }
    return at;
}

// Labels of letters, digits and inner hyphens (and what else the caller allows).
bool has_domain_labels(std::string_view domain, bool allow_underscore, bool allow_utf8) noexcept {
    if (domain.empty() || domain.size() > kDomainBytesMax) return false;
    for (size_t begin = 0; begin <= domain.size();) {
        const size_t end = std::min(domain.find('.', begin), domain.size());
        const std::string_view label = domain.substr(begin, end - begin);
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
            return false;
        for (const char c : label) {
            const bool allowed = is_alnum(c) || c == '-' || (c == '_' && allow_underscore) ||
                                 (is_high(c) && allow_utf8);
            if (!allowed) return false;
        }
        begin = end + 1;
    }
    return true;
}

}  // namespace

bool is_atext(char c) noexcept {
    constexpr std::string_view kSpecials = "()<>[]:;@\\,.\"";
    return is_high(c) || (c > ' ' && c < 0x7f && kSpecials.find(c) == std::string_view::npos);
}

bool is_dot_string(std::string_view local) noexcept {
    bool atom_empty = true;
    for (const char c : local) {
        if (c == '.' && atom_empty) return false;
        if (c != '.' && !is_atext(c)) return false;
        atom_empty = c == '.';
    }
    return !atom_empty;
}

bool is_envelope_domain(std::string_view domain) noexcept {
    return is_address_literal(domain) ||
           (has_domain_labels(domain, true, true) && !IpAddress::parse(domain));
}

bool is_ascii(std::string_view text) noexcept {
    return std::none_of(text.begin(), text.end(), is_high);
}

bool is_utf8(std::string_view text) noexcept {
    size_t at = 0;
    while (at < text.size()) {
        const auto lead = static_cast<unsigned char>(text[at]);
        if (lead < 0x80) {
            ++at;
            continue;
        }
        const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || text.size() - at < length) return false;
        const auto second = static_cast<unsigned char>(text[at + 1]);
        // What the second byte may be keeps out overlong forms, surrogates and what lies over
        // U+10FFFF.
        const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (second < low || second > high) return false;
        for (size_t i = 2; i < length; ++i) {
            if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) return false;
        }
        at += length;
    }
    return true;
}

bool is_valid_address(std::string_view address, bool allow_utf8) noexcept {
    if (address.empty() || address.size() > kAddressBytesMax) return false;
    if (allow_utf8 ? !is_utf8(address) : !is_ascii(address)) return false;
    const size_t end = address[0] == '"' ? end_of_quoted(address, 0) : end_of_local_part(address);
    if (end == std::string_view::npos) return false;
    if (address[0] != '"' && !is_dot_string(address.substr(0, end))) return false;
    if (end == address.size()) return true;
    if (address[end] != '@') return false;
    const std::string_view domain = address.substr(end + 1);
    return is_address_literal(domain) ||
           (has_domain_labels(domain, false, allow_utf8) && !IpAddress::parse(domain));
}

// A quote can stand in the local part only: an '@' with a quote behind it is inside one.
std::string_view domain_of(std::string_view address) noexcept {
    const size_t at = address.rfind('@');
    if (at == std::string_view::npos) return {};
    const std::string_view domain = address.substr(at + 1);
    return domain.find('"') == std::string_view::npos ? domain : std::string_view{};
}

std::string_view local_part_of(std::string_view address) noexcept {
    const size_t at = address.rfind('@');
    if (at == std::string_view::npos || address.find('"', at) != std::string_view::npos)
        return address;
    return address.substr(0, at);
}

bool is_valid_hostname(std::string_view name) noexcept {
    const auto is_numeric = [](char c) { return is_digit(c) || c == '.'; };
    return has_domain_labels(name, true, false) &&
           !std::all_of(name.begin(), name.end(), is_numeric);
}

bool is_address_literal(std::string_view domain) noexcept {
    if (domain.size() < 3 || domain.front() != '[' || domain.back() != ']') return false;
    domain = domain.substr(1, domain.size() - 2);
    constexpr std::string_view kIpv6 = "IPv6:";
    const bool v6 = starts_with_ignoring_case(domain, kIpv6);
    if (v6) domain.remove_prefix(kIpv6.size());
    const auto ip = IpAddress::parse(domain);
    return ip && ip->v6 == v6;
}

void append_local_part(std::string& out, std::string_view plain) {
    if (is_dot_string(plain)) {
        out += plain;
        return;
    }
    out += '"';
    for (const char c : plain) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
}

void append_external(std::string& out, std::string_view address) {
    const std::string_view local = local_part_of(address);
    if (local.empty() || is_dot_string(local)) {
        out += address;  // nearly always
        return;
    }
    std::string plain;
    for (size_t at = 0; at < local.size(); ++at) {
        if (local[at] == '"') continue;
        if (local[at] == '\\' && at + 1 < local.size()) ++at;
        plain.push_back(local[at]);
    }
    append_local_part(out, plain);
    out += address.substr(local.size());
}

std::string canonical_address(std::string_view address) {
    std::string canonical(address);
    const std::string_view domain = domain_of(address);
    const auto begin = static_cast<std::ptrdiff_t>(address.size() - domain.size());
    std::transform(canonical.begin() + begin, canonical.end(), canonical.begin() + begin, to_lower);
    return canonical;
}

}  // namespace posthaste
