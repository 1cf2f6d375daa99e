// scheduler/lane.h: a lane is one connection's worth of concurrency towards a destination, bound to
// one agent process and fed job after job. Up to the depth of a lane are handed over ahead of the
// first report, so that the connection never waits for the round trip through qmgr.
//
//   open ──LaneClose sent (idle too long, window shrank, drain)──► closing ──LaneClosed──► gone
//     └────────LaneClosed (connection lost, no host answered), agent died──────────────────► gone
//
// A closing lane still counts in its destination's window: its connection exists until the agent
// says otherwise.
#pragma once

#include <cstdint>

#include "scheduler/entry.h"
#include "scheduler/flat_index.h"
#include "scheduler/hash.h"

namespace posthaste {

enum class LaneState : uint8_t { unused, open, closing };

struct Lane {
    uint32_t id = 0;  // on the wire; 0 is none
    uint32_t destination = kNone;
    uint32_t agent = kNone;
    LaneState state = LaneState::unused;
    bool listed = false;  // in one of its destination's lists of lanes with room
    bool failure_counted =
        false;  // this lane's end is not to be held against the destination again
    uint32_t jobs_out = 0;
    bool returned = false;  // it gave back a job unattempted
    bool works = false;     // its last job met a server that answers
    uint32_t attempts = 0;  // jobs that were really tried on it
    EntryList jobs;         // oldest first
    int64_t moved_us = 0;   // last job given to it while idle, or last report from it
    Links room_links;       // among its destination's lanes with room
    Links idle_links;       // among all lanes without a job
};

using LaneSlab = Slab<Lane, 256>;
using LaneRoomList = IndexList<Lane, &Lane::room_links>;
using LaneIdleList = IndexList<Lane, &Lane::idle_links>;

// All lanes, by their number on the wire. A number comes again after four thousand million others;
// a lane that is still open keeps its own.
class LaneTable {
 public:
    explicit LaneTable(uint32_t last_id = 0) : last_id_(last_id) {}

    uint32_t open(uint32_t destination, uint32_t agent) {
        const uint32_t index = lanes_.allocate();
        Lane& lane = lanes_[index];
        lane = {};
        do {
            ++last_id_;
        } while (last_id_ == 0 || find(last_id_) != kNone);
        lane.id = last_id_;
        lane.destination = destination;
        lane.agent = agent;
        lane.state = LaneState::open;
        by_id_.insert(hash_of(uint64_t{lane.id}), index);
        return index;
    }

    void remove(uint32_t index) {
        by_id_.erase(hash_of(uint64_t{lanes_[index].id}), index);
        lanes_[index].state = LaneState::unused;
        lanes_.free(index);
    }

    uint32_t find(uint32_t id) const noexcept {
        return by_id_.find(hash_of(uint64_t{id}),
                           [&](uint32_t index) { return lanes_[index].id == id; });
    }

    Lane& operator[](uint32_t index) noexcept { return lanes_[index]; }

    LaneSlab& slab() noexcept { return lanes_; }

    uint32_t size() const noexcept { return lanes_.in_use(); }

 private:
    LaneSlab lanes_;
    FlatIndex by_id_;
    uint32_t last_id_;
};

}  // namespace posthaste
