// scheduler/scheduler.h: what is delivered when, over which connection. The core of qmgr, without
// processes, rings or sockets: inputs are method calls, outputs go through outside.h, time comes
// from there and from a timer wheel.
//
// Owned by  the service (or a test); one thread.
// Promises  a message announced or listed is, until it is gone or held, exactly one of: listed,
// parked, loading, active or
//           recording (message_table.h), and something will move it on. No recipient is given to
//           two jobs at once. What an agent reported is recorded before the agent may forget it. A
//           dead or slow destination takes no more than its share of the active queue and no
//           connection from others.
// Does not  read the bytes of a message, or know how anything is encoded except envelope and state.
//
//   scanned/queued ─► intake ─► resolve ─► group ─► FairQueue ─► dispatch ─► lanes ─► reported ─►
//   settle ─► conclude
//        ▲                                    │                                │ │ └────────────
//        retry wheel ◄──────────┴── suspended (dead site) ◄──────┘ recorded ◄────────────────┘
//
// The implementation is split by these stations: scheduler.cpp (life, timers), scheduler_retries.cpp
// (due times, the operator's flush), scheduler_intake.cpp, scheduler_routing.cpp, scheduler_dispatch.cpp, scheduler_reports.cpp,
// scheduler_former.cpp (jobs of the qmgr before us), scheduler_outcome.cpp, scheduler_suspects.cpp
// (mail of which processes die), scheduler_lifetime.cpp (mail that nobody has looked at).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mail/backoff.h"
#include "mail/wire/delivery_report.h"
#include "mail/wire/queued_message.h"
#include "mail/wire/resolve.h"
#include "runtime/timer_wheel.h"

#include "scheduler/agents.h"
#include "scheduler/fair_queue.h"
#include "scheduler/message_table.h"
#include "scheduler/outside.h"
#include "scheduler/resolve_cache.h"
#include "scheduler/retry_wheel.h"

namespace posthaste {

// Of agents, of rewrites or of stores at work on a message: so many, and it is under suspicion: it
// has failed as in an attempt, and comes back as the only suspect of its kind. So many, and it is
// put on hold.
inline constexpr uint8_t kDeathsOfSuspect = 2;
inline constexpr uint8_t kDeathsToHold = 4;
// The last attempt is due when the lifetime ends. Mail that has found no place for it so long after
// gets none.
inline constexpr int64_t kOverdueUs = 10 * kMinuteUs;

struct SchedulerConfig {
    uint32_t active_limit = 20'000;  // qmgr_message_active_limit
    BackoffLimits backoff{300 * kSecondUs, 4000 * kSecondUs};
    int64_t lifetime_us = 5 * kDayUs;              // maximal_queue_lifetime
    int64_t null_sender_lifetime_us = 5 * kDayUs;  // bounce_queue_lifetime
    int64_t lane_idle_us = 2 * kSecondUs;          // smtp_connection_cache_time_limit
    // Fixed for the scheduler's life:
    uint32_t lane_depth = 2;  // ≤ wire::kLaneDepth
    uint32_t lanes_per_agent_max = 2'000;
    uint32_t messages_max = 50'000'000;
    uint32_t idle_destinations_max = 100'000;
    uint32_t resolve_entries_max = 200'000;
    uint32_t last_lane = 0;  // numbers begin behind it
};

struct SchedulerStats {
    uint64_t activated = 0, parked = 0, loads = 0;
    uint64_t jobs_started = 0, jobs_returned = 0;
    uint64_t recipients_sent = 0, recipients_deferred = 0, recipients_suspended = 0,
             recipients_bounced = 0, recipients_expired = 0;
    uint64_t resolves_known = 0, resolves_waited = 0;
    uint64_t sites_died = 0;
};

class Scheduler final : private RateListener {
 public:
    Scheduler(Outside& outside, TimerWheel& timers, const SchedulerConfig& config);
    ~Scheduler();

    // New settings; transports are asked for anew, and so are routes.
    void configure(const SchedulerConfig& config);
    // Until open() nothing is asked of the store and no job is started: agents must first have said
    // what they hold.
    void open();

    bool is_open() const noexcept { return open_; }

    // Nothing new is started or loaded; lanes close as they run dry. Every result goes to the store
    // at once: when no job is out, what is not in unrecorded() is on disk.
    void drain();

