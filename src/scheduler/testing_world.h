// scheduler/testing_world.h: a world for the scheduler's tests and benchmarks: a clock that is
// moved, a store that is a map, agents that are functions of the site's name. Header only, for
// *_test.cpp and bench/.
//
// Everything takes a moment of simulated time, in a fixed order: the same seed gives the same run.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "mail/address.h"

#include "scheduler/log_lines.h"
#include "scheduler/scheduler.h"

namespace posthaste {

class TestingWorld : public Outside {
 public:
    static constexpr int64_t kStartWallUs = 1'700'000'000 * kSecondUs;
    static constexpr int64_t kHopUs = 50;  // a ring, there or back

    // How a site behaves.
    struct Site {
        bool refuses = false;  // no connection, after delay_us
        bool hangs = false;    // never answers
        Outcome outcome = Outcome::sent;
        int64_t delay_us = kMsUs;  // of one message, or of a failing connect
        std::string text = "250 2.0.0 Ok";
        size_t takes = SIZE_MAX;  // connections at a time; it refuses those beyond
    };

    struct Stored {
        Envelope envelope;
        std::string state;
        std::map<uint32_t, std::string> reasons;
        int lent = 0;
    };

    struct Delivery {
        int64_t at_us;
        MessageId id;
        std::string recipient;
        uint32_t agent;
    };

    struct LaneSeen {
        uint32_t agent = 0;
        std::string site;
        std::deque<std::pair<uint64_t, std::pair<MessageId, std::vector<uint32_t>>>> jobs;
        bool working = false;
        bool closing = false;
        bool others_work = false;  // as it was told when it was opened
        bool taken = false;        // the site has taken its connection
    };

    explicit TestingWorld(SchedulerConfig config = {}, uint64_t seed = 1)
        : timers_(0), seed_(seed), config_(config) {
        scheduler_ = std::make_unique<Scheduler>(*this, timers_, config);
    }

    Scheduler& scheduler() { return *scheduler_; }

    // Store, rewrite and `agents` agents are there, and qmgr is open.
    void start(uint32_t agents = 1) {
        store_up();
        for (uint32_t i = 0; i < agents; ++i) agent_up(next_incarnation_++);
        scheduler_->open();
        run_for(0);
    }

    void store_up() {
        store_is_up_ = true;
        scheduler_->on_store_up();
        for (const auto& body : unrecorded_) deliver_record(body.sequence);
        for (const auto& [id, stored] : store_) {
            QueueStateSummary summary{QueueName::active, 0};
            if (!stored.state.empty()) summary = *summarize_queue_state(stored.state);
            scheduler_->on_scanned({id, summary.due_s, summary.queue});
        }
        scheduler_->on_scan_complete();
    }

    bool is_store_up() const { return store_is_up_; }

    void store_down() {
        store_is_up_ = false;
        ++store_life_;
        for (auto& [id, stored] : store_) stored.lent = 0;
        lent_bytes_ = 0;
        scheduler_->on_store_down();
    }

    void agent_up(uint32_t incarnation, bool ready = true) {
        agents_.push_back(incarnation);
        scheduler_->on_agent_up(incarnation, Role::smtp);
        if (ready) scheduler_->on_agent_ready(incarnation);
    }

    void agent_down(uint32_t incarnation) {
        std::erase(agents_, incarnation);
        std::erase_if(lanes_, [&](const auto& lane) { return lane.second.agent == incarnation; });
        scheduler_->on_agent_down(incarnation);
    }

    // A new qmgr: the old one forgets everything; what agents were delivering goes on for nobody.
    void restart_scheduler() {
        ++life_;
        orphans_.clear();
        for (auto& [id, lane] : lanes_) {
            if (lane.working) orphans_.push_back({lane.agent, lane.jobs.front()});
        }
        lanes_.clear();
        unrecorded_.clear();
        for (auto& [id, stored] : store_) stored.lent = 0;
        lent_bytes_ = 0;
        scheduler_ = std::make_unique<Scheduler>(*this, timers_, config_);
        for (const uint32_t agent : agents_) {
            scheduler_->on_agent_up(agent, Role::smtp);
            for (const auto& orphan : orphans_) {
                if (orphan.first != agent) continue;
                scheduler_->on_job_held(agent, {orphan.second.second.first, orphan.second.first,
                                                orphan.second.second.second});
            }
            scheduler_->on_agent_ready(agent);
        }
        store_up();
        scheduler_->open();
    }

