// scheduler/agents.h: the delivery agent processes and how lanes are spread over them: to the one
// with the fewest, except that a destination stays where it is as long as that one is hardly
// busier: its connections and its DNS names are warm there.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/role.h"

#include "scheduler/slab.h"

namespace posthaste {

struct Agent {
    uint32_t incarnation = 0;  // 0: a free row
    Role role = Role::smtp;
    uint32_t lanes = 0;
    bool ready = false;  // has said what it still holds for the qmgr before us
    bool ring_full = false;
};

class AgentTable {
 public:
    // A busier agent is preferred by this many lanes if the destination has its connections there.
    static constexpr uint32_t kLoyalty = 2;

    uint32_t add(uint32_t incarnation, Role role) {
        for (uint32_t i = 0; i < agents_.size(); ++i) {
            if (agents_[i].incarnation != 0) continue;
            agents_[i] = {incarnation, role};
            return i;
        }
        agents_.push_back({incarnation, role});
        return static_cast<uint32_t>(agents_.size() - 1);
    }

    uint32_t find(uint32_t incarnation) const noexcept {
        for (uint32_t i = 0; i < agents_.size(); ++i) {
            if (agents_[i].incarnation == incarnation) return i;
        }
        return kNone;
    }

    bool any(Role role) const noexcept {
        for (const Agent& agent : agents_) {
            if (agent.incarnation != 0 && agent.role == role) return true;
        }
        return false;
    }

    // For a new lane; kNone when every one is absent, full or not ready.
    uint32_t choose(Role role, uint32_t preferred, uint32_t lanes_max) const noexcept {
        uint32_t best = kNone;
        for (uint32_t i = 0; i < agents_.size(); ++i) {
            const Agent& agent = agents_[i];
            if (!takes_lanes(agent, role, lanes_max)) continue;
            if (best == kNone || agent.lanes < agents_[best].lanes) best = i;
        }
        if (best == kNone || preferred >= agents_.size()) return best;
        const Agent& known = agents_[preferred];
        const bool loyal =
            takes_lanes(known, role, lanes_max) && known.lanes <= agents_[best].lanes + kLoyalty;
        return loyal ? preferred : best;
    }

    Agent& operator[](uint32_t index) noexcept { return agents_[index]; }

    const Agent& operator[](uint32_t index) const noexcept { return agents_[index]; }

    uint32_t end() const noexcept { return static_cast<uint32_t>(agents_.size()); }

 private:
    static bool takes_lanes(const Agent& agent, Role role, uint32_t lanes_max) noexcept {
        return agent.incarnation != 0 && agent.role == role && agent.ready && !agent.ring_full &&
               agent.lanes < lanes_max;
    }

    std::vector<Agent> agents_;
};

}  // namespace posthaste
