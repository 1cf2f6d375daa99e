#include "hostile/puppet.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "runtime/counters.h"

namespace posthaste::hostile {
namespace {

constexpr int kPatienceMs = 20'000;

bool readable(int descriptor, int patience_ms) {
    pollfd wanted{descriptor, POLLIN, 0};
    return ::poll(&wanted, 1, patience_ms) == 1;
}

// What it said before is not read.
bool has_hung_up(int socket) {
    pollfd wanted{socket, POLLRDHUP, 0};
    return ::poll(&wanted, 1, 0) == 1;
}

void rest_ms(int duration_ms) {
    const timespec rest{0, duration_ms * 1'000'000L};
    ::nanosleep(&rest, nullptr);
}

Fd connect_to(const char* path) {
    Fd out(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (::connect(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
        out.reset();
    return out;
}

}  // namespace

void Link::ring() const {
    const uint64_t one = 1;
    if (peer_doorbell) (void)!::write(peer_doorbell.get(), &one, sizeof(one));
}

void Link::ring_many_times(unsigned times) const {
    for (unsigned i = 0; i < times; ++i) ring();
}

bool Link::send(uint16_t type, std::string_view body) {
    for (int tries = 0; tries < 1000; ++tries) {
        if (channel->send(type, body)) {
            channel->publish();
            ring();
            return true;
        }
        channel->publish();
        ring();
        rest_ms(1);
    }
    return false;
}

bool Link::hear_type(uint16_t type, std::string& body) {
    for (int waited_ms = 0; waited_ms < kPatienceMs; waited_ms += 2) {
        Channel::Record record;
        while (channel->receive(record)) {
            const bool wanted = record.type == type;
            if (wanted) body = record.body;
            channel->release();
            ring();
            if (wanted) return true;
        }
        if (is_closed(0)) return false;
        rest_ms(2);
    }
    return false;
}

bool Link::is_closed(int patience_ms) {
    ControlMessage message;
    for (int waited_ms = 0;; waited_ms += 5) {
        const auto received = receive_control(socket.get(), message);
        if (!received) return true;
        if (!*received && waited_ms >= patience_ms) return false;
        if (!*received) readable(socket.get(), 5);
    }
}

Puppet::Puppet() {
    const auto received = receive_control(kControlDescriptor, start_message_, ControlWait::yes);
    if (!received || !wire::decode(start_message_.body, start_)) ::_exit(1);
    if (start_.judge_only) {
        (void)send_control(kControlDescriptor, control::Judged{});
        ::_exit(0);
    }
    auto arena = Arena::create(start_.incarnation, std::max<uint64_t>(start_.arena_bytes, kMiB));
    if (!arena) ::_exit(1);
    arena_.emplace(std::move(*arena));
    while (arena_->allocate()) {
    }
    // Asleep, as far as master can see: what it thinks of hung processes is another story.
    auto counters = CounterMapping::map(start_message_.fds[1].get(), CounterMapping::Access::write);
    if (counters) counters->page().beat.store(1);
    const char* const path = std::getenv("POSTHASTE_STRINGS");
    strings_ = connect_to(path == nullptr ? "" : path);
    if (!strings_) ::_exit(1);
    if (!send_control(kControlDescriptor, control::Ready{})) ::_exit(1);
}

void Puppet::take_control_messages() {
    ControlMessage message;
    while (true) {
        const auto received = receive_control(kControlDescriptor, message);
        if (!received) ::_exit(0);
        if (!*received) return;
        if (message.type == control::Drain::kType) {
            (void)send_control(kControlDescriptor, control::Drained{});
            ::_exit(0);
        }
        control::Introduce terms;
        if (message.type != control::Introduce::kType || !wire::decode(message.body, terms) ||
            message.fds.size() != 1)
            continue;
        Link link;
        link.terms = terms;
        link.socket = std::move(message.fds[0]);
        links_.insert_or_assign(terms.peer_role, std::move(link));
    }
}

void Puppet::run() {
    std::array<char, 512> order;
    std::array<pollfd, 2> waits = {{{kControlDescriptor, POLLIN, 0}, {strings_.get(), POLLIN, 0}}};
    while (!told_to_go_) {
        ::poll(waits.data(), waits.size(), -1);
        take_control_messages();
        const ssize_t length = ::recv(strings_.get(), order.data(), order.size(), MSG_DONTWAIT);
        if (length < 0 && errno == EAGAIN) continue;
        if (length <= 0) break;
        const std::string answer = obey({order.data(), static_cast<size_t>(length)});
        (void)!::send(strings_.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    ::_exit(0);
}

Link* Puppet::fresh_link(Role role) {
    for (int waited_ms = 0; waited_ms < kPatienceMs; waited_ms += 5) {
        take_control_messages();
        const auto found = links_.find(role);
        if (found != links_.end() && !found->second.own && !found->second.own_memory &&
            !has_hung_up(found->second.socket.get()))
            return &found->second;
        rest_ms(5);
    }
    return nullptr;
}

Link* Puppet::established_link(Role role) {
    const auto found = links_.find(role);
    const bool is_greeted =
        found != links_.end() && (found->second.has_rings() ? found->second.channel.has_value()
                                                            : bool(found->second.own_memory));
    if (is_greeted && !found->second.is_closed(0)) return &found->second;
    Link* const link = fresh_link(role);
    if (link == nullptr) return nullptr;
    const Greeting greeting = proper_greeting(*this, *link);
    if (!send_control(link->socket.get(), greeting.hello,
                      std::span<const int>(greeting.descriptors)))
        return nullptr;
    ControlMessage message;
    for (int waited_ms = 0; waited_ms < kPatienceMs; waited_ms += 5) {
        const auto received = receive_control(link->socket.get(), message);
        if (!received) return nullptr;
        if (!*received) {
            readable(link->socket.get(), 5);
            continue;
        }
        if (!link->has_rings()) return link;
        if (message.type != handshake::Hello::kType || message.fds.size() < 2) continue;
        auto peer = Segment::map_foreign(message.fds[0].get(), link->peer_bytes());
        if (!peer) return nullptr;
        link->peer.emplace(std::move(*peer));
        link->peer_doorbell = std::move(message.fds[1]);
        link->channel.emplace(Segment::alias(*link->own), Segment::alias(*link->peer));
        return link;
    }
    return nullptr;
}

std::string Puppet::obey(std::string_view order) {
    if (order == "who") return std::to_string(::getpid());
    if (order == "go") {
        told_to_go_ = true;
        return "gone";
    }
    const size_t blank = order.find(' ');
    const auto role = role_of_program(order.substr(0, blank));
    if (!role || blank == std::string_view::npos) return "what?";
    const std::string_view name = order.substr(blank + 1);
    if (name == "list") return attacks_on(start_.role, *role);
    return attack(*this, *role, name).value_or("what?");
}

Greeting proper_greeting(Puppet& puppet, Link& link) {
    Greeting out;
    out.hello.role = puppet.role();
    out.hello.incarnation = puppet.incarnation();
    if (link.has_rings()) {
        auto own = Segment::create(link.own_bytes());
        if (!own) ::_exit(1);
        link.own.emplace(std::move(*own));
        link.own_doorbell.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        out.hello.ring_bytes = link.own_bytes();
        out.descriptors = {link.own->memfd(), link.own_doorbell.get()};
    } else {
        link.own_memory.reset(::dup(puppet.arena().memfd()));
    }
    if (link.terms.we_lend_arena) out.descriptors.push_back(puppet.arena().memfd());
    return out;
}

}  // namespace posthaste::hostile

int main() { posthaste::hostile::Puppet().run(); }