    // The orphans' reports arrive now.
    void finish_orphans() {
        for (const auto& [agent, job] : orphans_) {
            wire::DeliveryReport report;
            report.sequence = ++report_sequence_;
            report.job = job.first;
            report.id = job.second.first;
            for (const uint32_t number : job.second.second) {
                report.results.push_back({number, Outcome::sent, "2.0.0", "Ok"});
                note_delivery(report.id, number, agent);
            }
            scheduler_->on_report(agent, report);
        }
        orphans_.clear();
    }

    MessageId submit(const std::string& sender, const std::vector<std::string>& recipients,
                     uint64_t size_bytes = 4096) {
        const MessageId id = static_cast<MessageId>(wall_us()) + ++submitted_;
        Stored& stored = store_[id];
        stored.envelope.id = id;
        stored.envelope.arrived_wall_us = wall_us();
        stored.envelope.size_bytes = size_bytes;
        stored.envelope.sender = sender;
        for (const std::string& recipient : recipients)
            stored.envelope.recipients.push_back({recipient, {}, kNotifyUnset});
        announce(id);
        return id;
    }

    void announce(MessageId id) {
        after(kHopUs, [this, id, store_life = store_life_, life = life_] {
            if (store_life == store_life_ && life == life_) hand_over(id);
        });
    }

    // Until nothing is left to happen before now + us.
    void run_for(int64_t us) {
        const int64_t end_us = now_us_ + us;
        while (true) {
            turn();
            const int64_t event_us = events_.empty() ? kNeverUs : events_.top().at_us;
            const int64_t next_us = std::min(event_us, timers_.next_deadline_us());
            if (next_us > end_us) break;
            now_us_ = std::max(now_us_, next_us);
            while (!events_.empty() && events_.top().at_us <= now_us_) {
                auto action = events_.top().action;
                events_.pop();
                action();
            }
            timers_.advance(now_us_);
        }
        now_us_ = end_us;
        timers_.advance(now_us_);
        turn();
    }

    void turn() {
        while (std::exchange(dispatch_wanted_, false)) scheduler_->dispatch();
    }

    QueueState state_of(MessageId id) {
        const auto& bytes = store_.at(id).state;
        return bytes.empty() ? QueueState{} : *decode_queue_state(bytes);
    }

    size_t count_log(std::string_view part) const {
        size_t count = 0;
        for (const auto& line : log_) count += line.find(part) != std::string::npos;
        return count;
    }

    int64_t first_delivery_us(std::string_view recipient) const {
        for (const auto& delivery : deliveries_) {
            if (delivery.recipient == recipient) return delivery.at_us;
        }
        return kNeverUs;
    }

    void step_clock(int64_t us) { clock_step_us_ += us; }

    // Outside
    int64_t now_us() const override { return now_us_; }

    int64_t wall_us() const override { return kStartWallUs + now_us_ + clock_step_us_; }

    uint64_t random() override { return hash_of(seed_++); }

    TransportConfig transport_config(std::string_view name) override {
        TransportConfig config = transport_;
        config.handler = handler_of_transport(name);
        config.role = role_of_transport(name);
        config.has_service = name != "nosuch";
        return config;
    }

    void log(std::string_view line) override { log_.emplace_back(line); }

    void warn(std::string_view line) override { warnings_.emplace_back(line); }

    void want_dispatch() override { dispatch_wanted_ = true; }

    bool load(MessageId id) override {
        if (!store_is_up_) return false;
        after(load_us_, [this, id, store_life = store_life_, life = life_] {
            if (store_life == store_life_ && life == life_) hand_over(id);
        });
        return true;
    }

