// cleanup/rewrite/next_hop.h: a next hop as relayhost, transport_maps and recipients' domains write
// it:
//
//   example.com   example.com:587         a domain: its MX hosts
//   [mail.example.com]   […]:submission   in brackets: that host itself, no MX
//   [192.0.2.1]:25   [2001:db8::1]   [IPv6:2001:db8::1]   192.0.2.1:25
//   a, b:587, [c]                         one after the other
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"

namespace posthaste::rewrite {

struct NextHop {
    std::string host;        // lowered, no brackets, as DNS knows it: 例え.jp is xn--r8jz45g.jp
    bool look_up_mx = true;  // false: written in brackets, or an address
    std::optional<IpAddress> address;  // the host is an address
    uint16_t port = 25;
};

inline constexpr size_t kNextHopsMax = 16;

// Nothing when it is no next hop: no host name, a port that is none.
// Ports: 1–65535, smtp, submission, submissions, smtps, lmtp.
std::optional<NextHop> parse_next_hop(std::string_view text, uint16_t port_default);

// The list form. Nothing when it is empty, longer than kNextHopsMax or one of them is faulty.
std::optional<std::vector<NextHop>> parse_next_hops(std::string_view text, uint16_t port_default);

}  // namespace posthaste::rewrite
