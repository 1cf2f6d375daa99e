#include "master/listeners.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <linux/filter.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/socket_address.h"

namespace posthaste {

namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it at net.core.somaxconn
constexpr int kAskAgainMs = 100;
constexpr int kAsksMax = 20;

int socket_type(ServiceType type) noexcept {
    return (type == ServiceType::unix_dgram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC |
           SOCK_NONBLOCK;
}

// An unopened address family is no fault where the configuration asks for "all".
bool family_missing(int why) noexcept { return why == EAFNOSUPPORT || why == EADDRNOTAVAIL; }

Result<Fd> bound_socket(const Endpoint& endpoint, bool share_port) {
    Fd fd(::socket(endpoint.ip.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                   0));
    if (!fd) return os_error("socket");
    const int yes = 1;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        (share_port && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) != 0) ||
        (endpoint.ip.v6 &&
         ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) != 0))
        return os_error("setsockopt");
    const SocketAddress address = to_socket_address(endpoint);
    if (::bind(fd.get(), address.get(), address.length) != 0) return os_error("bind");
    if (::listen(fd.get(), kBacklog) != 0) return os_error("listen");
    return fd;
}

// The port may still be with processes of ours that were killed a moment ago: the kernel closes what
// their io_uring held only behind their end.
Result<Fd> bound_socket_in_time(const Endpoint& endpoint) {
    auto bound = bound_socket(endpoint, false);
    for (int asks = 1; asks < kAsksMax && !bound && bound.error().os_errno == EADDRINUSE; ++asks) {
        ::poll(nullptr, 0, kAskAgainMs);
        bound = bound_socket(endpoint, false);
    }
    return bound;
}

Result<Fd> unix_socket(const std::string& path, ServiceType type, mode_t mode) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error{Errc::too_large, 0, "the socket's path"};
    std::memcpy(address.sun_path, path.data(), path.size());
    Fd fd(::socket(AF_UNIX, socket_type(type), 0));
    if (!fd) return os_error("socket");
    // Left behind by an instance that was killed; master.pid's lock says that it is gone.
    ::unlink(path.c_str());
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return os_error("bind");
    if (::chmod(path.c_str(), mode) != 0) return os_error("chmod");
    if (type == ServiceType::unix_stream && ::listen(fd.get(), kBacklog) != 0)
        return os_error("listen");
    return fd;
}

// Socket number `random % count` of those that share the port of `socket`. The kernel numbers them as
// they began to listen; one that closes gives its number to the last one, so that the numbers below
// `count` stay with the sockets that stay. A number that nobody has means the kernel's own choice.
bool share_out_among(int socket, size_t count) {
    sock_filter program[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)},
        {BPF_ALU | BPF_MOD | BPF_K, 0, 0, static_cast<uint32_t>(count)},
        {BPF_RET | BPF_A, 0, 0, 0},
    };
    const sock_fprog attached = {static_cast<uint16_t>(std::size(program)), program};
    return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached, sizeof attached) ==
           0;
}

void let_kernel_share_out(int socket) {
    const int ignored = 0;
    ::setsockopt(socket, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &ignored, sizeof ignored);
}

}  // namespace

struct Listeners::Wanted {
    std::string key;
    std::string name;
    Place place;
    ServiceType type;
    Endpoint endpoint;   // inet
    bool any_interface;  // inet: an absent address family is skipped
    std::string path;    // unix
    mode_t mode;
    size_t count;
};

std::vector<Listeners::Wanted> Listeners::wanted_by(const Plan& plan, Diagnostics& diagnostics) {
    std::vector<Wanted> out;
    const std::string& queue = plan.settings.text("queue_directory");
    for (const PlannedService& service : plan.services) {
        const auto& entry = service.entry;
        if (service.row->listens == Listens::nothing) continue;
        if (entry.type == ServiceType::inet) {
            std::string fault;
            const auto endpoints = listen_endpoints(entry.name, service.settings, fault);
            if (endpoints.empty()) diagnostics.error(entry.place, fault);
            for (const Endpoint& endpoint : endpoints)
                out.push_back({service.key() + " " + endpoint.text(), entry.name, entry.place,
                               entry.type, endpoint, entry.name.find(':') == std::string::npos, "",
                               0, service.process_count});
            continue;
        }
        const bool showq = service.row->listens == Listens::showq;
        const std::string name =
            showq ? "public/showq" : (entry.is_private ? "private/" : "public/") + entry.name;
        // Datagrams are log lines, which are believed: root's only.
        const mode_t mode =
            entry.type == ServiceType::unix_dgram || (entry.is_private && !showq) ? 0600 : 0666;
        const auto type = showq ? ServiceType::unix_stream : entry.type;
        out.push_back({service.key() + " " + name,
                       name,
                       entry.place,
                       type,
                       {},
                       false,
                       queue + "/" + name,
                       mode,
                       1});
    }
    return out;
}

