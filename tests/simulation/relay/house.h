// tests/simulation/relay/house.h: the whole relay in one process, on simulated time, network and
// disk, from a seed.
//
// Every process of master's table is a SimProcess: its own SimLoop, settings, arena, peers and the
// very service class that the real process runs. The house plays master: it introduces those that
// master/process_table.cpp lists, notices deaths, starts anew, and passes on what the dead are to
// be forgotten for. What is different from the real thing: segments and arenas are private memory
// instead of sealed memfds, and postlogd is a function that keeps the last lines.
//
//   kill()       SIGKILL: nothing more of it runs; its shared memory stays readable for those who
//   map it power_cut()  kills everybody; the disk forgets what was not synced
//
// Dead processes are kept (dead loop, unread memory) until the house goes: their peers may still be
// looking at them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/counters.h"
#include "runtime/service.h"

#include "master/process_table.h"
#include "simulation/sim_loop.h"
#include "simulation/sim_world.h"
#include "support/sim_disk.h"

namespace posthaste::simulation {

class House;

// One life of one process.
class SimProcess final : public Log {
 public:
    SimProcess(House& house, Role role, uint16_t instance, uint32_t incarnation);
    ~SimProcess() override;

    Role role() const noexcept { return role_; }

    uint16_t instance() const noexcept { return instance_; }

    uint32_t incarnation() const noexcept { return incarnation_; }

    std::string name() const;

    bool alive() const noexcept { return !dead_; }

    // Empty, or why the service could not be made.
    const std::string& why_not() const noexcept { return why_not_; }

    Service* service() noexcept { return service_.get(); }

    Arena* arena() noexcept { return arena_ ? &*arena_ : nullptr; }

    void line(wire::Severity severity, std::string_view text) override;

 private:
    friend class House;

    void on_doorbell(const Event&) {}

    void make_service();

    // A link to one peer; ours to watch is `doorbell`.
    struct Link {
        uint32_t peer_incarnation;
        bool we_read_arena;
        bool we_lend_arena;
        std::unique_ptr<Completion> doorbell_rung;
    };

    House& house_;
    Role role_;
    uint16_t instance_;
    uint32_t incarnation_;
    bool dead_ = false;
    std::string why_not_;
    SimLoop& loop_;
    std::string service_name_;
    Settings settings_;
    std::unique_ptr<CounterPage> counter_page_;
    std::optional<Arena> arena_;
    std::optional<World> world_;
    std::vector<Link> links_;
    std::unique_ptr<Service> service_;
    std::unique_ptr<Peers> peers_;
};

struct HouseOptions {
    uint16_t workers = 2;  // of smtpd, cleanup, smtp
    std::string settings;  // "name = value" lines
    Endpoint listen{IpAddress::v4(10, 0, 0, 1), 25};
    uint64_t arena_bytes = 4 * kMiB;  // of each owner: small, so that bounds are met
};

class House {
 public:
    House(SimWorld& world, HouseOptions options);
    ~House();

    void start();
    // False: it is not alive just now.
    bool kill(Role role, uint16_t instance);
    void power_cut();
    SimProcess* find(Role role, uint16_t instance) noexcept;
    std::vector<SimProcess*> alive();

    SimWorld& world() noexcept { return world_; }

    SimDisk& disk() noexcept { return disk_; }

    const HouseOptions& options() const noexcept { return options_; }

    uint64_t deaths() const noexcept { return deaths_; }

    // The store's own word: messages it holds. Nothing while it is down.
    std::optional<size_t> queued();

    // The last lines of everybody's log, oldest first: a failing seed's story.
    const std::deque<std::string>& log() const noexcept { return log_; }

    uint64_t warnings() const noexcept { return warnings_; }

 private:
    friend class SimProcess;
    static constexpr size_t kLogLinesMax = 4000;

    void spawn(Role role, uint16_t instance);
    void respawn_later(Role role, uint16_t instance);
    void introduce(SimProcess& a, SimProcess& b);
    void connect_one_way(SimProcess& self, SimProcess& peer, const WireEnd& end,
                         std::optional<Segment> own, std::optional<Segment> theirs,
                         int own_doorbell, int peer_doorbell);
    void bury(SimProcess& process);
    void on_removed(SimProcess& process, uint32_t incarnation);
    SimProcess* by_incarnation(uint32_t incarnation) noexcept;
    void keep_line(std::string line);

    SimWorld& world_;
    HouseOptions options_;
    SimDisk disk_;
    std::vector<std::unique_ptr<SimProcess>> living_;
    std::vector<std::unique_ptr<SimProcess>> dead_;
    std::vector<std::shared_ptr<PeerParts>> unmet_;  // of introductions that a death overtook
    uint32_t next_incarnation_ = 1;
    uint64_t deaths_ = 0;
    uint64_t warnings_ = 0;
    std::deque<std::string> log_;
};

}  // namespace posthaste::simulation
