#include <cstring>
#include <netdb.h>

#include "base/strings.h"

#include "runtime/socket_address.h"

#include "master/listeners.h"

namespace posthaste {

namespace {

bool protocol_enabled(const Settings& settings, bool v6) {
    const std::string& protocols = settings.text("inet_protocols");
    return protocols == "all" || protocols.find(v6 ? "ipv6" : "ipv4") != std::string::npos;
}

std::optional<uint16_t> port_of(std::string_view text) {
    if (const auto number = parse_number(text, 65535); number && *number > 0)
        return static_cast<uint16_t>(*number);
    const servent* service = ::getservbyname(std::string(text).c_str(), "tcp");
    if (service == nullptr) return std::nullopt;
    return ntohs(static_cast<uint16_t>(service->s_port));
}

std::vector<IpAddress> addresses_of(const std::string& host) {
    if (const auto ip = IpAddress::parse(host)) return {*ip};
    std::vector<IpAddress> out;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return out;
    for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
        SocketAddress address;
        std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
        address.length = each->ai_addrlen;
        out.push_back(to_endpoint(address).ip);
    }
    ::freeaddrinfo(list);
    return out;
}

std::vector<IpAddress> interface_addresses(const Settings& settings, std::string& fault) {
    const IpAddress any4{};
    IpAddress any6;
    any6.v6 = true;
    std::vector<IpAddress> out;
    for (const std::string& name : settings.list("inet_interfaces")) {
        if (name == "all") {
            out.push_back(any4);
            out.push_back(any6);
        } else if (name == "loopback-only") {
            out.push_back(*IpAddress::parse("127.0.0.1"));
            out.push_back(*IpAddress::parse("::1"));
        } else {
            const bool bracketed = name.size() > 2 && name.front() == '[' && name.back() == ']';
            const auto found = addresses_of(bracketed ? name.substr(1, name.size() - 2) : name);
            if (found.empty()) fault = "inet_interfaces = " + name + ": this host has no address";
            out.insert(out.end(), found.begin(), found.end());
        }
    }
    return out;
}

}  // namespace

std::vector<Endpoint> listen_endpoints(std::string_view name, const Settings& settings,
                                       std::string& fault) {
    std::string_view host;
    std::string_view port_text = name;
    if (const size_t colon = name.rfind(':'); colon != std::string_view::npos) {
        host = name.substr(0, colon);
        port_text = name.substr(colon + 1);
    }
    const auto port = port_of(port_text);
    if (!port) {
        fault = "port \"" + std::string(port_text) + "\" is neither a number nor a known service";
        return {};
    }
    std::vector<IpAddress> addresses;
    if (host.empty()) {
        addresses = interface_addresses(settings, fault);
    } else {
        if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
        addresses = addresses_of(std::string(host));
        if (addresses.empty()) fault = "host \"" + std::string(host) + "\" has no address";
    }
    std::vector<Endpoint> out;
    for (const IpAddress& ip : addresses) {
        if (protocol_enabled(settings, ip.v6)) out.push_back({ip, *port});
    }
    if (out.empty() && fault.empty())
        fault = "no address is left by inet_interfaces and inet_protocols";
    return out;
}

}  // namespace posthaste