    // Store.
    void on_store_up();
    void on_store_down();

    void on_store_room() { load_more(); }

    void on_scanned(const wire::ScanEntry& entry);
    void on_scan_complete();
    // `content` is swapped out.
    void on_queued(std::string_view envelope, std::string_view state,
                   std::vector<wire::Extent>& content);
    void on_gone(MessageId id);
    void on_recorded(MessageId id, bool final);

    // Agents.
    void on_agent_up(uint32_t incarnation, Role role);
    void on_job_held(uint32_t incarnation, const wire::HeldJob& job);
    void on_agent_ready(uint32_t incarnation);
    void on_agent_room(uint32_t incarnation);
    void on_agent_down(uint32_t incarnation);
    void on_report(uint32_t incarnation, const wire::DeliveryReport& report);
    void on_lane_closed(uint32_t incarnation, const wire::LaneClosed& closed);

    // Rewrite.
    // One that may know other tables than those before it: whatever they said, or were asked and
    // have not said, is asked of this one.
    void on_rewrite_up();

    void on_rewrite_room() { ask_rewrite(); }

    void on_rewrite_down();

    void on_resolved(const wire::ResolveReply& reply);

    // Operator: everything deferred, or one message, is due now; dead destinations are tried at
    // once. What is being tried at that moment and fails is tried once more.
    void flush();
    bool flush(MessageId id);

    // Loads and starts what there is room for. Cheap when there is nothing to do; call it once a
    // turn, after the inputs.
    void dispatch();

    const SchedulerStats& stats() const noexcept { return stats_; }

    uint32_t messages() const noexcept { return table_.size(); }

    uint32_t active() const noexcept { return active_count_; }

    uint32_t jobs_out() const noexcept { return jobs_out_; }

    uint32_t lanes() const noexcept { return lanes_.size(); }

    uint32_t destinations() const noexcept { return destinations_.size(); }

    uint32_t parked() const noexcept { return parked_count_; }

    uint32_t dead_destinations() const noexcept { return dead_count_; }

    size_t waiting_memory_bytes() const noexcept { return table_.memory_bytes(); }

    // What the rows of active messages hold, those in use and those that were. Looks at each.
    size_t active_memory_bytes() const noexcept;

 private:
    static constexpr uint32_t kLoadsMax = 256;  // asked for and not answered

    struct FormerJob {
        uint32_t agent;
        uint64_t job;
        std::vector<uint32_t> recipients;  // ascending
        bool taken_up = false;             // its message is active and counts it as elsewhere
    };

    struct FormerReport {
        Receipt receipt;
        uint64_t job;

        struct Result {
            uint32_t number;
            Outcome outcome;
            std::string dsn;
            std::string text;
        };

        std::vector<Result> results;
    };

    // Of the qmgr before us: what agents still hold, and reports whose message is not loaded yet.
    struct Former {
        std::vector<FormerJob> jobs;
        std::vector<FormerReport> reports;
    };

    struct Verdict {  // of one attempt, for some recipients
        Outcome outcome;
        std::string_view dsn;
        std::string_view text;
        uint64_t random;  // one draw for all recipients of a job: they come back together
    };

    // Life (scheduler.cpp), due times (scheduler_retries.cpp)
    uint32_t now_s() const { return static_cast<uint32_t>(outside_.wall_us() / kSecondUs); }

    void on_due();
    uint32_t latest_due_s() const;

    int64_t clock_offset_us() const { return outside_.wall_us() - outside_.now_us(); }

    bool is_of_another_clock(uint32_t node) const;
    bool is_time(uint32_t node, uint32_t due_s) const;
    void look_at_clock();
    void look_at(uint32_t second);
    void arm_due_timer();
    void wait_for_due(Message& message);
    void stop_waiting(Message& message);
    void attempt_what_is_due(uint32_t message);
    static bool began_before(const Entry& entry, uint32_t serial) noexcept;
    void on_destination_rate(uint32_t destination) override;
    void on_transport_rate(uint32_t transport) override;
    void on_regroup_timer();
    void on_progress_timer();
    void on_rest_timer();
    void on_idle_timer();
    void arm_idle_timer();
    void attempt_all_of(uint32_t message);

    MessageRef ref_of(uint32_t message) const noexcept {
        return {message, messages_[message].generation};
    }

