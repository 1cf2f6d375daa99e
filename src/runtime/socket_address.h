// runtime/socket_address.h: Endpoint as the kernel wants it, and back.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/ip_address.h"

namespace posthaste {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = sizeof(sockaddr_storage);

    sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }

    const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const Endpoint& endpoint) noexcept;
// IPv4-mapped addresses as IPv4; what is neither IPv4 nor IPv6 (unix sockets) as 0.0.0.0:0.
Endpoint to_endpoint(const SocketAddress& address) noexcept;

}  // namespace posthaste
