// scheduler/destination.h: one (transport, site): what its mail shares: connections, their number,
// rate, and the verdict on whether the site lives. A site is a next hop, or with destination_rollup
// = mx a whole MX set; rewrite names it.
//
//   alive ──failed cohorts reach their limit──► dead (until a time that backs off) ──mail due after that──► probing
//     ▲                                          ▲                                              │        │
//     │                                          └──────────────probe failed────────────────────┘        │
//     └─────────────────────────────── a connection worked ◄─────────────────────────────────────────────┘
//
// alive: up to window connections. dead: mail waits without an attempt each. probing: one
// connection, one job.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/timer_wheel.h"

#include "scheduler/feedback.h"
#include "scheduler/flow.h"
#include "scheduler/gcra.h"
#include "scheduler/lane.h"
#include "scheduler/transport.h"

namespace posthaste {

enum class SiteState : uint8_t { alive, dead, probing };

struct Destination final {
    Destination() noexcept : timer(&Destination::on_timer, this) {}

    std::string key;  // transport, NUL, site
    uint32_t transport = kNone;
    uint32_t self = kNone;
    uint32_t generation = 0;  // grows when the row is given to another site
    std::string nexthop;
    std::string hosts;  // as the last answer of rewrite encoded them; see RouteHosts

    SiteState state = SiteState::alive;
    bool waits_for_agent = false;  // in the line of those for which no agent had room
    bool ring_full = false;        // and that because of a ring: do not try before on_agent_room()
    bool waits_for_transport = false;  // in its transport's line for the transport's rate
    Feedback feedback{FeedbackLimits{}};
    Gcra rate;
    Timer timer;  // until the rate allows the next job
    RateListener* rate_listener = nullptr;
    uint32_t deaths = 0;     // in a row
    uint32_t suspended = 0;  // recipients, since the last death
    uint32_t flushed_at_serial = 0;
    bool flushed = false;      // while jobs up to that one were out
    bool try_at_once = false;  // if it dies of this failure
    int64_t dead_until_us = 0;
    std::string dead_dsn;
    std::string dead_text;

    uint32_t routed = 0;  // recipients on their way into its flows
    uint32_t queued = 0;  // entries in its flows
    uint32_t jobs_out = 0;
    uint32_t lanes = 0;  // open and closing
    uint32_t lanes_working = 0;
    uint32_t idle_lane_count = 0;
    uint32_t room = 0;  // jobs its open lanes could still take
    uint32_t last_agent = kNone;
    LaneRoomList idle_lanes;  // with no job
    LaneRoomList busy_lanes;  // with some, and room for more

    FlowSiblingList flows;    // all of its mail
    FlowRingList blocked;     // those that wait for room here; in turn
    uint32_t parked = kNone;  // list in the message table; made when first needed
    uint32_t parked_count = 0;
    uint32_t sent_for = 0;  // were parked here, and are on their way into its flows

    bool idle = false;  // nothing of the above: may be forgotten when rows are scarce
    Links idle_links;

 private:
    static void on_timer(void* self_pointer) {
        auto& it = *static_cast<Destination*>(self_pointer);
        it.rate_listener->on_destination_rate(it.self);
    }
};

using DestinationSlab = Slab<Destination, 256>;

// All destinations, by transport and site. Those without mail are kept for what was learned about
// them, the least recently used is forgotten first.
class DestinationTable {
 public:
    DestinationTable(uint64_t seed, uint32_t idle_max) : seed_(seed), idle_max_(idle_max) {}

    // A new one begins alive; its caller sets the window. `is_new` says so.
    uint32_t find_or_add(uint32_t transport, std::string_view transport_name, std::string_view site,
                         bool& is_new);
    void touch(uint32_t index);   // it has mail
    void settle(uint32_t index);  // perhaps it has none any more

    bool same(uint32_t index, uint32_t generation) const noexcept {
        return index < slab_.end() && slab_[index].generation == generation;
    }

    Destination& operator[](uint32_t index) noexcept { return slab_[index]; }

    const Destination& operator[](uint32_t index) const noexcept { return slab_[index]; }

    DestinationSlab& slab() noexcept { return slab_; }

    uint32_t size() const noexcept { return slab_.in_use(); }

    uint32_t end() const noexcept { return slab_.end(); }

    size_t memory_bytes() const noexcept { return slab_.memory_bytes() + index_.memory_bytes(); }

 private:
    void forget(uint32_t index);

    uint64_t seed_;
    uint32_t idle_max_;
    uint32_t idle_count_ = 0;
    std::string key_;
    DestinationSlab slab_;
    FlatIndex index_;
    IndexList<Destination, &Destination::idle_links> idle_;
};

}  // namespace posthaste
