// mail/wire/host.h: one server that may take mail for a destination.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/ip_address.h"

namespace posthaste::wire {

inline constexpr uint32_t kHostsMax = 64;
inline constexpr uint16_t kSmtpPort = 25;

struct Host {
    std::string_view name;  // as in logs and TLS: "mx1.example.com" or "127.0.0.1"
    uint16_t preference = 0;
    bool v6 = false;
    std::array<uint8_t, 16> address{};
    uint16_t port = kSmtpPort;
    uint8_t rank = 0;  // ascending; any of the same rank may be tried first

    template <class Codec>
    void visit(Codec& codec) {
        codec.text(name, 256);
        codec(preference);
        codec(v6);
        for (uint8_t& byte : address) codec(byte);
        codec(port);
        codec(rank);
    }

    Endpoint endpoint() const noexcept { return {IpAddress{v6, address}, port}; }
};

}  // namespace posthaste::wire