bool Listeners::have_port(uint16_t port) const noexcept {
    return std::any_of(open_.begin(), open_.end(),
                       [&](const auto& each) { return each.second.port == port; });
}

bool Listeners::open_one(const Wanted& wanted, Open& out, size_t already,
                         std::string& fault) const {
    const auto failed = [&](const std::string& what, const Error& error) {
        fault = wanted.place.text() + ": cannot listen on " + what + ": " + error.text();
        return false;
    };
    out.name = wanted.name;
    if (wanted.type != ServiceType::inet) {
        auto fd = unix_socket(wanted.path, wanted.type, wanted.mode);
        if (!fd) return failed(wanted.path, fd.error());
        out.descriptors.push_back(std::move(*fd));
        return true;
    }
    out.port = wanted.endpoint.port;
    // A reload may move a port from one service or address to another; the old socket closes when
    // the new one is open.
    if (already == 0 && !have_port(wanted.endpoint.port)) {
        const bool starting = open_.empty();  // in a reload master has others to serve
        const auto probe =
            starting ? bound_socket_in_time(wanted.endpoint) : bound_socket(wanted.endpoint, false);
        if (!probe && wanted.any_interface && family_missing(probe.error().os_errno)) return true;
        if (!probe) {
            failed(wanted.endpoint.text(), probe.error());
            if (probe.error().os_errno == EADDRINUSE)
                fault +=
                    "; see who has it: ss -ltnp 'sport = :" + std::to_string(wanted.endpoint.port) +
                    "'";
            if (probe.error().os_errno == EADDRNOTAVAIL)
                fault += "; this machine does not have that address";
            return false;
        }
    }
    for (size_t i = already; i < wanted.count; ++i) {
        auto fd = bound_socket(wanted.endpoint, true);
        if (!fd) return failed(wanted.endpoint.text(), fd.error());
        out.descriptors.push_back(std::move(*fd));
    }
    return true;
}

bool Listeners::open(const Plan& plan, std::string& fault) {
    Diagnostics diagnostics;
    const auto wanted = wanted_by(plan, diagnostics);
    if (diagnostics.has_errors()) {
        fault = diagnostics.all()[0].place.text() + ": " + diagnostics.all()[0].text;
        return false;
    }
    std::vector<std::pair<std::string, Open>> fresh;
    for (const Wanted& each : wanted) {
        const auto known = open_.find(each.key);
        const size_t already = known == open_.end() ? 0 : known->second.descriptors.size();
        if (already >= each.count) continue;
        Open opened;
        if (!open_one(each, opened, already, fault)) return false;
        fresh.emplace_back(each.key, std::move(opened));
    }
    for (auto& [key, opened] : fresh) {
        Open& into = open_[key];
        into.name = opened.name;
        into.port = opened.port;
        for (Fd& fd : opened.descriptors) into.descriptors.push_back(std::move(fd));
    }
    return true;
}

std::map<std::string, size_t> Listeners::counts_of(const Plan& plan) {
    Diagnostics ignored;
    std::map<std::string, size_t> counts;
    for (const Wanted& each : wanted_by(plan, ignored)) counts[each.key] = each.count;
    return counts;
}

void Listeners::close_unneeded(const Plan& plan) {
    const auto counts = counts_of(plan);
    for (auto it = open_.begin(); it != open_.end();) {
        Open& open = it->second;
        const auto count = counts.find(it->first);
        if (count == counts.end()) {
            // Another service may have taken over the port, with sockets of its own.
            if (open.is_steered) let_kernel_share_out(open.descriptors[0].get());
            it = open_.erase(it);
            continue;
        }
        // Best effort: where it fails, a client of a socket that closes may have to connect again.
        if (open.is_steered || open.descriptors.size() > count->second)
            open.is_steered = share_out_among(open.descriptors[0].get(), count->second);
        ++it;
    }
}

void Listeners::close_surplus(const Plan& plan) {
    const auto counts = counts_of(plan);
    for (auto& [key, open] : open_) {
        const auto count = counts.find(key);
        if (count != counts.end() && open.descriptors.size() > count->second)
            open.descriptors.resize(count->second);
    }
}

std::vector<Listener> Listeners::of(const PlannedService& service, unsigned worker) const {
    std::vector<Listener> out;
    const std::string prefix = service.key() + " ";
    for (auto it = open_.lower_bound(prefix); it != open_.end() && it->first.starts_with(prefix);
         ++it) {
        const auto& descriptors = it->second.descriptors;
        if (descriptors.empty()) continue;
        const size_t index = it->second.port == 0 ? 0 : worker;
        if (index < descriptors.size()) out.push_back({it->second.name, descriptors[index].get()});
    }
    return out;
}

}  // namespace posthaste
