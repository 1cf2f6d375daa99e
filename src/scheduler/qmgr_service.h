// scheduler/qmgr_service.h: qmgr as a process: the scheduler and its four conversations.
//
//   store ◄──► StoreSide ┐
//   agents ◄─► AgentSide ┼──► Scheduler (pure) ──► Outside, which is this class
//   rewrite ◄► RewriteSide│
//   operator ► FlushSocket┘
//
// Start:  up ─► all agents that master introduces us to have said what they hold for the qmgr before us, or
//         kAgentsPatienceUs have passed ─► open: loads and jobs begin
//         As each agent has spoken, however late, the store is told which bytes it still holds.
// Reports of a turn, and messages, are taken in first; then, once, what there is room for is
// started.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "runtime/service.h"

#include "scheduler/agent_side.h"
#include "scheduler/flush_socket.h"
#include "scheduler/rewrite_side.h"
#include "scheduler/scheduler.h"
#include "scheduler/store_side.h"

namespace posthaste {

class QmgrService final : public Service, private Outside, private TurnListener {
 public:
    // Agents are introduced within milliseconds of our start; the first are waited for in any case.
    static constexpr int64_t kAgentsWaitUs = 250 * kMsUs;
    static constexpr int64_t kAgentsPatienceUs = kSecondUs;

    explicit QmgrService(World& world);
    ~QmgrService() override;

    void attach(Peers& peers) override;
    void on_listener(std::string_view name, Socket listener) override;
    void on_settings(const Settings& settings) override;
    void on_drain() override;
    bool is_idle() const override;

    void on_peer_up(Peer& peer) override;
    void on_peer_down(Peer& peer) override;
    void on_record(Peer& peer, uint16_t type, std::string_view body) override;
    void on_room(Peer& peer) override;

    const Scheduler& scheduler() const noexcept { return scheduler_; }

 private:
    // Outside
    int64_t now_us() const override { return world_.loop.now_us(); }

    int64_t wall_us() const override { return world_.loop.wall_us(); }

    uint64_t random() override { return world_.loop.random(); }

    TransportConfig transport_config(std::string_view name) override;

    void log(std::string_view line) override { world_.log.info(line); }

    void warn(std::string_view line) override { world_.log.warning(line); }

    void want_dispatch() override { world_.loop.request_turn_end(*this); }

    bool load(MessageId id) override { return store_.load(id); }

    void release_content(MessageId id) override { store_.release(id); }

    uint64_t record(wire::RecordOutcome& outcome, bool final) override {
        return store_.record(outcome, final);
    }

    size_t unrecorded() const override { return store_.unrecorded(); }

    void want_scan() override { store_.scan_from(kNoMessage); }

    bool open_lane(uint32_t agent, uint32_t lane, const Transport& transport,
                   const Destination& destination) override {
        return agents_.open_lane(agent, lane, transport, destination);
    }

    bool start_job(uint32_t agent, uint32_t lane, uint64_t job, const Message& message,
                   std::span<const uint32_t> recipients) override {
        return agents_.start_job(agent, lane, job, message, recipients);
    }

    void close_lane(uint32_t agent, uint32_t lane) override { agents_.close_lane(agent, lane); }

    void report_covered(const Receipt& receipt, uint64_t outcome_sequence) override {
        agents_.report_covered(receipt, outcome_sequence);
    }

    bool resolve(uint64_t cookie, std::string_view recipient) override {
        return rewrite_.resolve(cookie, recipient);
    }

    void on_turn_end() override;
    void open_if_ready();

    void on_opening_timer() { open_if_ready(); }

    void count();

    World& world_;
    Counters counters_;
    const Settings* settings_;
    Peers* peers_ = nullptr;
    bool draining_ = false;
    Scheduler scheduler_;
    AgentSide agents_;
    StoreSide store_;
    RewriteSide rewrite_;
    std::optional<FlushSocket> flush_socket_;
    int64_t started_us_;
    Timer opening_timer_;
};

}  // namespace posthaste
