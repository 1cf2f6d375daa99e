// scheduler/agent_side.h: the conversation with the delivery agents (mail/wire/delivery_job.h,
// delivery_report.h): lanes and jobs out, reports in, and for each agent the line of reports that
// it must keep until what they say is on disk.
//
//   report 17 ──► message ──outcome 903──► store ──recorded ≥ 903──► ReportTaken 17, once 1 … 16
//   are covered too
//
// Bounded: an agent has no more reports under way than jobs it was given, and those are bounded by
// its lanes.
//
// What an agent says of jobs that we did not give it (JobsHeld, reports of lane 0) is believed of
// one that is older than we are, the first time we meet it, of what it lists before `last`, once:
// only such a one can have worked for the qmgr before us. One whose link was cut and made again has
// had its jobs given to others: its word on them is heard, and forgotten.
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "mail/wire/delivery_job.h"
#include "mail/wire/delivery_report.h"
#include "runtime/peers.h"

#include "scheduler/route_hosts.h"
#include "scheduler/scheduler.h"

namespace posthaste {

class AgentSide {
 public:
    // Jobs of the qmgr before us, and their recipients, that one agent may list.
    static constexpr size_t kFormerMax = 1 << 20;

    AgentSide(Loop& loop, Scheduler& scheduler, uint32_t own_incarnation)
        : loop_(loop), scheduler_(scheduler), own_incarnation_(own_incarnation) {}

    static constexpr uint32_t kRoles = role_bit(Role::smtp) | role_bit(Role::local) |
                                       role_bit(Role::virtual_) | role_bit(Role::pipe) |
                                       role_bit(Role::error) | role_bit(Role::discard);

    static bool is_agent(Role role) noexcept { return (role_bit(role) & kRoles) != 0; }

    void on_up(Peer& peer);
    void on_down(Peer& peer);
    void on_room(Peer& peer);
    // False: undecodable.
    bool on_record(Peer& peer, uint16_t type, std::string_view body);

    bool open_lane(uint32_t agent, uint32_t lane, const Transport& transport,
                   const Destination& destination);
    bool start_job(uint32_t agent, uint32_t lane, uint64_t job, const Message& message,
                   std::span<const uint32_t> recipients);
    void close_lane(uint32_t agent, uint32_t lane);
    void report_covered(const Receipt& receipt, uint64_t outcome_sequence);
    void on_recorded(uint64_t outcome_sequence);
    // Once a turn.
    void send_taken();

    bool any() const noexcept { return !agents_.empty(); }

    // Every agent has said what it holds for the qmgr before us.
    bool all_ready() const noexcept;

    // What one agent holds of the qmgr before us: the store may not give away those bytes.
    struct HeldList {
        uint32_t agent = 0;
        std::vector<MessageId> ids;
    };

    // Complete lists not taken before.
    std::vector<HeldList> take_held() noexcept { return std::exchange(held_, {}); }

 private:
    struct KeptReport {
        bool covered = false;
        uint64_t outcome_sequence = 0;  // 0: needs none
    };

    struct Known {
        Peer* peer = nullptr;
        bool ready = false;
        bool believed = false;  // of jobs that we did not give it
        bool taken_waits = false;
        uint64_t first_sequence = 0;  // of kept.front()
        std::deque<KeptReport> kept;
        std::vector<uint32_t> closes;  // LaneClose for which there was no room
        size_t former_size = 0;        // jobs and recipients listed
        std::vector<MessageId> held;
        std::multiset<std::pair<MessageId, uint64_t>> former;  // jobs listed and not yet reported
    };

    Known* find(uint32_t incarnation) noexcept;
    bool on_report(Known& agent, std::string_view body);
    bool on_former_report(Known& agent);
    bool on_jobs_held(Known& agent, std::string_view body);
    void advance(Known& agent);

    Loop& loop_;
    Scheduler& scheduler_;
    uint32_t own_incarnation_;
    std::set<uint32_t> met_;  // of those older than we are
    std::vector<std::unique_ptr<Known>> agents_;
    uint64_t recorded_ = 0;
    std::vector<HeldList> held_;
    // Reused memory.
    wire::DeliveryJob job_;
    wire::DeliveryReport report_;
    RouteHosts hosts_;
};

}  // namespace posthaste
