// egress/smtp/smtp_service.h: the smtp delivery agent: lanes for qmgr, links to servers, reports
// back.
//
//   qmgr ── LaneOpen, DeliveryJob, LaneClose, ReportTaken ──► here ── SMTP ──► servers
//   qmgr ◄── JobsHeld, DeliveryReport, LaneClosed ─────────── here        store's arena: read-only, sent from in place
//
// If qmgr dies, what was begun is finished and its report kept for the next one. If the store dies,
// its arena stays mapped until the last job that lives in it is over.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "runtime/counters.h"
#include "runtime/service.h"

#include "egress/smtp/lane.h"
#include "egress/smtp/report_keeper.h"
#include "egress/smtp/smtp_config.h"

namespace posthaste::smtp {

// Bound of what a qmgr may open here, whatever it says.
inline constexpr size_t kLanesMax = 20'000;
inline constexpr int64_t kShortageSilenceUs = kMinuteUs;  // between two warnings

class SmtpService final : public Service, private Lane::Owner, private TurnListener {
 public:
    explicit SmtpService(World& world);
    ~SmtpService() override;

    void attach(Peers& peers) override;
    void on_settings(const Settings& settings) override;
    void on_peer_up(Peer& peer) override;
    void on_peer_down(Peer& peer) override;
    void on_record(Peer& peer, uint16_t type, std::string_view body) override;
    void on_room(Peer& peer) override;
    void on_drain() override;
    bool is_idle() const override;

 private:
    bool on_lane_open(std::string_view body);
    bool on_delivery_job(std::string_view body);
    bool find_content(Job& job);
    void report(const Job& job, uint32_t lane, bool attempted);
    void say_what_is_held();
    void let_go_of_arena(uint32_t incarnation);
    void drop_lanes_over();

    // Lane::Owner
    Link& make_link(const std::string& host_name, const Endpoint& endpoint,
                    const std::string& nexthop, Link::User& user) override;
    void on_link_gone(Link& link) override;
    void on_job_over(Lane& lane, std::unique_ptr<Job> job, bool attempted) override;
    void on_lane_over(Lane& lane, LaneEnd end, const DeliveryStatus& why) override;
    bool others_work(const Lane& lane) const override;
    void on_shortage(const std::string& what) override;
    // TurnListener
    void on_turn_end() override;

    World& world_;
    Counters counters_;
    SmtpConfig config_;
    Peers* peers_ = nullptr;
    Peer* qmgr_ = nullptr;
    bool draining_ = false;
    ReportKeeper reports_;
    int64_t shortage_told_us_ = -kShortageSilenceUs;
    std::unordered_map<uint32_t, std::unique_ptr<Lane>> lanes_;  // by qmgr's number
    std::vector<std::unique_ptr<Lane>> orphans_;                 // of a qmgr that is gone
    std::vector<uint32_t> lanes_over_;                           // removed at the end of the turn
    std::unordered_map<Link*, std::unique_ptr<Link>> links_;
    std::vector<std::unique_ptr<Link>> links_gone_;  // freed at the end of the turn
    std::map<uint32_t, size_t> jobs_of_arena_;       // by the store's incarnation
    std::map<uint32_t, ArenaView> kept_arenas_;      // of dead stores, while jobs send from them
    wire::LaneOpen lane_open_;                       // reused: decoding keeps the vectors' memory
    wire::DeliveryReport report_;
};

}  // namespace posthaste::smtp
