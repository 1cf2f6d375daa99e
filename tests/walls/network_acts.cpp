#include <arpa/inet.h>
#include <cstring>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/control.h"

#include "walls/act.h"

namespace posthaste::walls {
namespace {

bool connects(const SandboxProfile& profile) { return profile.connects || profile.sockets; }

// A library's own sockets: name servers are asked over UDP.
bool sockets(const SandboxProfile& profile) { return profile.sockets; }

int makes(int family, int type, int protocol = 0) {
    return outcome(::socket(family, type | SOCK_CLOEXEC, protocol));
}

sockaddr_in loopback(uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return out;
}

int connects_tcp(uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return errno;
    const sockaddr_in to = loopback(port);
    return outcome(::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof(to)));
}

int connects_unix(const std::string& name) {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return errno;
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, name.data(), name.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    return outcome(::connect(socket, reinterpret_cast<const sockaddr*>(&to), length));
}

int serves(bool listen) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return errno;
    const sockaddr_in any = loopback(0);
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0) return errno;
    return listen ? outcome(::listen(socket, 1)) : 0;
}

bool is_tcp(int socket) {
    int domain = 0;
    socklen_t length = sizeof(domain);
    return ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain != AF_UNIX;
}

// A listening socket that is shut for reading is an idle one again, of the network it was made in;
// fast open connects such a socket without a connect().
int connects_by_listener(const Surroundings& around) {
    if (around.other_listener < 0 || !is_tcp(around.other_listener)) return kNothingToTry;
    if (::shutdown(around.other_listener, SHUT_RD) != 0) return errno;
    const sockaddr_in to = loopback(around.tcp_port);
    const char byte = 'x';
    const int result =
        outcome(::sendto(around.other_listener, &byte, 1, MSG_FASTOPEN | MSG_NOSIGNAL,
                         reinterpret_cast<const sockaddr*>(&to), sizeof(to)));
    return result == EINVAL ? ENOSYS : result;  // there are kernels without this way
}

int closes_for_all(const Surroundings& around) {
    return around.listener < 0 ? kNothingToTry : outcome(::shutdown(around.listener, SHUT_RDWR));
}

// On the one socket that every role has. It lets everything pass: what counts is that it is there.
int filters_by_program(const Surroundings&) {
    sock_filter pass{BPF_RET | BPF_K, 0, 0, 0xffff'ffff};
    const sock_fprog program{1, &pass};
    return outcome(
        ::setsockopt(kControlDescriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
}

constexpr Act kActs[] = {
    {"Network", "makes a TCP socket",
     [](const Surroundings&) { return makes(AF_INET, SOCK_STREAM); }, connects},
    {nullptr, "makes a UDP socket", [](const Surroundings&) { return makes(AF_INET6, SOCK_DGRAM); },
     sockets},
    {nullptr, "makes a raw socket",
     [](const Surroundings&) { return makes(AF_INET, SOCK_RAW, IPPROTO_TCP); }},
    {nullptr, "makes a packet socket",
     [](const Surroundings&) { return makes(AF_PACKET, SOCK_RAW); }},
    {nullptr, "makes a netlink socket",
     [](const Surroundings&) { return makes(AF_NETLINK, SOCK_RAW); }},
    {nullptr, "makes a Unix socket",
     [](const Surroundings&) { return makes(AF_UNIX, SOCK_STREAM); }},
    {nullptr, "connects to a TCP port of the host",
     [](const Surroundings& around) { return connects_tcp(around.tcp_port); }, connects},
    {nullptr, "connects to a Unix socket by its path",
     [](const Surroundings& around) { return connects_unix(around.unix_path); }},
    {nullptr, "connects to an abstract Unix socket",
     [](const Surroundings& around) { return connects_unix('\0' + around.abstract_name); }},
    {nullptr, "binds a TCP port", [](const Surroundings&) { return serves(false); }, connects},
    {nullptr, "listens on a TCP port", [](const Surroundings&) { return serves(true); }},
    {nullptr, "lets the kernel run a program on a socket's bytes", filters_by_program},
    {nullptr, "shuts an inherited listening socket for everybody", closes_for_all, nullptr,
     kNothingToTry},
    {nullptr, "makes an outgoing connection of one (fast open)", connects_by_listener, nullptr,
     kNothingToTry},
};

}  // namespace

std::span<const Act> network_acts() { return kActs; }

}  // namespace posthaste::walls
