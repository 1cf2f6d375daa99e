// tests/simulation/sim_loop.h: the loop of one simulated process. Keeps runtime/loop.h's promises
// as UringLoop does: callbacks from the loop only, a last callback for every operation, cancel
// answered by it, doorbells rung at the end of the turn, before_sleep() and after_sleep() around
// every sleep.
//
// Owned by a SimWorld, which gives it its turns. A turn takes no virtual time, but the next one
// comes a little later. Dead (SimWorld::kill): every call is ignored, nothing is in flight.
//
// Death in the middle of a turn: die_after() counts steps, which are the stations of a turn (its
// start, each callback, the timers, the listeners, the doorbells, sleep), every call of this loop
// and whatever calls step() for it (a disk). At the last one the process is doomed: what the rest
// of the turn does reaches nobody, and the world's owner is told, who kills it when the turn is
// over.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/loop.h"
#include "runtime/random.h"
#include "runtime/turn_listeners.h"

namespace posthaste::simulation {

class SimWorld;

class SimLoop final : public Loop {
 public:
    SimLoop(SimWorld& world, size_t number, std::string name, uint64_t seed);
    ~SimLoop() override;

    const std::string& name() const noexcept { return name_; }

    // Where its connections come from; 10.0.<n> by default.
    const IpAddress& address() const noexcept { return address_; }

    void set_address(const IpAddress& address) noexcept { address_ = address; }

    bool is_dead() const noexcept { return dead_; }

    bool is_stopped() const noexcept { return stopped_; }

    uint64_t turns() const noexcept { return turns_; }

    // At the steps-th step from now (1: the next); 0: not at all.
    void die_after(uint64_t steps) noexcept { steps_to_death_ = steps; }

    void step();

    bool is_doomed() const noexcept { return doomed_; }

    bool in_turn() const noexcept { return in_turn_; }

    // It stands still for so long after this turn, as if it had waited for a disk in it; what it
    // said in the turn is heard that much later.
    void stand_still(int64_t for_us) noexcept { stands_still_us_ += for_us; }

    // Somebody stops it for so long (SIGSTOP): no turn begins, and what it says in this one is heard
    // that much later.
    void hang(int64_t for_us);

    // No turn of it began in all that time. `from_us` is not long ago, `until_us` may be to come.
    bool stands_still(int64_t from_us, int64_t until_us) const noexcept {
        return still_since_us_ <= from_us && until_us <= still_until_us_;
    }

    // The end of the last time that it stood still, which may be to come; -1: it never did.
    int64_t still_until_us() const noexcept { return still_until_us_; }

    int64_t now_us() const noexcept override { return now_us_; }

    int64_t wall_us() const noexcept override { return wall_us_; }

    uint64_t random() noexcept override { return random_.next(); }

    TimerWheel& timers() noexcept override;

    void accept(Completion& done, Socket listener) override;
    void connect(Completion& done, const Endpoint& to, const IpAddress* from) override;
    void receive(Completion& done, Socket socket) override;
    void send(Completion& done, Socket socket, std::span<const iovec> pieces) override;
    // A doorbell of the world.
    void watch(Completion& done, int descriptor) override;
    // A file of the world.
    void write_file(Completion& done, int descriptor, std::span<const iovec> pieces,
                    uint64_t offset, FileSync sync) override;
    void cancel(Completion& done) override;
    void close(Socket socket) override;
    void shutdown_send(Socket socket) override;
    Endpoint peer_of(Socket socket) override;
    bool has_input(Socket socket) override;
    Endpoint local_of(Socket socket) override;
    void ring_doorbell(int doorbell) override;

    void add_listener(TurnListener& listener) override;
    void remove_listener(TurnListener& listener) override;
    void request_turn_end(TurnListener& listener) override;

    // Runs the whole world until this process has stopped.
    void run() override;

    void stop() noexcept override { stopped_ = true; }

    // For the world and its network.
    bool is_pending(uint64_t key) const noexcept;
    // Queues a callback; false when the operation is over. `last` ends it.
    bool post(uint64_t key, int32_t result, bool last, std::string data);
    void on_doorbell(int doorbell);
    void die();

 private:
    enum class Kind : uint8_t { accept, connect, receive, send, watch, write_file };

    struct Operation {
        Completion* completion = nullptr;
        Kind kind = Kind::accept;
        int32_t number = -1;  // socket or descriptor
        bool over = false;    // its last event is queued
        bool told = false;    // watch: an event is queued, further rings add nothing
    };

    struct Ready {
        uint64_t key;
        int32_t result;
        bool last;
        std::string data;
    };

    uint64_t begin(Completion& done, Kind kind, int32_t number);
    void wake(int64_t at_us);
    void wake_soon();
    void turn();
    void dispatch();
    void forget(std::map<uint64_t, Operation>::iterator operation);

    SimWorld& world_;
    std::string name_;
    IpAddress address_;
    Random random_;
    int64_t now_us_;
    int64_t wall_us_;
    TimerWheel timers_;
    TurnListeners listeners_;
    std::map<uint64_t, Operation> operations_;
    std::multimap<int, uint64_t> watches_;  // doorbell to operation
    std::vector<Ready> ready_;
    std::vector<Ready> dispatching_;
    std::vector<int> to_ring_;
    uint64_t next_key_ = 1;
    int64_t turn_at_us_;
    int64_t busy_until_us_ = 0;
    uint64_t turns_ = 0;
    uint64_t steps_to_death_ = 0;
    int64_t stands_still_us_ = 0;
    int64_t still_since_us_ = 0;  // the last time that it stood still, or does
    int64_t still_until_us_ = -1;
    bool doomed_ = false;
    bool in_turn_ = false;
    bool asleep_ = false;
    bool dead_ = false;
    bool stopped_ = false;
};

}  // namespace posthaste::simulation
