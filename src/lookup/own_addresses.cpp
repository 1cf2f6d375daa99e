#include "lookup/own_addresses.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <netdb.h>
#include <optional>
#include <string>
#include <sys/socket.h>

#include "base/strings.h"

namespace posthaste {
namespace {

std::optional<IpAddress> address_of(const sockaddr* socket_address) noexcept {
    IpAddress out;
    if (socket_address == nullptr) return std::nullopt;
    if (socket_address->sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, socket_address, sizeof v4);
        std::memcpy(out.bytes.data(), &v4.sin_addr, 4);
        return out;
    }
    if (socket_address->sa_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, socket_address, sizeof v6);
        out.v6 = true;
        std::memcpy(out.bytes.data(), &v6.sin6_addr, 16);
        return out;
    }
    return std::nullopt;
}

void add(const std::optional<IpAddress>& address, std::vector<IpAddress>& out) {
    if (!address) return;
    const IpAddress plain = address->unmapped();
    if (std::find(out.begin(), out.end(), plain) == out.end()) out.push_back(plain);
}

void add_interfaces(std::vector<IpAddress>& out, OpenReport& report) {
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) {
        report.warnings.push_back("inet_interfaces: " + os_error("getifaddrs").text());
        return;
    }
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
    for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next)
        add(address_of(each->ifa_addr), out);
}

void add_named(std::string_view setting, std::string_view item, std::vector<IpAddress>& out,
               OpenReport& report) {
    std::string name(item);
    if (name.size() > 2 && name.front() == '[' && name.back() == ']')
        name = name.substr(1, name.size() - 2);
    if (const auto address = IpAddress::parse(name)) return add(address, out);
    addrinfo* first = nullptr;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    const int status = ::getaddrinfo(name.c_str(), nullptr, &hints, &first);
    if (status != 0) {
        report.warnings.push_back(std::string(setting) + ": " + printable(name, 200) + ": " +
                                  ::gai_strerror(status));
        return;
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(first, ::freeaddrinfo);
    for (const addrinfo* each = first; each != nullptr; each = each->ai_next)
        add(address_of(each->ai_addr), out);
}

}  // namespace

std::vector<IpAddress> own_addresses(std::string_view inet_interfaces,
                                     std::string_view proxy_interfaces, OpenReport& report) {
    std::vector<IpAddress> out;
    for (const std::string_view item : split(inet_interfaces, ", \t\r\n")) {
        if (equals_ignoring_case(item, "all")) {
            add_interfaces(out, report);
        } else if (equals_ignoring_case(item, "loopback-only")) {
            add(IpAddress::v4(127, 0, 0, 1), out);
            add(IpAddress::parse("::1"), out);
        } else {
            add_named("inet_interfaces", item, out, report);
        }
    }
    for (const std::string_view item : split(proxy_interfaces, ", \t\r\n")) {
        add_named("proxy_interfaces", item, out, report);
    }
    return out;
}

}  // namespace posthaste