    void release_content(MessageId id) override {
        const auto found = store_.find(id);
        if (found == store_.end() || !store_is_up_ || found->second.lent == 0) return;
        --found->second.lent;
        lent_bytes_ -= found->second.envelope.size_bytes;
        ++released_;
    }

    uint64_t record(wire::RecordOutcome& outcome, bool final) override {
        outcome.sequence = ++sequence_;
        Unrecorded kept{outcome.sequence,           outcome.id, final, outcome.remove,
                        std::string(outcome.state), {}};
        for (const auto& reason : outcome.reasons)
            kept.reasons[reason.recipient] = std::string(reason.text);
        unrecorded_.push_back(std::move(kept));
        if (store_is_up_) deliver_record(outcome.sequence);
        return outcome.sequence;
    }

    size_t unrecorded() const override { return unrecorded_.size(); }

    void want_scan() override { ++scans_wanted_; }

    bool open_lane(uint32_t agent, uint32_t lane, const Transport&,
                   const Destination& destination) override {
        if (ring_full_) return false;
        lanes_[lane] = {agent, destination.nexthop, {}};
        lanes_[lane].others_work = destination.lanes_working > 0;
        ++lanes_opened_;
        size_t to_site = 0;
        for (const auto& [id, other] : lanes_) to_site += other.site == destination.nexthop;
        lanes_to_site_max_[destination.nexthop] =
            std::max(lanes_to_site_max_[destination.nexthop], to_site);
        return true;
    }

    bool start_job(uint32_t agent, uint32_t lane, uint64_t job, const Message& message,
                   std::span<const uint32_t> recipients) override {
        if (ring_full_) return false;
        LaneSeen& seen = lanes_.at(lane);
        ASSERT(seen.agent == agent);
        seen.jobs.push_back({job, {message.envelope.id, {recipients.begin(), recipients.end()}}});
        starts_.push_back({now_us_, message.envelope.id,
                           message.envelope.recipients[recipients.front()].address, agent});
        depth_max_ = std::max(depth_max_, seen.jobs.size());
        active_max_ = std::max(active_max_, scheduler_->active());
        after(kHopUs, [this, lane, life = life_] {
            if (life == life_) work(lane);
        });
        return true;
    }

    void close_lane(uint32_t, uint32_t lane) override {
        after(kHopUs, [this, lane, life = life_] {
            const auto found = lanes_.find(lane);
            if (life != life_ || found == lanes_.end()) return;
            found->second.closing = true;
            work(lane);
        });
    }

    void report_covered(const Receipt& receipt, uint64_t sequence) override {
        covered_[receipt.sequence] = sequence;
    }

    bool resolve(uint64_t cookie, std::string_view recipient) override {
        if (!rewrite_is_up_) return false;
        ++resolves_;
        if (recipient == rewrite_dies_of_) rewrite_died_ = true;
        if (rewrite_died_) return true;
        after(kHopUs,
              [this, cookie, address = std::string(recipient)] { answer(cookie, address); });
        return true;
    }

    // What a test looks at, and sets.
    std::map<std::string, Site> sites_;
    std::function<void(std::string_view recipient, wire::ResolveReply& reply)> resolve_as_;
    TransportConfig transport_;
    int64_t load_us_ = kHopUs;  // of the store, from question to answer
    std::map<MessageId, Stored> store_;
    std::vector<Delivery> deliveries_;
    std::vector<Delivery> starts_;
    std::vector<std::string> log_;
    std::vector<std::string> warnings_;
    std::map<uint64_t, uint64_t> covered_;
    std::map<uint32_t, LaneSeen> lanes_;
    std::map<std::string, size_t> lanes_to_site_max_;
    std::vector<uint32_t> agents_;
    uint32_t next_incarnation_ = 100;
    size_t connections_refused_ = 0;
    size_t attempts_refused_ = 0;
    size_t depth_max_ = 0;
    uint32_t active_max_ = 0;
    size_t lanes_opened_ = 0;
    size_t resolves_ = 0;
    size_t released_ = 0;
    int scans_wanted_ = 0;
    bool rewrite_is_up_ = true;
    bool ring_full_ = false;
    bool arena_full_ = false;
    uint64_t arena_bytes_ = UINT64_MAX;
    uint64_t lent_bytes_ = 0;
    std::string rewrite_dies_of_;  // asked of this address
    bool rewrite_died_ = false;

