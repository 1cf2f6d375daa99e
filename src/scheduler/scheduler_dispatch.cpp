// From queues to connections: which lane takes the next entry, when a lane is opened and when it is
// closed.
#include <algorithm>

#include "base/deliberate_bug.h"

#include "mail/address.h"

#include "scheduler/outcome_log.h"
#include "scheduler/scheduler.h"

namespace posthaste {

namespace {

// A lane that has not moved for so long is no place for a second job while another connection may
// be made.
constexpr int64_t kSlowLaneUs = 100 * kMsUs;
constexpr int64_t kRestUs = kSecondUs;
constexpr uint32_t kJobsATurn = 16;  // on an only lane, when others wait for one

}  // namespace

void Scheduler::dispatch() {
    load_more();
    if (!open_ || draining_ || outside_.unrecorded() > OutcomeLog::kUnrecordedMax) return;
    while (true) {
        const uint32_t entry =
            fair_queue_.pop([this](uint32_t destination) { return has_room(destination); });
        if (entry == kNone) return;
        start(entry);
    }
}

uint32_t Scheduler::window_of(const Destination& destination) const noexcept {
    if (has_bug(DeliberateBug::ignore_window)) return 50;
    return destination.state == SiteState::alive ? destination.feedback.window() : 1;
}

uint32_t Scheduler::places_at(const Destination& destination) const noexcept {
    if (destination.state != SiteState::alive) return 1;
    const uint32_t window = destination.feedback.window();
    const uint32_t more_lanes = window > destination.lanes ? window - destination.lanes : 0;
    return std::max(destination.room + more_lanes * config_.lane_depth, 1U);
}

// Whether the next job of this destination can go out now. When it can not, something is set that
// will wake it.
bool Scheduler::has_room(uint32_t index) {
    Destination& destination = destinations_[index];
    if (destination.ring_full) return false;
    const uint32_t window = window_of(destination);
    // A report or the end of a lane wakes it.
    if (destination.state != SiteState::alive && destination.jobs_out > 0) return false;
    if (destination.jobs_out >= window * config_.lane_depth) return false;
    if (destination.room == 0 && destination.lanes >= window) return false;
    if (!rate_allows(destination)) return false;
    if (destination.room > 0) return true;
    if (choose_agent(destination) != kNone) return true;
    wait_for_agent(index);
    return false;
}

bool Scheduler::rate_allows(Destination& destination) {
    const int64_t now_us = outside_.now_us();
    Transport& transport = transports_[destination.transport];
    if (transport.config.destination_interval_us > 0) {
        const int64_t allowed_us = destination.rate.allowed_at_us();
        if (allowed_us > now_us) {
            timers_.set(destination.timer, allowed_us);
            return false;
        }
    }
    if (transport.config.transport_interval_us > 0) {
        const int64_t allowed_us = transport.rate.allowed_at_us();
        if (allowed_us > now_us) {
            if (!std::exchange(destination.waits_for_transport, true))
                transport.waiting.push_back(destination.self);
            if (!transport.timer.is_set()) timers_.set(transport.timer, allowed_us);
            return false;
        }
    }
    return true;
}

uint32_t Scheduler::choose_agent(const Destination& destination) const noexcept {
    return agents_.choose(transports_[destination.transport].config.role, destination.last_agent,
                          config_.lanes_per_agent_max);
}

// No agent, or all full: idle connections of others make room, oldest first.
void Scheduler::wait_for_agent(uint32_t index) {
    Destination& destination = destinations_[index];
    if (std::exchange(destination.waits_for_agent, true)) return;
    agent_line_.push_back(index);
    if (!idle_lanes_.empty()) close_lane(idle_lanes_.front());
}

void Scheduler::start(uint32_t entry) {
    Entry& it = entries_[entry];
    Destination& destination = destinations_[it.destination];
    const bool suspect = !deaths_.empty() && is_suspect(messages_[it.message].envelope.id);
    if (suspect && suspects_out_ > 0) return rest(entry);
    const uint32_t lane_index = lane_for(destination);
    if (lane_index == kNone) {
        put_back(entry);
        return wait_for_agent(destination.self);
    }
    Lane& lane = lanes_[lane_index];
    Message& message = messages_[it.message];
    tell_active(message);
    const uint32_t serial = ++last_serial_;
    const uint64_t job = uint64_t{serial} << 32 | entry;
    const std::span<const uint32_t> recipients(message.order.data() + it.first, it.count);
    if (!outside_.start_job(agents_[lane.agent].incarnation, lane.id, job, message, recipients)) {
        agents_[lane.agent].ring_full = true;
        destination.ring_full = true;
        put_back(entry);
        return wait_for_agent(destination.self);
    }
    it.serial = serial;
    it.lane = lane_index;
    it.state = EntryState::out;
    it.suspect = suspect;
    suspects_out_ += static_cast<uint32_t>(suspect);
    unlist_lane(lane_index);
    if (lane.jobs_out++ == 0) lane.moved_us = outside_.now_us();
    lane.jobs.push_back(entries_, entry);
    list_lane(lane_index);
    --destination.room;
    ++destination.jobs_out;
    ++message.jobs_out;
    ++jobs_out_;
    ++stats_.jobs_started;
    Transport& transport = transports_[destination.transport];
    destination.rate.take(outside_.now_us(), transport.config.destination_interval_us);
    transport.rate.take(outside_.now_us(), transport.config.transport_interval_us);
}

// An idle lane; else a new one when more waits than the open ones would take soon; else one that is
// not too busy.
uint32_t Scheduler::lane_for(Destination& destination) {
    if (!destination.idle_lanes.empty()) return destination.idle_lanes.front();
    const uint32_t busy = destination.busy_lanes.front();
    if (busy != kNone && destination.queued < destination.room &&
        outside_.now_us() - lanes_[busy].moved_us < kSlowLaneUs) {
        return busy;
    }
    if (destination.lanes >= window_of(destination)) return busy;
    const uint32_t opened = open_lane(destination);
    return opened == kNone ? busy : opened;
}

uint32_t Scheduler::open_lane(Destination& destination) {
    while (true) {
        const uint32_t agent = choose_agent(destination);
        if (agent == kNone) return kNone;
        const uint32_t index = lanes_.open(destination.self, agent);
        Lane& lane = lanes_[index];
        if (!outside_.open_lane(agents_[agent].incarnation, lane.id,
                                transports_[destination.transport], destination)) {
            lanes_.remove(index);
            agents_[agent].ring_full = true;
            continue;
        }
        lane.moved_us = outside_.now_us();
        ++agents_[agent].lanes;
        ++destination.lanes;
        destination.last_agent = agent;
        destination.room += config_.lane_depth;
        list_lane(index);
        return index;
    }
}

void Scheduler::list_lane(uint32_t index) {
    Lane& lane = lanes_[index];
    if (lane.state != LaneState::open || lane.jobs_out >= config_.lane_depth) return;
    Destination& destination = destinations_[lane.destination];
    lane.listed = true;
    if (lane.jobs_out > 0) return destination.busy_lanes.push_back(lanes_.slab(), index);
    destination.idle_lanes.push_front(lanes_.slab(),
                                      index);  // used last, used next: the others may close
    ++destination.idle_lane_count;
    idle_lanes_.push_back(lanes_.slab(), index);
    arm_idle_timer();
}

void Scheduler::unlist_lane(uint32_t index) {
    Lane& lane = lanes_[index];
    if (!std::exchange(lane.listed, false)) return;
    Destination& destination = destinations_[lane.destination];
    if (lane.jobs_out > 0) return destination.busy_lanes.remove(lanes_.slab(), index);
    destination.idle_lanes.remove(lanes_.slab(), index);
    --destination.idle_lane_count;
    idle_lanes_.remove(lanes_.slab(), index);
}

void Scheduler::close_lane(uint32_t index) {
    Lane& lane = lanes_[index];
    ASSERT(lane.state == LaneState::open);
    unlist_lane(index);
    destinations_[lane.destination].room -= config_.lane_depth - lane.jobs_out;
    lane.state = LaneState::closing;
    ++closing_count_;
    outside_.close_lane(agents_[lane.agent].incarnation, lane.id);
}

// It holds no job any more.
void Scheduler::remove_lane(uint32_t index) {
    Lane& lane = lanes_[index];
    ASSERT(lane.jobs_out == 0);
    const uint32_t destination_index = lane.destination;
    Destination& destination = destinations_[destination_index];
    unlist_lane(index);
    set_works(lane, false);
    if (lane.state == LaneState::open) {
        destination.room -= config_.lane_depth;
    } else {
        --closing_count_;
    }
    --destination.lanes;
    --agents_[lane.agent].lanes;
    lanes_.remove(index);
    wake(destination_index);
    destinations_.settle(destination_index);
    // The place at the agent is for whoever waits longest.
    if (!agent_line_.empty()) serve_agent_line(1);
}

// Whether a lane from which a job has just come back should make room for a destination that has
// none.
bool Scheduler::owes_place(const Lane& lane) const noexcept {
    if (closing_count_ >= agent_line_.size()) return false;
    const Destination& destination = destinations_[lane.destination];
    return destination.lanes > 1 || destination.queued == 0 || lane.attempts % kJobsATurn == 0;
}

void Scheduler::serve_agent_line(size_t count) {
    for (; count > 0 && !agent_line_.empty(); --count) {
        const uint32_t index = agent_line_.front();
        agent_line_.pop_front();
        destinations_[index].waits_for_agent = destinations_[index].ring_full = false;
        wake(index);
    }
}

void Scheduler::wake(uint32_t index) {
    Destination& destination = destinations_[index];
    if (destination.blocked.empty()) return;
    fair_queue_.wake(index, places_at(destination));
    outside_.want_dispatch();
}

TurnOf Scheduler::turn_of(const Message& message) {
    return {message.client, domain_of(message.envelope.sender), message.bulk};
}

// Behind nothing of its own: it was next.
void Scheduler::put_back(uint32_t entry) {
    Entry& it = entries_[entry];
    it.lane = kNone;
    fair_queue_.push_front(entry, turn_of(messages_[it.message]));
}

// A job came back without an attempt. At once the first time; after a rest when that happens again,
// or when its agent died: what is broken then may still be.
void Scheduler::requeue(uint32_t entry, bool rest_first) {
    Entry& it = entries_[entry];
    ++stats_.jobs_returned;
    if (it.returns < UINT8_MAX) ++it.returns;
    if (!messages_[it.message].content_lent) return back_to_store(entry);
    if (!rest_first && it.returns < 2) return back_into_queue(entry);
    rest(entry);
}

void Scheduler::rest(uint32_t entry) {
    Entry& it = entries_[entry];
    it.lane = kNone;
    it.state = EntryState::resting;
    it.rests_until_us = outside_.now_us() + kRestUs;
    resting_.push_back(entries_, entry);
    if (!rest_timer_.is_set()) timers_.set(rest_timer_, it.rests_until_us);
}

void Scheduler::back_into_queue(uint32_t entry) {
    Destination& destination = destinations_[entries_[entry].destination];
    put_back(entry);
    outside_.want_dispatch();
    if (destination.state != SiteState::dead) return;
    if (outside_.now_us() < destination.dead_until_us) return suspend(entry);
    begin_probe(destination);
}

void Scheduler::begin_probe(Destination& destination) {
    destination.state = SiteState::probing;
    --dead_count_;
}

// The bytes are gone with the store's arena: its recipients are loaded again with the message.
void Scheduler::back_to_store(uint32_t entry) {
    const Entry& it = entries_[entry];
    const uint32_t index = it.message;
    const uint32_t destination = it.destination;
    Message& message = messages_[index];
    for (uint32_t i = 0; i < it.count; ++i)
        message.recipients[message.order[it.first + i]].fate = Fate::unsettled;
    free_entry(entry);
    progress(index);
    unpark(destination);
}

// Out of its flow, or of the list of those that rest.
void Scheduler::unqueue(uint32_t entry) {
    Entry& it = entries_[entry];
    if (it.state == EntryState::queued) return fair_queue_.remove(entry);
    ASSERT(it.state == EntryState::resting);
    resting_.remove(entries_, entry);
    it.state = EntryState::unused;
}

}  // namespace posthaste
