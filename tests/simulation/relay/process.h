// tests/simulation/relay/process.h: one life of one process of the simulated relay: its own
// SimLoop, settings, arena, peers and the very service class that the real process runs.
//
// Owned by a House, which is its master. What runtime/service_main.h does for a real process
// (orders from master, draining) is done here.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/channel.h"
#include "runtime/counters.h"
#include "runtime/service.h"

#include "simulation/sim_loop.h"

namespace posthaste::simulation {

class House;

class SimProcess final : public Log {
 public:
    SimProcess(House& house, Role role, uint16_t instance, uint32_t incarnation);
    ~SimProcess() override;

    Role role() const noexcept { return role_; }

    uint16_t instance() const noexcept { return instance_; }

    uint32_t incarnation() const noexcept { return incarnation_; }

    std::string name() const;

    bool alive() const noexcept { return !dead_; }

    // Told to go: another has its place, or soon will.
    bool leaving() const noexcept { return leaving_; }

    // Empty, or why the service could not be made.
    const std::string& why_not() const noexcept { return why_not_; }

    Service* service() noexcept { return service_.get(); }

    SimLoop& loop() noexcept { return loop_; }

    Arena* arena() noexcept { return arena_ ? &*arena_ : nullptr; }

    bool knows(Role role) const noexcept { return peers_ && peers_->has_any(role_bit(role)); }

    void line(wire::Severity severity, std::string_view text) override;

 private:
    friend class House;

    void on_doorbell(const Event&) {}

    void on_order(const Event&);
    void order(std::function<void()> what);
    void make_service();

    // A link to one peer; ours to watch is `doorbell`.
    struct Link {
        uint32_t peer_incarnation;
        bool we_read_arena;
        bool we_lend_arena;
        Segment::Header* own_indices;  // null: arena only; the house keeps them
        std::unique_ptr<Completion> doorbell_rung;
        int64_t told_us = 0;  // when the peer hears the last of what we told it over the link
    };

    // What the others can see of a process that dies in the middle of a turn: the indices as they
    // were published last, also to those whom it only meets in the rest of the turn. Records beyond
    // them are as if never written.
    struct Seen {
        Segment::Header* indices;
        uint64_t tail, head, sleep_count, wants_room;
    };

    void remember_what_is_seen();
    void show_what_was_seen();

    House& house_;
    Role role_;
    uint16_t instance_;
    uint32_t incarnation_;
    bool dead_ = false;
    bool leaving_ = false;
    bool draining_ = false;
    bool gently_ = false;
    bool power_cut_ = false;  // its death by steps takes everybody along
    int64_t give_up_us_ = 0;
    int64_t idle_since_us_ = -1;
    std::string why_not_;
    SimLoop& loop_;
    std::string service_name_;
    Settings settings_;
    std::unique_ptr<CounterPage> counter_page_;
    std::optional<Arena> arena_;
    std::optional<World> world_;
    std::vector<Link> links_;
    std::deque<uint32_t> gone_;  // the last of which it knows that they lent on and died
    std::vector<Seen> seen_;
    int order_bell_;
    Completion order_came_;
    std::vector<std::function<void()>> orders_;
    std::unique_ptr<Service> service_;
    std::unique_ptr<Peers> peers_;
};

}  // namespace posthaste::simulation
