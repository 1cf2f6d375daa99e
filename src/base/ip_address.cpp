#include "base/ip_address.h"

#include <arpa/inet.h>
#include <cstring>

#include "base/strings.h"

namespace posthaste {

std::optional<IpAddress> IpAddress::parse(std::string_view text) noexcept {
    char buffer[INET6_ADDRSTRLEN];
    if (text.size() >= sizeof buffer) return std::nullopt;
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = 0;
    if (std::strlen(buffer) != text.size()) return std::nullopt;
    IpAddress out;
    out.v6 = text.find(':') != std::string_view::npos;
    if (inet_pton(out.v6 ? AF_INET6 : AF_INET, buffer, out.bytes.data()) != 1) return std::nullopt;
    return out;
}

IpAddress IpAddress::v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) noexcept {
    IpAddress out;
    out.bytes = {a, b, c, d};
    return out;
}

std::string IpAddress::text() const {
    char buffer[INET6_ADDRSTRLEN] = {};
    inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer);
    return buffer;
}

IpAddress IpAddress::unmapped() const noexcept {
    static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (!v6 || std::memcmp(bytes.data(), kMapped, sizeof kMapped) != 0) return *this;
    return v4(bytes[12], bytes[13], bytes[14], bytes[15]);
}

bool IpAddress::is_loopback() const noexcept {
    if (!v6) return bytes[0] == 127;
    for (int i = 0; i < 15; ++i) {
        if (bytes[static_cast<size_t>(i)] != 0) return false;
    }
    return bytes[15] == 1;
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) noexcept {
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return std::nullopt;
    }
    const auto ip = IpAddress::parse(host);
    const auto port = parse_number(text.substr(colon + 1), 65535);
    if (!ip || !port) return std::nullopt;
    return Endpoint{*ip, static_cast<uint16_t>(*port)};
}

std::string Endpoint::text() const {
    return (ip.v6 ? "[" + ip.text() + "]" : ip.text()) + ":" + std::to_string(port);
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) noexcept {
    const size_t slash = text.find('/');
    std::string_view host = text.substr(0, slash);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    const auto ip = IpAddress::parse(host);
    if (!ip) return std::nullopt;
    IpNetwork out{*ip, static_cast<uint8_t>(ip->v6 ? 128 : 32)};
    if (slash != std::string_view::npos) {
        const auto bits = parse_number(text.substr(slash + 1), out.prefix_bits);
        if (!bits) return std::nullopt;
        out.prefix_bits = static_cast<uint8_t>(*bits);
    }
    for (unsigned bit = out.prefix_bits; bit < (ip->v6 ? 128U : 32U); ++bit) {
        if (out.ip.bytes[bit / 8] & (0x80U >> (bit % 8))) return std::nullopt;
    }
    return out;
}

bool IpNetwork::contains(const IpAddress& address) const noexcept {
    const IpAddress other = address.unmapped();
    if (other.v6 != ip.v6) return false;
    for (unsigned bit = 0; bit < prefix_bits; ++bit) {
        if ((other.bytes[bit / 8] ^ ip.bytes[bit / 8]) & (0x80U >> (bit % 8))) return false;
    }
    return true;
}

}  // namespace posthaste