 private:
    struct Unrecorded {
        uint64_t sequence;
        MessageId id;
        bool final;
        bool remove;
        std::string state;
        std::map<uint32_t, std::string> reasons;
    };

    struct Event {
        int64_t at_us;
        uint64_t order;
        std::function<void()> action;

        bool operator<(const Event& other) const {
            return std::pair(at_us, order) > std::pair(other.at_us, other.order);
        }
    };

    using Job = std::pair<uint64_t, std::pair<MessageId, std::vector<uint32_t>>>;

    void after(int64_t us, std::function<void()> action) {
        events_.push({now_us_ + us, ++events_made_, std::move(action)});
    }

    void hand_over(MessageId id) {
        const auto found = store_.find(id);
        if (found == store_.end()) return scheduler_->on_gone(id);
        std::string envelope;
        encode_envelope(found->second.envelope, envelope);
        std::vector<wire::Extent> content;
        const uint64_t size_bytes = found->second.envelope.size_bytes;
        if (!arena_full_ && lent_bytes_ + size_bytes <= arena_bytes_) {
            content.push_back({1, 0, 0, 4096});
            ++found->second.lent;
            lent_bytes_ += size_bytes;
        }
        scheduler_->on_queued(envelope, found->second.state, content);
        dispatch_wanted_ = true;
    }

    void deliver_record(uint64_t sequence) {
        after(kHopUs, [this, sequence, store_life = store_life_, life = life_] {
            if (store_life != store_life_ || life != life_) return;
            while (!unrecorded_.empty() && unrecorded_.front().sequence <= sequence) {
                const Unrecorded kept = unrecorded_.front();
                unrecorded_.pop_front();
                const auto found = store_.find(kept.id);
                if (found != store_.end()) {
                    if (kept.remove) {
                        lent_of_removed_ += found->second.lent;
                        store_.erase(found);
                    } else {
                        found->second.state = kept.state;
                        for (const auto& [number, text] : kept.reasons)
                            found->second.reasons[number] = text;
                    }
                }
                scheduler_->on_recorded(kept.id, kept.final);
            }
        });
    }

    void answer(uint64_t cookie, const std::string& address) {
        wire::ResolveReply reply;
        reply.cookie = cookie;
        reply.outcome = wire::ResolveOutcome::ok;
        reply.ttl_s = 3600;
        reply.transport = "smtp";
        reply.nexthop = reply.site = domain_of(address);
        wire::Host host;
        host.name = reply.nexthop;
        reply.hosts.push_back(host);
        if (resolve_as_) resolve_as_(address, reply);
        scheduler_->on_resolved(reply);
        dispatch_wanted_ = true;
    }

    Site site_of(const std::string& name) const {
        const auto found = sites_.find(name);
        return found == sites_.end() ? Site{} : found->second;
    }

    void note_delivery(MessageId id, uint32_t number, uint32_t agent) {
        const auto found = store_.find(id);
        deliveries_.push_back(
            {now_us_, id,
             found == store_.end() ? "?" : found->second.envelope.recipients[number].address,
             agent});
    }

    // The agent's side of a lane: one job after the other.
    void work(uint32_t id) {
        const auto found = lanes_.find(id);
        if (found == lanes_.end() || found->second.working) return;
        LaneSeen& lane = found->second;
        if (lane.jobs.empty()) {
            if (lane.closing) end_lane(id, false, "", "");
            return;
        }
        const Site site = site_of(lane.site);
        lane.working = true;
        if (site.hangs) return;
        after(site.delay_us, [this, id, life = life_] {
            if (life == life_) finish(id);
        });
    }

