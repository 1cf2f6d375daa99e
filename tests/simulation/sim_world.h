// tests/simulation/sim_world.h: a small world from a seed: time, processes, network, doorbells.
//
// Every process is a SimLoop; what happens is a queue of events in virtual time, taken one by one.
// The same seed and the same calls give the same run, which trace_hash() proves. Nothing here asks
// a clock, a socket or a random source of the machine. One thread.
//
//   SimWorld world(seed);
//   SimLoop& smtpd = world.make_loop("smtpd");
//   const Socket listener = world.network().listen({IpAddress::v4(10, 0, 0, 1), 25});
//   … a service on smtpd …
//   world.run_until([&] { return delivered == 100; }, 1'000'000);
//   world.kill(smtpd);          // then destroy the service
//
// The world outlives the services that stand on its loops; a service that is destroyed while it has
// operations in flight must have its loop killed first.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/random.h"

#include "simulation/sim_network.h"

namespace posthaste::simulation {

class SimLoop;

// What write_file() has written; a power cut leaves what was synced.
struct SimFile {
    std::string bytes;
    std::string synced_bytes;
};

class SimWorld {
 public:
    explicit SimWorld(uint64_t seed);
    SimWorld(const SimWorld&) = delete;
    SimWorld& operator=(const SimWorld&) = delete;
    ~SimWorld();

    uint64_t seed() const noexcept { return seed_; }

    int64_t now_us() const noexcept { return now_us_; }

    int64_t wall_us() const noexcept { return now_us_ + wall_ahead_us_; }

    // Somebody sets the machine's clock, forwards or back.
    void step_wall_clock(int64_t by_us) noexcept { wall_ahead_us_ += by_us; }

    SimNetwork& network() noexcept { return network_; }

    // Lives as long as the world.
    SimLoop& make_loop(std::string name);
    // A crash: no callback any more, its completions are idle, its timers never fire, its peers see
    // its sockets end or reset, its doorbells are dead. What stands on it may be destroyed then.
    // Not from inside that loop's own turn.
    void kill(SimLoop& loop);

    // Whoever lets processes die in the middle of a turn (SimLoop::die_after): told at the step it
    // happens, when nothing of the rest of the turn may reach anybody, and behind the turn, to
    // kill.
    struct DoomHooks {
        std::function<void(SimLoop&)> doomed;
        std::function<void(SimLoop&)> turn_over;
    };

    void set_doom_hooks(DoomHooks hooks) { doom_hooks_ = std::move(hooks); }

    void on_doomed(SimLoop& loop) {
        if (doom_hooks_.doomed) doom_hooks_.doomed(loop);
    }

    void on_doomed_turn_over(SimLoop& loop) {
        doom_hooks_.turn_over ? doom_hooks_.turn_over(loop) : kill(loop);
    }

    // A number for ring_doorbell() of anybody and watch() of its owner.
    int make_doorbell(SimLoop& owner);
    int make_file();
    SimFile& file(int descriptor);

    // The next event of the world. False: nothing will ever happen again.
    bool step();
    enum class Outcome { reached, nothing_left, steps_spent };
    Outcome run_until(const std::function<bool()>& done, uint64_t steps_max);
    // Until so much virtual time has passed; it passes even when nothing happens.
    Outcome run_for(int64_t duration_us, uint64_t steps_max);

    uint64_t steps() const noexcept { return steps_; }

    // Of everything that was noted so far.
    uint64_t trace_hash() const noexcept { return trace_hash_; }

    // Every note as a line, for the eye.
    void set_trace(std::function<void(std::string_view)> write) { write_trace_ = std::move(write); }

    // For loops and network, and for scenarios that want something to happen at a time.
    void at(int64_t time_us, std::function<void()> event);

    void after(int64_t delay_us, std::function<void()> event) {
        at(now_us_ + delay_us, std::move(event));
    }

    // low ≤ … ≤ high
    int64_t between(int64_t low, int64_t high) noexcept;

    bool chance(unsigned count, unsigned of) noexcept { return random_.below(of) < count; }

    uint64_t random() noexcept { return random_.next(); }

    void note(std::string_view what, std::string_view who, int64_t a, int64_t b);
    void ring(int doorbell, int64_t delay_us = 0);
    // True when the doorbell was rung at least once: as an eventfd that nobody reads.
    bool was_rung(int doorbell) const noexcept;

 private:
    struct Event {
        int64_t time_us;
        uint64_t sequence;
        std::function<void()> run;
    };

    struct Later {
        bool operator()(const Event& a, const Event& b) const noexcept {
            return a.time_us != b.time_us ? a.time_us > b.time_us : a.sequence > b.sequence;
        }
    };

    struct Doorbell {
        SimLoop* owner = nullptr;
        bool rung = false;
    };

    uint64_t seed_;
    Random random_;
    int64_t now_us_;
    int64_t wall_ahead_us_;
    uint64_t steps_ = 0;
    uint64_t sequence_ = 0;
    uint64_t trace_hash_;
    std::function<void(std::string_view)> write_trace_;
    DoomHooks doom_hooks_;
    std::priority_queue<Event, std::vector<Event>, Later> events_;
    std::vector<std::unique_ptr<SimLoop>> loops_;
    std::map<int, Doorbell> doorbells_;
    std::map<int, SimFile> files_;
    int next_descriptor_ = 1'000'000;
    SimNetwork network_;
};

}  // namespace posthaste::simulation