    bool alive(const MessageRef& ref) const noexcept {
        return messages_[ref.message].generation == ref.generation &&
               messages_[ref.message].node != kNone;
    }

    // Intake
    void place_by_due(uint32_t node);
    void load_more();
    uint32_t next_to_load();
    void load_is_over(uint32_t node);
    void no_room_for(uint32_t node);
    void rest_from_loads();
    void look_at_turns();
    void leave_unreadable(std::string_view envelope_bytes, const Error& why,
                          std::span<const wire::Extent> content);
    void activate(uint32_t node, Envelope&& envelope, const QueueState* state,
                  std::vector<wire::Extent>& content);
    void set_fates(Message& message, const QueueState* state);
    void forget_node(uint32_t node);
    void let_go_of_store(uint32_t message);

    // Routing
    void route(uint32_t message);
    void route_recipient(uint32_t message, uint32_t number);
    void apply_route(uint32_t message, uint32_t number, const Route& route);
    void answered(uint64_t cookie, bool per_domain, uint32_t ttl_s, const Route& route);
    Route route_of(const wire::ResolveReply& reply);
    void ask_rewrite();
    void close_gaps(uint32_t message);
    void group(uint32_t message);
    void admit(uint32_t message, uint32_t destination, size_t first, size_t count);
    bool park_instead(uint32_t message, uint32_t destination);
    uint32_t share_of_active() const noexcept;
    void unpark(uint32_t destination);
    void arrived(uint32_t destination);
    void take_from_parked(uint32_t node);
    void unpark_all_later(uint32_t destination);
    void wait_for_routes(uint32_t message);

    // Dispatch
    bool has_room(uint32_t destination);
    bool rate_allows(Destination& destination);
    uint32_t choose_agent(const Destination& destination) const noexcept;
    void wait_for_agent(uint32_t destination);
    void serve_agent_line(size_t count);
    bool owes_place(const Lane& lane) const noexcept;
    uint32_t window_of(const Destination& destination) const noexcept;
    void start(uint32_t entry);
    uint32_t lane_for(Destination& destination);
    uint32_t open_lane(Destination& destination);
    void set_works(Lane& lane, bool works);
    void list_lane(uint32_t lane);
    void unlist_lane(uint32_t lane);
    void close_lane(uint32_t lane);
    void remove_lane(uint32_t lane);
    void wake(uint32_t destination);
    uint32_t places_at(const Destination& destination) const noexcept;
    static TurnOf turn_of(const Message& message);
    void put_back(uint32_t entry);
    void requeue(uint32_t entry, bool rest_first);
    void rest(uint32_t entry);
    void back_into_queue(uint32_t entry);
    void back_to_store(uint32_t entry);
    void unqueue(uint32_t entry);
    void begin_probe(Destination& destination);

    // Reports
    void settle_job(uint32_t message, uint32_t entry, const wire::DeliveryReport& report);
    void free_entry(uint32_t entry);
    void job_left_lane(uint32_t lane, uint32_t entry);
    void destination_worked(uint32_t destination);
    void destination_failed(uint32_t destination, std::string_view dsn, std::string_view text);
    void kill(uint32_t destination, std::string_view dsn, std::string_view text);
    void suspend(uint32_t entry);
    void suspend_recipients(uint32_t message, uint32_t destination, uint32_t order_first,
                            uint32_t count);

    // Suspects
    bool is_suspect(MessageId id) const {
        const auto found = deaths_.find(id);
        return found != deaths_.end() && found->second >= kDeathsOfSuspect;
    }

    void agent_died(uint32_t agent);
    void blame(uint32_t entry);
    void acquit(const Message& message);
    void blame_loads();
    void hold(uint32_t message, uint32_t number, std::string_view dsn, std::string_view text);

    // Lifetime
    void on_sweep_timer();
    void expire_queued();
    bool is_overdue(const Message& message) const;
    void expire(uint32_t message);

    // Former
    void former_report(uint32_t incarnation, const wire::DeliveryReport& report);
    void apply_former(uint32_t message);
    void settle_former(uint32_t message, const FormerReport& report);
    FormerJob* find_former_job(MessageId id, uint32_t agent, uint64_t job);
    void take_up(uint32_t message, FormerJob& job);
    void keep_from_others(uint32_t message, const FormerJob& job);
    void release_former_job(uint32_t message, const FormerJob& job);
    void former_agent_down(uint32_t incarnation);
    void former_message_gone(MessageId id);
    void former_job_over(MessageId id);

