#include "cleanup/rewrite/next_hop.h"

#include <algorithm>
#include <idn2.h>
#include <memory>

#include "base/strings.h"

#include "mail/address.h"

namespace posthaste::rewrite {
namespace {

std::optional<uint16_t> parse_port(std::string_view text) noexcept {
    if (const auto number = parse_number(text, 65535)) {
        return *number == 0 ? std::nullopt
                            : std::optional<uint16_t>(static_cast<uint16_t>(*number));
    }

    struct Named {
        std::string_view name;
        uint16_t port;
    };

    static constexpr Named kNamed[] = {
        {"smtp", 25}, {"submission", 587}, {"submissions", 465}, {"smtps", 465}, {"lmtp", 24}};
    for (const Named& named : kNamed) {
        if (equals_ignoring_case(text, named.name)) return named.port;
    }
    return std::nullopt;
}

std::optional<IpAddress> parse_literal(std::string_view text) noexcept {
    if (starts_with_ignoring_case(text, "ipv6:")) {
        const auto address = IpAddress::parse(text.substr(5));
        return address && address->v6 ? address : std::nullopt;
    }
    return IpAddress::parse(text);
}

// IDNA 2008 A-labels; ASCII stays as it is, underscores and all.
std::optional<std::string> dns_name(std::string_view host) {
    const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
    if (std::all_of(host.begin(), host.end(), is_ascii)) return lowered(host);
    uint8_t* converted = nullptr;
    const std::string name(host);
    const int status = idn2_lookup_u8(reinterpret_cast<const uint8_t*>(name.c_str()), &converted,
                                      IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const std::unique_ptr<uint8_t, void (*)(void*)> owner(converted, idn2_free);
    if (status != IDN2_OK) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(converted));
}

// Underscores are in use, whatever RFC 1123 says.
bool is_plausible_host(std::string_view host) noexcept {
    if (host.empty() || host.size() > kDomainBytesMax) return false;
    for (const char c : host) {
        const bool good = is_alnum(c) || c == '.' || c == '-' || c == '_' ||
                          static_cast<unsigned char>(c) >= 0x80;
        if (!good) return false;
    }
    return host.front() != '.' && host.back() != '.' && host.find("..") == std::string_view::npos;
}

}  // namespace

std::optional<NextHop> parse_next_hop(std::string_view text, uint16_t port_default) {
    text = trimmed(text);
    NextHop out;
    out.port = port_default;
    std::string_view host = text;
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const size_t close = text.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        host = text.substr(1, close - 1);
        port = text.substr(close + 1);
        has_port = !port.empty();
        if (has_port && !port.starts_with(':')) return std::nullopt;
        if (has_port) port.remove_prefix(1);
        out.look_up_mx = false;
    } else if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        has_port = true;
    }
    if (has_port) {
        const auto number = parse_port(port);
        if (!number) return std::nullopt;
        out.port = *number;
    }
    out.address = parse_literal(host);
    if (out.address) {
        out.look_up_mx = false;
        out.host = out.address->text();
        return out;
    }
    if (host.ends_with('.')) host.remove_suffix(1);
    if (!is_plausible_host(host)) return std::nullopt;
    auto name = dns_name(host);
    // An address is not a name, with a dot behind it neither; other scripts have digits and full stops
    // that become ours.
    if (!name || !is_plausible_host(*name) || parse_literal(*name)) return std::nullopt;
    out.host = std::move(*name);
    return out;
}

std::optional<std::vector<NextHop>> parse_next_hops(std::string_view text, uint16_t port_default) {
    std::vector<NextHop> out;
    for (const std::string_view item : split(text, ", \t\r\n")) {
        auto hop = parse_next_hop(item, port_default);
        if (!hop || out.size() >= kNextHopsMax) return std::nullopt;
        out.push_back(std::move(*hop));
    }
    if (out.empty()) return std::nullopt;
    return out;
}

}  // namespace posthaste::rewrite
