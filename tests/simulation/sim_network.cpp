#include "simulation/sim_network.h"

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "base/units.h"

#include "simulation/sim_loop.h"
#include "simulation/sim_world.h"

namespace posthaste::simulation {
namespace {

// The kernel reads a sender's memory some time after the call, never inside it.
constexpr int64_t kSubmitUsMax = 5;
// How long the kernel sends SYNs again.
constexpr int64_t kConnectUsMax = 127 * kSecondUs;
// As UringLoop's receive buffers.
constexpr size_t kReceiveBytesMax = 16 * 1024;

bool takes(const Endpoint& listener, const Endpoint& to) noexcept {
    if (listener == to) return true;
    const auto& bytes = listener.ip.bytes;
    return listener.port == to.port &&
           std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

int64_t SimNetwork::delay_us() {
    if (world_.chance(conditions.stall_permille, 1000)) {
        return world_.between(conditions.delay_us_min, conditions.stall_us_max);
    }
    return world_.between(conditions.delay_us_min, conditions.delay_us_max);
}

SimNetwork::End* SimNetwork::find(int32_t number) noexcept {
    const auto found = ends_.find(number);
    return found == ends_.end() ? nullptr : &found->second;
}

const SimNetwork::End* SimNetwork::find(int32_t number) const noexcept {
    const auto found = ends_.find(number);
    return found == ends_.end() ? nullptr : &found->second;
}

// ---- listening and connecting ----

Socket SimNetwork::listen(const Endpoint& endpoint) {
    for (const Listener& listener : listeners_) {
        if (listener.endpoint == endpoint) return Socket{listener.number};
    }
    listeners_.push_back({next_number_++, endpoint, {}, {}});
    return Socket{listeners_.back().number};
}

void SimNetwork::unlisten(const Endpoint& endpoint) {
    const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                    [&](const Listener& l) { return l.endpoint == endpoint; });
    if (found == listeners_.end()) return;
    const Listener gone = std::move(*found);
    listeners_.erase(found);
    for (const int32_t number : gone.backlog) close_end(number, true);
    for (const Operation& acceptor : gone.acceptors) {
        acceptor.loop->post(acceptor.key, -EINVAL, true, {});
    }
}

void SimNetwork::set_unanswering(const IpAddress& address, bool unanswering) {
    std::erase(unanswering_, address);
    if (unanswering) unanswering_.push_back(address);
}

SimNetwork::Listener* SimNetwork::listener_for(const Endpoint& to) noexcept {
    for (Listener& listener : listeners_) {
        if (takes(listener.endpoint, to)) return &listener;
    }
    return nullptr;
}

std::pair<int32_t, int32_t> SimNetwork::make_stream(const Endpoint& left, const Endpoint& right) {
    const int32_t left_number = next_number_++;
    const int32_t right_number = next_number_++;
    End& left_end = ends_[left_number];
    left_end.other = right_number;
    left_end.local = left;
    left_end.peer = right;
    End& right_end = ends_[right_number];
    right_end.other = left_number;
    right_end.local = right;
    right_end.peer = left;
    return {left_number, right_number};
}

std::pair<Socket, Socket> SimNetwork::pair(SimLoop& left, SimLoop& right) {
    const auto [left_number, right_number] = make_stream({}, {});
    ends_[left_number].owner = &left;
    ends_[right_number].owner = &right;
    return {Socket{left_number}, Socket{right_number}};
}

void SimNetwork::connect(SimLoop& loop, uint64_t key, const Endpoint& to, const IpAddress* from) {
    Endpoint local{from != nullptr ? *from : loop.address(), next_port_};
    next_port_ = next_port_ == 65535 ? uint16_t{32768} : static_cast<uint16_t>(next_port_ + 1);
    SimLoop* const who = &loop;
    if (world_.chance(conditions.unanswered_permille, 1000)) {
        return world_.after(kConnectUsMax, [who, key] { who->post(key, -ETIMEDOUT, true, {}); });
    }
    world_.after(delay_us(), [this, who, key, to, local] { arrive(*who, key, to, local); });
}

void SimNetwork::arrive(SimLoop& loop, uint64_t key, const Endpoint& to, const Endpoint& from) {
    if (!loop.is_pending(key)) return;
    for (const auto& [address, os_errno] : failing_) {
        if (address != to.ip) continue;
        loop.post(key, -os_errno, true, {});
        return;
    }
    if (std::count(unanswering_.begin(), unanswering_.end(), to.ip) > 0) return;
    Listener* const listener = listener_for(to);
    if (listener == nullptr || world_.chance(conditions.refuse_permille, 1000)) {
        loop.post(key, -ECONNREFUSED, true, {});
        return;
    }
    if (listener->backlog.size() >= kBacklogMax) {
        // The SYN is dropped and sent again.
        SimLoop* const who = &loop;
        return world_.after(kSecondUs, [this, who, key, to, from] { arrive(*who, key, to, from); });
    }
    const auto [client, server] = make_stream(from, to);
    ends_[client].owner = &loop;
    loop.post(key, client, true, {});
    listener->backlog.push_back(server);
    offer_backlog(listener->number);
}

void SimNetwork::set_connect_failure(const IpAddress& address, int os_errno) {
    std::erase_if(failing_, [&](const auto& failing) { return failing.first == address; });
    if (os_errno != 0) failing_.emplace_back(address, os_errno);
}

void SimNetwork::accept(SimLoop& loop, uint64_t key, Socket listener) {
    for (Listener& candidate : listeners_) {
        if (Socket{candidate.number} != listener) continue;
        candidate.acceptors.push_back({&loop, key});
        return offer_backlog(candidate.number);
    }
    loop.post(key, -EBADF, true, {});
}

void SimNetwork::offer_backlog(int32_t number) {
    for (Listener& listener : listeners_) {
        if (listener.number != number) continue;
        std::erase_if(listener.acceptors,
                      [](const Operation& o) { return !o.loop->is_pending(o.key); });
        while (!listener.backlog.empty() && !listener.acceptors.empty()) {
            // Several workers wait on one listener; any of them may win.
            const auto winner = static_cast<size_t>(
                world_.between(0, static_cast<int64_t>(listener.acceptors.size()) - 1));
            const Operation& acceptor = listener.acceptors[winner];
            const int32_t accepted = listener.backlog.front();
            listener.backlog.pop_front();
            ends_[accepted].owner = acceptor.loop;
            acceptor.loop->post(acceptor.key, accepted, false, {});
        }
    }
}

// ---- receiving ----

void SimNetwork::receive(SimLoop& loop, uint64_t key, Socket socket) {
    const auto number = static_cast<int32_t>(socket);
    End* const end = find(number);
    if (end == nullptr || end->is_closed) {
        loop.post(key, -EBADF, true, {});
    } else if (end->is_reset) {
        loop.post(key, -ECONNRESET, true, {});
    } else {
        ASSERT(end->receiving.loop == nullptr);
        end->receiving = {&loop, key};
        schedule_delivery(number);
    }
}

void SimNetwork::stop_receiving(Socket socket) {
    if (End* const end = find(static_cast<int32_t>(socket))) end->receiving = {};
}

void SimNetwork::schedule_delivery(int32_t number) {
    End* const end = find(number);
    if (end == nullptr || end->delivery_scheduled || end->receiving.loop == nullptr) return;
    if (end->incoming.empty() && !end->incoming_ends) return;
    end->delivery_scheduled = true;
    world_.after(delay_us(), [this, number] { deliver(number); });
}

size_t SimNetwork::cut(size_t bytes) {
    bytes = std::min(bytes, kReceiveBytesMax);
    if (world_.chance(conditions.one_byte_permille, 1000)) return 1;
    if (!world_.chance(conditions.cut_permille, 1000)) return bytes;
    return static_cast<size_t>(world_.between(1, static_cast<int64_t>(bytes)));
}

void SimNetwork::deliver(int32_t number) {
    End* const end = find(number);
    if (end == nullptr) return;
    end->delivery_scheduled = false;
    if (end->is_closed || end->is_reset || end->receiving.loop == nullptr) return;
    const Operation receiving = end->receiving;
    if (end->incoming.empty()) {
        if (!end->incoming_ends) return;
        end->receiving = {};
        receiving.loop->post(receiving.key, 0, true, {});
        return;
    }
    if (world_.chance(conditions.reset_permille, 1000)) return reset(Socket{number});
    const size_t bytes = cut(end->incoming.size());
    *end->taken += bytes;
    receiving.loop->post(receiving.key, static_cast<int32_t>(bytes), false,
                         end->incoming.substr(0, bytes));
    end->incoming.erase(0, bytes);
    pump(end->other);
    schedule_delivery(number);
}

// ---- sending ----

void SimNetwork::send(SimLoop& loop, uint64_t key, Socket socket, std::span<const iovec> pieces) {
    const auto number = static_cast<int32_t>(socket);
    End* const end = find(number);
    if (end == nullptr || end->is_closed) {
        loop.post(key, -EBADF, true, {});
        return;
    }
    ASSERT(end->sending.operation.loop == nullptr);
    end->sending = {{&loop, key}, {pieces.begin(), pieces.end()}, 0, 0, 0};
    for (const iovec& piece : pieces) end->sending.total_bytes += piece.iov_len;
    world_.after(world_.between(1, kSubmitUsMax), [this, number] { pump(number); });
}

void SimNetwork::stop_sending(Socket socket) {
    if (End* const end = find(static_cast<int32_t>(socket))) end->sending = {};
}

void SimNetwork::finish_sending(End& end, int32_t result) {
    const Operation operation = end.sending.operation;
    end.sending = {};
    operation.loop->post(operation.key, result, true, {});
}

void SimNetwork::pump(int32_t number) {
    End* const end = find(number);
    if (end == nullptr || end->sending.operation.loop == nullptr) return;
    if (end->is_reset || end->send_shut) return finish_sending(*end, -EPIPE);
    Sending& sending = end->sending;
    End* const other = find(end->other);
    if (other == nullptr || other->is_closed) {
        // The bytes leave, and a reset comes back.
        finish_sending(*end, static_cast<int32_t>(sending.total_bytes));
        return world_.after(delay_us(), [this, number] { reset_end(number); });
    }
    while (sending.piece < sending.pieces.size() &&
           other->incoming.size() < conditions.in_flight_bytes_max) {
        const iovec& piece = sending.pieces[sending.piece];
        const size_t bytes = std::min(piece.iov_len - sending.piece_taken,
                                      conditions.in_flight_bytes_max - other->incoming.size());
        other->incoming.append(static_cast<const char*>(piece.iov_base) + sending.piece_taken,
                               bytes);
        sending.piece_taken += bytes;
        if (sending.piece_taken < piece.iov_len) break;
        sending.piece_taken = 0;
        ++sending.piece;
    }
    if (sending.piece == sending.pieces.size()) {
        finish_sending(*end, static_cast<int32_t>(sending.total_bytes));
    }
    schedule_delivery(end->other);
}

// ---- ending ----

void SimNetwork::shutdown_send(Socket socket) {
    End* const end = find(static_cast<int32_t>(socket));
    if (end == nullptr || end->send_shut) return;
    end->send_shut = true;
    End* const other = find(end->other);
    if (other == nullptr) return;
    other->incoming_ends = true;
    schedule_delivery(end->other);
}

void SimNetwork::reset(Socket socket) {
    const auto number = static_cast<int32_t>(socket);
    const End* const end = find(number);
    if (end == nullptr) return;
    const int32_t other = end->other;
    reset_end(number);
    reset_end(other);
}

void SimNetwork::reset_all_of(const IpAddress& address) {
    std::vector<int32_t> numbers;
    for (const auto& [number, end] : ends_) {
        if (end.peer.ip == address && end.owner != nullptr) numbers.push_back(number);
    }
    for (const int32_t number : numbers) reset(Socket{number});
}

void SimNetwork::reset_end(int32_t number) {
    End* const end = find(number);
    if (end == nullptr || end->is_closed || end->is_reset) return;
    end->is_reset = true;
    end->incoming.clear();
    const Operation receiving = std::exchange(end->receiving, {});
    if (receiving.loop != nullptr) receiving.loop->post(receiving.key, -ECONNRESET, true, {});
    if (end->sending.operation.loop != nullptr) finish_sending(*end, -ECONNRESET);
}

void SimNetwork::close(Socket socket) {
    const End* const end = find(static_cast<int32_t>(socket));
    // A listener is not the closer's alone; a stream that is closed twice is a bug.
    if (end == nullptr) return;
    ASSERT(!end->is_closed);
    close_end(static_cast<int32_t>(socket), !end->incoming.empty());
}

void SimNetwork::close_end(int32_t number, bool abruptly) {
    End* const end = find(number);
    if (end == nullptr || end->is_closed) return;
    const int32_t other = end->other;
    if (abruptly) {
        // As TCP does when unread bytes are thrown away.
        world_.after(delay_us(), [this, other] { reset_end(other); });
    } else if (!end->is_reset) {
        shutdown_send(Socket{number});
    }
    end->is_closed = true;
    end->incoming.clear();
    end->receiving = {};
    end->sending = {};
    pump(other);
    forget_if_over(number);
}

void SimNetwork::forget_if_over(int32_t number) {
    const End* const end = find(number);
    const End* const other = find(end->other);
    if (!end->is_closed || (other != nullptr && !other->is_closed)) return;
    const int32_t other_number = end->other;
    ends_.erase(number);
    ends_.erase(other_number);
}

void SimNetwork::owner_died(SimLoop& loop) {
    for (Listener& listener : listeners_) {
        std::erase_if(listener.acceptors, [&](const Operation& o) { return o.loop == &loop; });
    }
    std::vector<int32_t> owned;
    for (const auto& [number, end] : ends_) {
        if (end.owner == &loop) owned.push_back(number);
    }
    for (const int32_t number : owned) {
        const End* const end = find(number);
        if (end == nullptr) continue;
        close_end(number, !end->incoming.empty() || world_.chance(1, 2));
    }
}

std::shared_ptr<const uint64_t> SimNetwork::taken_by_peer(Socket socket) const {
    const End* const end = find(static_cast<int32_t>(socket));
    const End* const other = end == nullptr ? nullptr : find(end->other);
    return other == nullptr ? std::make_shared<const uint64_t>(0) : other->taken;
}

bool SimNetwork::peer_holds(Socket socket) const noexcept {
    const End* const end = find(static_cast<int32_t>(socket));
    const End* const other = end == nullptr ? nullptr : find(end->other);
    return other != nullptr && !other->is_closed && !other->is_reset;
}

size_t SimNetwork::open_from(const SimLoop& loop, const IpAddress& to) const noexcept {
    return static_cast<size_t>(std::count_if(ends_.begin(), ends_.end(), [&](const auto& row) {
        const End& end = row.second;
        return end.owner == &loop && !end.is_closed && end.peer.ip == to;
    }));
}

Endpoint SimNetwork::peer_of(Socket socket) const {
    const End* const end = find(static_cast<int32_t>(socket));
    return end == nullptr ? Endpoint{} : end->peer;
}

Endpoint SimNetwork::local_of(Socket socket) const {
    const End* const end = find(static_cast<int32_t>(socket));
    return end == nullptr ? Endpoint{} : end->local;
}

bool SimNetwork::has_input(Socket socket) const {
    const End* const end = find(static_cast<int32_t>(socket));
    return end != nullptr && !end->incoming.empty();
}

}  // namespace posthaste::simulation