    void finish(uint32_t id) {
        const auto found = lanes_.find(id);
        if (found == lanes_.end()) return;
        LaneSeen& lane = found->second;
        Site site = site_of(lane.site);
        lane.working = false;
        if (!lane.taken && connections_of(lane.site) >= site.takes) {
            ++connections_refused_;
            if (lane.others_work) return end_crowded(id);
            site.refuses = true;
        }
        lane.taken = !site.refuses;
        const Job job = lane.jobs.front();
        lane.jobs.pop_front();
        wire::DeliveryReport report;
        report.sequence = ++report_sequence_;
        report.lane = id;
        report.job = job.first;
        report.id = job.second.first;
        report.hop_failed = site.refuses;
        for (const uint32_t number : job.second.second) {
            const Outcome outcome = site.refuses ? Outcome::deferred : site.outcome;
            report.results.push_back({number, outcome,
                                      outcome == Outcome::sent      ? "2.0.0"
                                      : outcome == Outcome::bounced ? "5.1.1"
                                                                    : "4.4.1",
                                      site.text});
            if (outcome == Outcome::sent) note_delivery(report.id, number, lane.agent);
        }
        const uint32_t agent = lane.agent;
        scheduler_->on_report(agent, report);
        if (site.refuses) {
            ++attempts_refused_;
            return_jobs(id);
            end_lane(id, true, "4.4.1",
                     "connect to " + lanes_.at(id).site + ": Connection refused");
        } else {
            work(id);
        }
        dispatch_wanted_ = true;
    }

    size_t connections_of(const std::string& site) const {
        return static_cast<size_t>(std::count_if(
            lanes_.begin(), lanes_.end(),
            [&](const auto& lane) { return lane.second.site == site && lane.second.taken; }));
    }

    void return_jobs(uint32_t id) {
        while (!lanes_.at(id).jobs.empty()) {
            const Job back = lanes_.at(id).jobs.front();
            lanes_.at(id).jobs.pop_front();
            wire::DeliveryReport returned;
            returned.sequence = ++report_sequence_;
            returned.lane = id;
            returned.job = back.first;
            returned.id = back.second.first;
            returned.attempted = false;
            scheduler_->on_report(lanes_.at(id).agent, returned);
        }
    }

    void end_crowded(uint32_t id) {
        return_jobs(id);
        const uint32_t agent = lanes_.at(id).agent;
        lanes_.erase(id);
        scheduler_->on_lane_closed(agent, {id, false, false, "4.3.2", "too many", true});
        dispatch_wanted_ = true;
    }

    void end_lane(uint32_t id, bool hop_failed, std::string_view dsn, const std::string& text) {
        const uint32_t agent = lanes_.at(id).agent;
        lanes_.erase(id);
        scheduler_->on_lane_closed(agent, {id, hop_failed, false, dsn, text});
        dispatch_wanted_ = true;
    }

    int64_t now_us_ = 0;

    int64_t clock_step_us_ = 0;  // of the wall clock
    TimerWheel timers_;
    uint64_t seed_;
    SchedulerConfig config_;
    bool dispatch_wanted_ = false;
    bool store_is_up_ = false;
    int store_life_ = 0;
    int life_ = 0;
    uint64_t submitted_ = 0;
    uint64_t sequence_ = 0;
    uint64_t report_sequence_ = 0;
    uint64_t events_made_ = 0;
    std::priority_queue<Event> events_;
    std::deque<Unrecorded> unrecorded_;
    std::vector<std::pair<uint32_t, Job>> orphans_;

 public:
    int lent_of_removed_ = 0;  // content of removed messages that never came home

 private:
    std::unique_ptr<Scheduler> scheduler_;
};

inline size_t count_recipient(const TestingWorld& world, std::string_view recipient) {
    size_t count = 0;
    for (const auto& delivery : world.deliveries_) count += delivery.recipient == recipient;
    return count;
}

}  // namespace posthaste
