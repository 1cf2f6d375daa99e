// tests/simulation/relay/house.h: the whole relay in one process, on simulated time, network and
// disk, from a seed.
//
// Every process of master's table is a SimProcess (process.h). The house plays master: it
// introduces those that master/process_table.cpp lists, notices deaths, starts anew, stops, reloads
// and replaces, and passes on what the dead are to be forgotten for. What is different from the
// real thing: segments and arenas are private memory instead of sealed memfds, and postlogd is a
// function that keeps the last lines.
//
//   kill()        SIGKILL between two turns: nothing more of it runs; its shared memory stays
//                 readable for those who map it
//   kill_after()  the same at a step of its own, mostly in the middle of a turn: what the turn had
//                 written to the disk is there, what it had not yet published nobody has seen
//   hang()        stops it for a while, as SIGSTOP does; what it had not read waits
//   power_cut()   kills everybody; the disk forgets what was not synced
//   stop(), replace(), reload(), restart_gracefully()   as `posthaste` asks master for them
//
// Dead processes are kept (dead loop, unread memory) until the house goes: their peers may still be
// looking at them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "mail/queue_state.h"

#include "master/process_table.h"
#include "simulation/relay/process.h"
#include "simulation/sim_world.h"
#include "support/sim_disk.h"

namespace posthaste::simulation {

struct HouseOptions {
    uint16_t workers = 2;  // of smtpd, cleanup, smtp
    std::string settings;  // "name = value" lines
    Endpoint listen{IpAddress::v4(10, 0, 0, 1), 25};
    uint64_t arena_bytes = 4 * kMiB;       // of each owner: small, so that bounds are met
    uint32_t ring_bytes_max = 256 * 1024;  // the same
    size_t log_lines_max = 8000;           // the last of them are kept
};

// Told of what happens, as it happens; may kill.
class HouseWatcher {
 public:
    virtual void on_started(SimProcess&) {}

    // Still in its place; `crashed`: not by its own will.
    virtual void on_ending(SimProcess&, bool /*crashed*/) {}

    virtual void on_store_synced() {}

 protected:
    ~HouseWatcher() = default;
};

class House {
 public:
    House(SimWorld& world, HouseOptions options, HouseWatcher& watcher);
    ~House();

    void start();
    // False: it is not alive just now.
    bool kill(Role role, uint16_t instance);
    // At the steps-th step from now (1: the next). `instead`: what happens then, the death of this
    // one process by default.
    enum class Fate : uint8_t { death, power_cut };
    bool kill_after(Role role, uint16_t instance, uint64_t steps, Fate instead = Fate::death);

    void hang(Role role, uint16_t instance, int64_t for_us);

    // The next store dies in the writes-th write to the disk of its opening.
    void kill_in_recovery(uint64_t writes) noexcept { recovery_writes_left_ = writes; }

    void power_cut();
    // Finish what you hold and go; somebody else takes the place.
    void stop(Role role, uint16_t instance);
    // As a reload does whose settings need a new process: side by side where there are many.
    void replace(Role role, uint16_t instance);
    void reload();
    // Everybody stops, in master's order, and starts again.
    void restart_gracefully();

    SimProcess* find(Role role, uint16_t instance) noexcept;
    // Whose connections come from there; nothing: of nobody alive.
    SimProcess* at(const IpAddress& address) noexcept;
    std::vector<SimProcess*> alive();

    SimWorld& world() noexcept { return world_; }

    SimDisk& disk() noexcept { return disk_; }

    const HouseOptions& options() const noexcept { return options_; }

    uint64_t deaths() const noexcept { return deaths_; }

    uint64_t starts_of(Role role) const {
        const auto found = starts_.find(role);
        return found == starts_.end() ? 0 : found->second;
    }

    // What is committed. Nothing: the store is down.
    struct Durable {
        std::string sender;
        std::vector<std::string> recipients;
        QueueState state;
        bool has_state = false;
        int64_t arrived_wall_us = 0;
    };

    bool store_is_up() const noexcept;
    std::vector<MessageId> ids();
    // Nothing: it is not there.
    std::optional<Durable> durable(MessageId id);
    uint64_t quarantined();

    // The last lines of everybody's log, oldest first: a failing seed's story.
    const std::deque<std::string>& log() const noexcept { return log_; }

    void keep_line(std::string line);

    // Of processes that said another broke the rules of their wire; nobody does here.
    const std::string& quarrel() const noexcept { return quarrel_; }

    uint64_t free_bytes = 64 * kGiB;  // on the queue's file system
    int64_t sync_us_max = 0;          // what a slow disk takes for a sync

 private:
    friend class SimProcess;

    void spawn(Role role, uint16_t instance);
    void respawn_later(Role role, uint16_t instance);
    void introduce(SimProcess& a, SimProcess& b);
    void lend_arena(SimProcess& owner, SimProcess& reader);
    std::shared_ptr<PeerParts> connect_one_way(SimProcess& self, SimProcess& peer,
                                               const WireEnd& end, std::optional<Segment> own,
                                               std::optional<Segment> theirs, int own_doorbell,
                                               int peer_doorbell);

    // One side of a link.
    struct Handshake {
        uint32_t whose;
        std::shared_ptr<PeerParts> parts;
        bool is_introduced = false;
        bool is_greeted = false;
    };

    std::function<void(SimProcess&)> hears_of(std::shared_ptr<Handshake> own,
                                              std::shared_ptr<Handshake> theirs);
    std::function<void(SimProcess&)> meets(std::shared_ptr<PeerParts> parts);
    void tell_later(uint32_t incarnation, std::function<void(SimProcess&)> what);
    void tell_owner(SimProcess& reader, uint32_t owner, std::function<void(SimProcess&)> what);
    void tell_forgotten(SimProcess& reader, uint32_t owner, uint32_t incarnation);
    void tell_at(int64_t at_us, uint32_t incarnation, std::function<void(SimProcess&)> what);
    void end(SimProcess& process, bool crashed);
    void die(SimProcess& process);
    void bury(SimProcess& process);
    void tell_owners(SimProcess& process, uint32_t incarnation);
    void on_doomed(SimLoop& loop);
    void on_doomed_turn_over(SimLoop& loop);
    void on_disk_write();
    void on_disk_sync();
    void drain(SimProcess& process, bool gently);
    void look_at_drain(uint32_t incarnation);
    void stop_stage(unsigned stage);
    SimProcess* by_incarnation(uint32_t incarnation) noexcept;
    SimProcess* by_loop(const SimLoop& loop) noexcept;
    void say(const std::string& what);

    SimWorld& world_;
    HouseOptions options_;
    HouseWatcher& watcher_;
    SimDisk disk_;
    std::deque<Segment> segments_;  // of all introductions; goes after those who look at them
    std::vector<std::unique_ptr<SimProcess>> living_;
    std::vector<std::unique_ptr<SimProcess>> dead_;
    uint32_t next_incarnation_ = 1;
    std::deque<uint32_t> former_;  // the last that lent on and died: whoever starts is told
    uint64_t deaths_ = 0;
    std::map<Role, uint64_t> starts_;
    std::map<std::pair<Role, uint16_t>, uint64_t> respawns_;  // ordered so far
    std::string quarrel_;
    std::deque<std::string> log_;
    const std::thread::id thread_ = std::this_thread::get_id();  // RocksDB has threads of its own
    uint64_t recovery_writes_left_ = 0;
    bool opening_store_ = false;
    bool stopping_ = false;  // restart_gracefully(): nobody is started until all have gone
    bool power_is_off_ = false;
};

}  // namespace posthaste::simulation
