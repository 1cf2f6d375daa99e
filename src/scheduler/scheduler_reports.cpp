// What agents say: jobs that are over, lanes that ended, agents that came and went; and what it
// means for the site.
#include <algorithm>
#include <utility>

#include "base/deliberate_bug.h"

#include "scheduler/log_lines.h"
#include "scheduler/scheduler.h"

namespace posthaste {

void Scheduler::on_agent_up(uint32_t incarnation, Role role) {
    if (agents_.find(incarnation) == kNone) agents_.add(incarnation, role);
}

void Scheduler::on_agent_ready(uint32_t incarnation) {
    const uint32_t index = agents_.find(incarnation);
    if (index == kNone) return;
    agents_[index].ready = true;
    serve_agent_line(agent_line_.size());
}

void Scheduler::on_agent_room(uint32_t incarnation) {
    const uint32_t index = agents_.find(incarnation);
    if (index == kNone || !agents_[index].ring_full) return;
    agents_[index].ring_full = false;
    serve_agent_line(agent_line_.size());
}

void Scheduler::on_agent_down(uint32_t incarnation) {
    const uint32_t agent = agents_.find(incarnation);
    if (agent == kNone) return;
    agents_[agent].ready = false;  // nothing is opened there while its lanes are taken down
    agent_died(agent);
    former_agent_down(incarnation);
    agents_[agent] = {};
    serve_agent_line(agent_line_.size());
}

void Scheduler::on_report(uint32_t incarnation, const wire::DeliveryReport& report) {
    if (report.lane == 0) return former_report(incarnation, report);
    const uint32_t lane_index = lanes_.find(report.lane);
    const Receipt receipt{incarnation, report.sequence};
    const auto entry = static_cast<uint32_t>(report.job);
    const bool ours =
        lane_index != kNone && agents_[lanes_[lane_index].agent].incarnation == incarnation &&
        entry < entries_.end() && entries_[entry].state == EntryState::out &&
        entries_[entry].lane == lane_index && entries_[entry].serial == report.job >> 32 &&
        messages_[entries_[entry].message].envelope.id == report.id;
    if (!ours) return outside_.report_covered(receipt, 0);

    Lane& lane = lanes_[lane_index];
    const uint32_t destination = lane.destination;
    if (!report.attempted) {
        lane.returned = true;
        job_left_lane(lane_index, entry);
        requeue(entry, false);
        return outside_.report_covered(receipt, 0);
    }
    ++lane.attempts;
    set_works(lane, !report.hop_failed);
    lane.failure_counted = report.hop_failed;
    job_left_lane(lane_index, entry);

    const uint32_t index = entries_[entry].message;
    if (!deaths_.empty()) acquit(messages_[index]);
    messages_[index].receipts.push_back(receipt);
    settle_job(index, entry, report);
    // While the entry still counts: the site's death may conclude everything else of this message.
    if (report.hop_failed) {
        const bool told = !report.results.empty();
        Destination& site = destinations_[destination];
        site.try_at_once = site.flushed && began_before(entries_[entry], site.flushed_at_serial);
        destination_failed(destination, told ? report.results.front().dsn : "4.4.2",
                           told ? report.results.front().text : "lost connection");
    } else {
        destination_worked(destination);
    }
    free_entry(entry);
    progress(index);
    wake(destination);
    unpark(destination);
}

void Scheduler::settle_job(uint32_t index, uint32_t entry, const wire::DeliveryReport& report) {
    Message& message = messages_[index];
    const Entry& it = entries_[entry];
    const auto first = message.order.begin() + it.first;
    const auto last = first + it.count;
    const uint64_t random = outside_.random();
    for (const wire::RecipientResult& result : report.results) {
        // Only what this job was given, and once: the agent's word is taken for nothing else.
        if (!std::binary_search(first, last, result.number)) continue;
        if (message.recipients[result.number].fate != Fate::queued) continue;
        apply(index, result.number, {result.outcome, result.dsn, result.text, random});
    }
    for (auto number = first; number != last; ++number) {
        if (message.recipients[*number].fate != Fate::queued) continue;
        answer_here(index, *number,
                    {Outcome::deferred, "4.3.0", "unknown mail transport error", random});
    }
    if (!message.flushed || !began_before(it, message.flushed_at_serial)) return;
    // The operator does not wait for what had begun before he spoke.
    for (auto number = first; number != last; ++number) {
        RecipientState& recipient = message.recipients[*number];
        if (recipient.fate != Fate::waiting) continue;
        recipient.due_s = message.next_due_s = now_s();
        recipient.early = true;
    }
}

void Scheduler::set_works(Lane& lane, bool works) {
    Destination& destination = destinations_[lane.destination];
    destination.lanes_working += static_cast<uint32_t>(works);
    destination.lanes_working -= static_cast<uint32_t>(std::exchange(lane.works, works));
}

// The job is no longer the lane's. The entry is still counted by its message, as something to be
// done.
void Scheduler::job_left_lane(uint32_t lane_index, uint32_t entry) {
    Lane& lane = lanes_[lane_index];
    Destination& destination = destinations_[lane.destination];
    unlist_lane(lane_index);
    lane.jobs.remove(entries_, entry);
    --lane.jobs_out;
    lane.moved_us = outside_.now_us();
    --destination.jobs_out;
    --messages_[entries_[entry].message].jobs_out;
    --jobs_out_;
    entries_[entry].lane = kNone;
    suspects_out_ -= static_cast<uint32_t>(std::exchange(entries_[entry].suspect, false));
    if (lane.state != LaneState::open) return;
    ++destination.room;
    list_lane(lane_index);
    const bool too_many =
        destination.lanes > window_of(destination) || destination.state == SiteState::dead;
    if ((lane.jobs_out == 0 && (too_many || draining_)) || owes_place(lane)) close_lane(lane_index);
}

void Scheduler::free_entry(uint32_t entry) {
    Entry& it = entries_[entry];
    --messages_[it.message].entries;
    const uint32_t destination = it.destination;
    it.state = EntryState::unused;
    entries_.free(entry);
    destinations_.settle(destination);
}

void Scheduler::on_lane_closed(uint32_t incarnation, const wire::LaneClosed& closed) {
    const uint32_t index = lanes_.find(closed.lane);
    if (index == kNone) return;
    Lane& lane = lanes_[index];
    if (agents_[lane.agent].incarnation != incarnation) return;
    const uint32_t destination = lane.destination;
    if (closed.agent_stops) agents_[lane.agent].ready = false;
    while (!lane.jobs.empty()) {
        const uint32_t entry = lane.jobs.front();
        lane.returned = true;
        job_left_lane(index, entry);
        requeue(entry, false);
    }
    // A connection that takes no mail at all is a failure too, whatever the agent thinks of it.
    const bool took_nothing = lane.returned && lane.attempts == 0 && !closed.agent_stops;
    const bool failed = closed.hop_failed || took_nothing;
    set_works(lane, false);
    Destination& site = destinations_[destination];
    if (closed.crowded && site.lanes_working > 0) {
        // One connection more than the site takes: that is no failure, but enough for now.
        site.feedback.crowded(site.lanes - 1, transports_[site.transport].config.feedback);
    } else if (failed && !lane.failure_counted) {
        lane.failure_counted = true;
        destination_failed(destination, closed.dsn.empty() ? "4.4.2" : closed.dsn,
                           closed.text.empty() ? "lost connection" : closed.text);
    }
    remove_lane(index);
}

void Scheduler::destination_worked(uint32_t index) {
    Destination& destination = destinations_[index];
    const FeedbackLimits& limits = transports_[destination.transport].config.feedback;
    if (destination.state == SiteState::alive) {
        const uint32_t busy =
            destination.lanes - std::min(destination.idle_lane_count, destination.lanes) + 1;
        destination.feedback.succeeded(busy, limits);
        return;
    }
    if (destination.state == SiteState::dead) --dead_count_;
    destination.state = SiteState::alive;
    log_lines::site_alive(transports_[destination.transport].name, destination, line_);
    outside_.log(line_);
    destination.deaths = destination.suspended = 0;
    destination.feedback.reset(limits);
}

void Scheduler::destination_failed(uint32_t index, std::string_view dsn, std::string_view text) {
    Destination& destination = destinations_[index];
    if (destination.state == SiteState::dead) return;
    const bool died =
        destination.state == SiteState::probing ||
        destination.feedback.failed(transports_[destination.transport].config.feedback);
    if (died) kill(index, dsn, text);
}

void Scheduler::kill(uint32_t index, std::string_view dsn, std::string_view text) {
    Destination& destination = destinations_[index];
    destination.state = SiteState::dead;
    ++destination.deaths;
    const int64_t wait_us = backoff_us(destination.deaths, config_.backoff, outside_.random());
    const bool at_once = std::exchange(destination.try_at_once, false);
    destination.flushed = at_once;
    destination.dead_until_us = outside_.now_us() + (at_once ? 0 : wait_us);
    destination.dead_dsn.assign(dsn);
    destination.dead_text.assign(text);
    ++dead_count_;
    ++stats_.sites_died;
    // Those that were told to wait at its last death have been told, or wait here.
    const uint32_t waited = std::exchange(destination.suspended, destination.parked_count);
    fair_queue_.drain(index, [this](uint32_t entry) { suspend(entry); });
    log_lines::site_dead(transports_[destination.transport].name, destination,
                         std::max(waited, destination.suspended), at_once ? 0 : wait_us, line_);
    outside_.log(line_);
    while (!destination.idle_lanes.empty()) close_lane(destination.idle_lanes.front());
    unpark_all_later(index);
}

void Scheduler::suspend(uint32_t entry) {
    const Entry& it = entries_[entry];
    const uint32_t index = it.message;
    fair_queue_.remove(entry);
    suspend_recipients(index, it.destination, it.first, it.count);
    free_entry(entry);
    progress(index);
}

// They wait until the site is tried again, and come back spread over a while behind the probe.
void Scheduler::suspend_recipients(uint32_t index, uint32_t destination_index, uint32_t order_first,
                                   uint32_t count) {
    Message& message = messages_[index];
    Destination& destination = destinations_[destination_index];
    const int64_t longest_us = destination.dead_until_us <= outside_.now_us()
                                   ? kSecondUs
                                   : std::max<int64_t>(config_.backoff.minimal_us / 8, 1);
    const auto spread_us =
        static_cast<int64_t>(outside_.random() % static_cast<uint64_t>(longest_us));
    const int64_t due_us =
        outside_.wall_us() + destination.dead_until_us - outside_.now_us() + spread_us;
    const std::string text = "delivery temporarily suspended: " + destination.dead_text;
    destination.suspended += count;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t number = message.order[order_first + i];
        ++stats_.recipients_suspended;
        const bool goes_on_waiting = message.recipients[number].due_s > 0;
        defer_until(message, number, due_us, destination.dead_dsn, text);
        if (goes_on_waiting) continue;
        log_lines::recipient(message, number, Outcome::deferred, destination.dead_dsn, text,
                             outside_.wall_us(), line_);
        outside_.log(line_);
    }
}

}  // namespace posthaste
