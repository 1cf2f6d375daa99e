#include "scheduler/scheduler.h"

#include <algorithm>

namespace posthaste {

namespace {

constexpr int64_t kRegroupUs =
    kSecondUs;  // how long resolved recipients wait for their message's others

}  // namespace

Scheduler::Scheduler(Outside& outside, TimerWheel& timers, const SchedulerConfig& config)
    : outside_(outside),
      timers_(timers),
      config_(config),
      table_(config.messages_max),
      retry_wheel_(table_, static_cast<uint32_t>(outside.wall_us() / kSecondUs)),
      active_wheel_(table_, static_cast<uint32_t>(outside.wall_us() / kSecondUs)),
      wanted_(table_.make_list()),
      incoming_(table_.make_list()),
      due_(table_.make_list()),
      flushed_(table_.make_list()),
      awake_(table_.make_list()),
      overdue_(table_.make_list()),
      no_room_(table_.make_list()),
      suspect_loads_(table_.make_list()),
      destinations_(outside.random(), config.idle_destinations_max),
      fair_queue_(entries_, destinations_, outside.random()),
      lanes_(config.last_lane),
      cache_(outside.random(), config.resolve_entries_max),
      due_timer_(timer_calls<&Scheduler::on_due, Scheduler>(), this),
      regroup_timer_(timer_calls<&Scheduler::on_regroup_timer, Scheduler>(), this),
      progress_timer_(timer_calls<&Scheduler::on_progress_timer, Scheduler>(), this),
      rest_timer_(timer_calls<&Scheduler::on_rest_timer, Scheduler>(), this),
      idle_timer_(timer_calls<&Scheduler::on_idle_timer, Scheduler>(), this),
      load_timer_(timer_calls<&Scheduler::load_more, Scheduler>(), this),
      sweep_timer_(timer_calls<&Scheduler::on_sweep_timer, Scheduler>(), this),
      last_serial_(static_cast<uint32_t>(outside.random())) {}

Scheduler::~Scheduler() = default;

void Scheduler::configure(const SchedulerConfig& config) {
    const SchedulerConfig fixed = config_;
    config_ = config;
    config_.lane_depth = fixed.lane_depth;
    config_.lanes_per_agent_max = fixed.lanes_per_agent_max;
    config_.messages_max = fixed.messages_max;
    config_.idle_destinations_max = fixed.idle_destinations_max;
    config_.resolve_entries_max = fixed.resolve_entries_max;
    config_.last_lane = fixed.last_lane;
    for (uint32_t i = 0; i < transports_.size(); ++i) {
        transports_[i].config = outside_.transport_config(transports_[i].name);
    }
    cache_.expire_all();
    // What was blocked by a lower limit.
    for (uint32_t i = 0; i < destinations_.end(); ++i) wake(i);
    outside_.want_dispatch();
}

void Scheduler::open() {
    open_ = true;
    on_sweep_timer();
    outside_.want_dispatch();
}

void Scheduler::drain() {
    draining_ = true;
    // Nobody waits for what is not recorded: agents forget their reports with us.
    progress_timer_.cancel();
    on_progress_timer();
    while (!idle_lanes_.empty()) close_lane(idle_lanes_.front());
}

size_t Scheduler::active_memory_bytes() const noexcept {
    size_t bytes = messages_.memory_bytes();
    for (uint32_t i = 0; i < messages_.end(); ++i) {
        const Message& it = messages_[i];
        bytes += it.envelope.recipients.capacity() * sizeof(Recipient);
        bytes += it.content.capacity() * sizeof(wire::Extent);
        bytes += it.recipients.capacity() * sizeof(RecipientState);
        bytes += it.order.capacity() * sizeof(uint32_t);
        bytes += it.reasons.capacity() * sizeof(PendingReason);
        bytes += it.receipts.capacity() * sizeof(Receipt);
    }
    return bytes;
}

// Timers

void Scheduler::on_destination_rate(uint32_t destination) { wake(destination); }

void Scheduler::on_transport_rate(uint32_t index) {
    Transport& transport = transports_[index];
    if (transport.waiting.empty()) return;
    const uint32_t destination = transport.waiting.front();
    transport.waiting.pop_front();
    destinations_[destination].waits_for_transport = false;
    wake(destination);
    if (transport.waiting.empty()) return;
    // One job a time: whoever is next has its own turn when the one just woken has taken the place.
    timers_.set(transport.timer, outside_.now_us() + transport.config.transport_interval_us);
}

void Scheduler::wait_for_routes(uint32_t message) {
    Message& it = messages_[message];
    if (it.in_regroup) return;
    it.in_regroup = true;
    regroup_.push_back(ref_of(message));
    if (!regroup_timer_.is_set()) timers_.set(regroup_timer_, outside_.now_us() + kRegroupUs);
}

void Scheduler::on_regroup_timer() {
    size_t kept = 0;
    for (size_t i = 0; i < regroup_.size(); ++i) {
        const MessageRef ref = regroup_[i];
        if (!alive(ref)) continue;
        if (messages_[ref.message].unresolved == 0) {
            messages_[ref.message].in_regroup = false;
            continue;
        }
        regroup_[kept++] = ref;
        group(ref.message);
    }
    regroup_.resize(kept);
    if (kept > 0) timers_.set(regroup_timer_, outside_.now_us() + kRegroupUs);
    outside_.want_dispatch();
}

void Scheduler::on_progress_timer() {
    for (size_t i = 0; i < progress_.size(); ++i) {
        if (!alive(progress_[i])) continue;
        Message& message = messages_[progress_[i].message];
        message.in_progress = false;
        if (message.dirty) record(message, false, false);
    }
    progress_.clear();
}

void Scheduler::on_rest_timer() {
    while (!resting_.empty()) {
        const uint32_t entry = resting_.front();
        if (entries_[entry].rests_until_us > outside_.now_us()) break;
        resting_.remove(entries_, entry);
        back_into_queue(entry);
    }
    if (!resting_.empty()) timers_.set(rest_timer_, entries_[resting_.front()].rests_until_us);
    outside_.want_dispatch();
}

void Scheduler::arm_idle_timer() {
    if (idle_lanes_.empty()) return idle_timer_.cancel();
    if (idle_timer_.is_set()) return;
    timers_.set(idle_timer_, lanes_[idle_lanes_.front()].moved_us + config_.lane_idle_us);
}

void Scheduler::on_idle_timer() {
    const int64_t before_us = outside_.now_us() - config_.lane_idle_us;
    while (!idle_lanes_.empty() && lanes_[idle_lanes_.front()].moved_us <= before_us) {
        close_lane(idle_lanes_.front());
    }
    arm_idle_timer();
}

}  // namespace posthaste
