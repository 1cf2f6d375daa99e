// tests/simulation/sim_network.h: the network between the processes of a SimWorld, and its weather.
//
// Listeners belong to the world, as master keeps them while a service is dead: any loop may accept
// on them, whoever connects meanwhile waits in the backlog. A stream carries bytes in order, in
// random cuts and with random delays, a bounded amount in flight; it ends or is reset, and is reset
// when somebody writes to an end that was closed.
//
//   sender's pieces ──as room comes──► incoming (bounded) ──delay, cut──► receiver's callback
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/loop.h"

namespace posthaste::simulation {

class SimLoop;
class SimWorld;

// The weather; may change at any time. Probabilities are per mille of the events they name.
struct NetworkConditions {
    int64_t delay_us_min = 20;
    int64_t delay_us_max = 400;
    size_t in_flight_bytes_max = 64 * 1024;
    unsigned cut_permille = 300;      // of deliveries: a part of what is there
    unsigned one_byte_permille = 30;  // of deliveries: one byte
    unsigned reset_permille = 0;      // of deliveries: the stream is reset instead
    unsigned stall_permille = 0;      // of deliveries: late by up to stall_us_max
    int64_t stall_us_max = 30'000'000;
    unsigned refuse_permille = 0;      // of connects
    unsigned unanswered_permille = 0;  // of connects: never an answer
};

class SimNetwork {
 public:
    static constexpr size_t kBacklogMax = 128;

    explicit SimNetwork(SimWorld& world) : world_(world) {}

    NetworkConditions conditions;

    // Asked again for the same endpoint: the same listener. 0.0.0.0 and :: take every address.
    Socket listen(const Endpoint& endpoint);
    // From now on connects are refused; who waits in the backlog is reset.
    void unlisten(const Endpoint& endpoint);
    // From now on connects to this address are never answered (true) or work again (false).
    void set_unanswering(const IpAddress& address, bool unanswering);
    // From now on connects to this address fail with this errno; 0: work again.
    void set_connect_failure(const IpAddress& address, int os_errno);
    // Two ends that know each other, as socketpair() makes them.
    std::pair<Socket, Socket> pair(SimLoop& left, SimLoop& right);
    // Both sides see ECONNRESET.
    void reset(Socket socket);

    size_t streams_open() const noexcept { return ends_.size(); }

    // How many bytes of what this end has sent were handed to the process at the other end; goes on
    // counting when this end is closed.
    std::shared_ptr<const uint64_t> taken_by_peer(Socket socket) const;
    // False: the process at the other end has closed it, or is dead; what it sent may still come.
    bool peer_holds(Socket socket) const noexcept;
    // Streams that this process has open to that address.
    size_t open_from(const SimLoop& loop, const IpAddress& to) const noexcept;
    // Resets every stream to or from that address.
    void reset_all_of(const IpAddress& address);

    // For SimLoop; `key` names the operation there.
    void accept(SimLoop& loop, uint64_t key, Socket listener);
    void connect(SimLoop& loop, uint64_t key, const Endpoint& to, const IpAddress* from);
    void receive(SimLoop& loop, uint64_t key, Socket socket);
    void send(SimLoop& loop, uint64_t key, Socket socket, std::span<const iovec> pieces);
    void stop_receiving(Socket socket);
    void stop_sending(Socket socket);
    void close(Socket socket);
    void shutdown_send(Socket socket);
    Endpoint peer_of(Socket socket) const;
    Endpoint local_of(Socket socket) const;
    bool has_input(Socket socket) const;
    void owner_died(SimLoop& loop);

 private:
    struct Operation {
        SimLoop* loop = nullptr;
        uint64_t key = 0;
    };

    struct Sending {
        Operation operation;
        std::vector<iovec> pieces;
        size_t piece = 0;
        size_t piece_taken = 0;
        size_t total_bytes = 0;
    };

    // One end of a stream.
    struct End {
        int32_t other = -1;
        SimLoop* owner = nullptr;  // null: waits in a backlog
        Endpoint local;
        Endpoint peer;
        std::shared_ptr<uint64_t> taken = std::make_shared<uint64_t>(0);  // of what came in here
        std::string incoming;  // in flight to here, or arrived and not taken
        bool incoming_ends = false;
        bool send_shut = false;
        bool is_closed = false;
        bool is_reset = false;
        bool delivery_scheduled = false;
        Operation receiving;
        Sending sending;
    };

    struct Listener {
        int32_t number;
        Endpoint endpoint;
        std::deque<int32_t> backlog;
        std::vector<Operation> acceptors;
    };

    End* find(int32_t number) noexcept;
    const End* find(int32_t number) const noexcept;
    Listener* listener_for(const Endpoint& to) noexcept;
    std::pair<int32_t, int32_t> make_stream(const Endpoint& left, const Endpoint& right);
    void arrive(SimLoop& loop, uint64_t key, const Endpoint& to, const Endpoint& from);
    void offer_backlog(int32_t listener);
    void schedule_delivery(int32_t number);
    void deliver(int32_t number);
    size_t cut(size_t bytes);
    void pump(int32_t number);
    void finish_sending(End& end, int32_t result);
    void reset_end(int32_t number);
    void close_end(int32_t number, bool abruptly);
    void forget_if_over(int32_t number);
    int64_t delay_us();

    SimWorld& world_;
    std::map<int32_t, End> ends_;
    std::deque<Listener> listeners_;
    std::vector<IpAddress> unanswering_;
    std::vector<std::pair<IpAddress, int>> failing_;
    int32_t next_number_ = 100;
    uint16_t next_port_ = 32768;
};

}  // namespace posthaste::simulation