    // Outcome
    void apply(uint32_t message, uint32_t number, const Verdict& verdict);
    void answer_here(uint32_t message, uint32_t number, const Verdict& verdict);
    void defer_until(Message& message, uint32_t number, int64_t due_us, std::string_view dsn,
                     std::string_view text);

    int64_t lifetime_of(std::string_view sender) const noexcept {
        return sender.empty() ? config_.null_sender_lifetime_us : config_.lifetime_us;
    }

    int64_t expires_wall_us(const Message& message) const noexcept;
    void note_reason(Message& message, uint32_t number, std::string_view dsn,
                     std::string_view text);
    void progress(uint32_t message);
    void conclude(uint32_t message);
    void record(Message& message, bool final, bool remove);
    const QueueState& state_of(const Message& message);
    void tell_active(const Message& message);
    void log_held(const Message& message);
    void leave_active(uint32_t message, Place place);

    Outside& outside_;
    TimerWheel& timers_;
    SchedulerConfig config_;
    bool open_ = false;
    bool draining_ = false;
    bool store_up_ = false;
    bool table_was_full_ = false;
    bool scan_complete_ = false;

    MessageTable table_;
    RetryWheel retry_wheel_;
    RetryWheel active_wheel_;  // active messages some of whose recipients wait
    uint32_t wanted_;  // lists of the table, to be loaded: unparked, their destination has room now
    uint32_t incoming_;
    uint32_t due_;
    uint32_t flushed_;
    uint32_t awake_;    // active, of which somebody is due
    uint32_t overdue_;  // to be loaded whatever room there is: they do not stay
    uint32_t no_room_;  // loaded in vain several times: the store's arena was full; in turn
    uint32_t suspect_loads_;
    uint32_t load_window_ = kLoadsMax;  // so many loads at once; fewer while the arena is full
    bool no_room_loading_ = false;      // one of them is
    bool no_room_turn_ = false;         // they have the arena's free blocks to themselves
    int64_t turn_us_ = 0;               // of this turn, and of the others' after it
    int64_t turn_ends_us_ = 0;
    MessageId suspect_load_ = kNoMessage;
    uint32_t sweep_at_ = 0;  // a node
    uint32_t loading_count_ = 0;
    uint32_t sent_for_count_ = 0;  // of all destinations
    bool load_due_next_ = false;
    int64_t loads_rest_until_us_ = 0;  // the store's arena was full

    MessageSlab messages_;
    uint32_t active_count_ = 0;
    uint32_t parked_count_ = 0;
    EntrySlab entries_;
    uint32_t jobs_out_ = 0;

    TransportTable transports_;
    DestinationTable destinations_;
    FairQueue fair_queue_;
    LaneTable lanes_;
    LaneIdleList idle_lanes_;  // idle longest first
    uint32_t closing_count_ = 0;
    AgentTable agents_;
    std::deque<uint32_t> agent_line_;  // destinations for which no agent had room; in turn
    EntryList resting_;
    uint32_t dead_count_ = 0;

    ResolveCache cache_;
    std::vector<ResolveWaiter> answered_waiters_;
    std::vector<ResolveWaiter> other_waiters_;
    std::vector<MessageRef> regroup_;   // have unresolved recipients
    std::vector<MessageRef> progress_;  // dirty, still active
    std::unordered_map<MessageId, Former> former_;
    std::unordered_map<MessageId, uint8_t> deaths_;  // of agents that were delivering it
    uint32_t suspects_out_ = 0;

    Timer due_timer_;
    Timer regroup_timer_;
    Timer progress_timer_;
    Timer rest_timer_;
    Timer idle_timer_;
    Timer load_timer_;
    Timer sweep_timer_;
    // Of the jobs' numbers. Begins anywhere: an agent may keep reports for several qmgrs that have
    // died, and they must not be taken for each other.
    uint32_t last_serial_;
    int64_t set_back_to_us_ = 0;  // the clock's offset when messages were marked last

    // Reused memory.
    std::vector<std::pair<uint32_t, uint32_t>> grouping_;
    wire::RecordOutcome outcome_;
    QueueState state_scratch_;
    std::string state_bytes_;
    std::string line_;
    SchedulerStats stats_;
};

}  // namespace posthaste
