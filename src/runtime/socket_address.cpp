#include "runtime/socket_address.h"

#include <cstring>

namespace posthaste {

SocketAddress to_socket_address(const Endpoint& endpoint) noexcept {
    SocketAddress out;
    if (endpoint.ip.v6) {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(endpoint.port);
        std::memcpy(&v6.sin6_addr, endpoint.ip.bytes.data(), 16);
        std::memcpy(&out.storage, &v6, sizeof(v6));
        out.length = sizeof(v6);
    } else {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(endpoint.port);
        std::memcpy(&v4.sin_addr, endpoint.ip.bytes.data(), 4);
        std::memcpy(&out.storage, &v4, sizeof(v4));
        out.length = sizeof(v4);
    }
    return out;
}

Endpoint to_endpoint(const SocketAddress& address) noexcept {
    Endpoint out;
    if (address.storage.ss_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address.storage, sizeof(v6));
        out.ip.v6 = true;
        std::memcpy(out.ip.bytes.data(), &v6.sin6_addr, 16);
        out.ip = out.ip.unmapped();
        out.port = ntohs(v6.sin6_port);
    } else if (address.storage.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address.storage, sizeof(v4));
        std::memcpy(out.ip.bytes.data(), &v4.sin_addr, 4);
        out.port = ntohs(v4.sin_port);
    }
    return out;
}

}  // namespace posthaste
