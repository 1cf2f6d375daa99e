#include "runtime/settings/system_facts.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/ip_address.h"

namespace posthaste {

namespace {

struct InterfaceAddress {
    IpAddress ip;
    uint8_t prefix_bits = 0;
};

bool address_of(const sockaddr* address, IpAddress& out) {
    if (address == nullptr) return false;
    if (address->sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, address, sizeof in);
        out.v6 = false;
        std::memcpy(out.bytes.data(), &in.sin_addr, 4);
        return true;
    }
    if (address->sa_family != AF_INET6) return false;
    sockaddr_in6 in6{};
    std::memcpy(&in6, address, sizeof in6);
    out.v6 = true;
    std::memcpy(out.bytes.data(), &in6.sin6_addr, 16);
    return true;
}

std::vector<InterfaceAddress> interface_addresses() {
    std::vector<InterfaceAddress> out;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return out;
    for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
        InterfaceAddress found;
        IpAddress mask;
        if ((each->ifa_flags & IFF_UP) == 0 || !address_of(each->ifa_addr, found.ip)) continue;
        const bool has_mask = address_of(each->ifa_netmask, mask);
        unsigned bits = 0;
        for (size_t i = 0; i < (found.ip.v6 ? 16U : 4U); ++i)
            bits += has_mask ? static_cast<unsigned>(std::popcount(mask.bytes[i])) : 8;
        found.prefix_bits = static_cast<uint8_t>(bits);
        out.push_back(found);
    }
    ::freeifaddrs(list);
    return out;
}

// "192.0.2.0/24", "[2001:db8::]/64": the host bits cleared, as Postfix writes networks.
std::string network_text(IpAddress ip, unsigned prefix_bits) {
    for (unsigned bit = prefix_bits; bit < (ip.v6 ? 128U : 32U); ++bit)
        ip.bytes[bit / 8] = static_cast<uint8_t>(ip.bytes[bit / 8] & ~(0x80U >> (bit % 8)));
    return (ip.v6 ? "[" + ip.text() + "]" : ip.text()) + "/" + std::to_string(prefix_bits);
}

unsigned class_bits(const IpAddress& ip) {
    if (ip.v6) return 128;
    if (ip.bytes[0] < 128) return 8;
    return ip.bytes[0] < 192 ? 16 : 24;
}

void append_once(std::string& list, const std::string& element) {
    if ((" " + list + " ").find(" " + element + " ") != std::string::npos) return;
    list += (list.empty() ? "" : " ") + element;
}

constexpr size_t kFirstLineBytesMax = 1024;

std::optional<std::string> first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line(kFirstLineBytesMax, '\0');
    file.read(line.data(), static_cast<std::streamsize>(line.size()));
    if (file.bad() || file.gcount() <= 0) return std::nullopt;
    line.resize(static_cast<size_t>(file.gcount()));
    return line.substr(0, line.find('\n'));
}

}  // namespace

SystemFacts read_system_facts() {
    SystemFacts facts;
    facts.first_line = first_line;
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) == 0) facts.hostname = name;
    for (const InterfaceAddress& address : interface_addresses()) {
        append_once(facts.networks_host, network_text(address.ip, address.ip.v6 ? 128 : 32));
        append_once(facts.networks_subnet, network_text(address.ip, address.prefix_bits));
        append_once(
            facts.networks_class,
            network_text(address.ip, address.ip.v6 ? address.prefix_bits : class_bits(address.ip)));
    }
    return facts;
}

std::string own_directory() {
    char path[4096];
    const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
    if (size <= 0 || static_cast<size_t>(size) == sizeof path) return {};
    const std::string whole(path, static_cast<size_t>(size));
    return whole.substr(0, std::max<size_t>(whole.rfind('/'), 1));
}

}  // namespace posthaste
