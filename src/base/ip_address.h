// base/ip_address.h: IPv4 and IPv6 addresses and networks as values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace posthaste {

// Bytes in network order; an IPv4 address uses the first four.
struct IpAddress {
    bool v6 = false;
    std::array<uint8_t, 16> bytes{};

    // "192.0.2.1" or "2001:db8::1"; no brackets, no port, no "IPv6:" prefix.
    static std::optional<IpAddress> parse(std::string_view text) noexcept;
    static IpAddress v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) noexcept;
    std::string text() const;
    // An IPv4-mapped IPv6 address as the IPv4 address it means; others unchanged.
    IpAddress unmapped() const noexcept;
    bool is_loopback() const noexcept;
    friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

struct Endpoint {
    IpAddress ip;
    uint16_t port = 0;

    // "127.0.0.1:25", "[::1]:25"
    static std::optional<Endpoint> parse(std::string_view text) noexcept;
    std::string text() const;
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct IpNetwork {
    IpAddress ip;
    uint8_t prefix_bits = 0;

    // Postfix's forms: "127.0.0.0/8", "[::1]/128", "192.0.2.7" (a host). Host bits must be zero.
    static std::optional<IpNetwork> parse(std::string_view text) noexcept;
    bool contains(const IpAddress& address) const noexcept;
};

}  // namespace posthaste
