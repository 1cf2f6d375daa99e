#include "scheduler/agent_side.h"

#include <algorithm>

#include "scheduler/lane_hosts.h"

namespace posthaste {

AgentSide::Known* AgentSide::find(uint32_t incarnation) noexcept {
    for (const auto& agent : agents_) {
        if (agent->peer->incarnation() == incarnation) return agent.get();
    }
    return nullptr;
}

void AgentSide::on_up(Peer& peer) {
    agents_.push_back(std::make_unique<Known>());
    agents_.back()->peer = &peer;
    const uint32_t incarnation = peer.incarnation();
    agents_.back()->believed = incarnation < own_incarnation_ && met_.insert(incarnation).second;
    peer.service_data = agents_.back().get();
    scheduler_.on_agent_up(peer.incarnation(), peer.role());
}

void AgentSide::on_down(Peer& peer) {
    const uint32_t incarnation = peer.incarnation();
    std::erase_if(agents_, [&](const auto& agent) { return agent->peer == &peer; });
    scheduler_.on_agent_down(incarnation);
}

void AgentSide::on_room(Peer& peer) {
    Known& agent = *static_cast<Known*>(peer.service_data);
    size_t sent = 0;
    while (sent < agent.closes.size() && peer.send(wire::LaneClose{agent.closes[sent]})) ++sent;
    agent.closes.erase(agent.closes.begin(), agent.closes.begin() + static_cast<ptrdiff_t>(sent));
    if (agent.closes.empty()) scheduler_.on_agent_room(peer.incarnation());
}

bool AgentSide::all_ready() const noexcept {
    return std::all_of(agents_.begin(), agents_.end(),
                       [](const auto& agent) { return agent->ready; });
}

bool AgentSide::on_record(Peer& peer, uint16_t type, std::string_view body) {
    Known& agent = *static_cast<Known*>(peer.service_data);
    switch (type) {
        case wire::DeliveryReport::kType:
            return on_report(agent, body);
        case wire::LaneClosed::kType: {
            wire::LaneClosed closed;
            if (!wire::decode(body, closed)) return false;
            scheduler_.on_lane_closed(peer.incarnation(), closed);
            return true;
        }
        case wire::JobsHeld::kType:
            return on_jobs_held(agent, body);
        default:
            return false;
    }
}

bool AgentSide::on_jobs_held(Known& agent, std::string_view body) {
    wire::JobsHeld held;
    if (agent.ready || !wire::decode(body, held)) return false;  // there is one list
    for (const wire::HeldJob& job : held.jobs) {
        if (!agent.believed) break;
        agent.former_size += 1 + job.recipients.size();
        if (agent.former_size > kFormerMax) return false;
        agent.former.emplace(job.id, job.job);
        agent.held.push_back(job.id);
        scheduler_.on_job_held(agent.peer->incarnation(), job);
    }
    if (!held.last) return true;
    agent.ready = true;
    if (agent.believed) held_.push_back({agent.peer->incarnation(), std::exchange(agent.held, {})});
    scheduler_.on_agent_ready(agent.peer->incarnation());
    return true;
}

bool AgentSide::on_report(Known& agent, std::string_view body) {
    if (!wire::decode(body, report_)) return false;
    if (agent.kept.empty()) {
        agent.first_sequence = report_.sequence;
    } else if (report_.sequence != agent.first_sequence + agent.kept.size()) {
        return false;  // they come in order and without gaps
    }
    if (report_.lane == 0) return on_former_report(agent);
    agent.kept.emplace_back();
    scheduler_.on_report(agent.peer->incarnation(), report_);
    return true;
}

bool AgentSide::on_former_report(Known& agent) {
    const uint32_t incarnation = agent.peer->incarnation();
    if (!agent.believed) {
        agent.kept.emplace_back();
        report_covered({incarnation, report_.sequence}, 0);
        return true;
    }
    const auto listed = agent.former.find({report_.id, report_.job});
    if (listed == agent.former.end()) return false;
    agent.former.erase(listed);
    agent.kept.emplace_back();
    scheduler_.on_report(incarnation, report_);
    return true;
}

void AgentSide::report_covered(const Receipt& receipt, uint64_t outcome_sequence) {
    Known* const agent = find(receipt.agent);
    if (agent == nullptr || receipt.sequence < agent->first_sequence) return;
    const uint64_t index = receipt.sequence - agent->first_sequence;
    if (index >= agent->kept.size()) return;
    agent->kept[index] = {true, outcome_sequence};
    advance(*agent);
}

void AgentSide::on_recorded(uint64_t outcome_sequence) {
    recorded_ = outcome_sequence;
    for (const auto& agent : agents_) advance(*agent);
}

void AgentSide::advance(Known& agent) {
    while (!agent.kept.empty() && agent.kept.front().covered &&
           agent.kept.front().outcome_sequence <= recorded_) {
        agent.kept.pop_front();
        ++agent.first_sequence;
        agent.taken_waits = true;
    }
}

void AgentSide::send_taken() {
    for (const auto& agent : agents_) {
        if (!agent->taken_waits) continue;
        agent->taken_waits = !agent->peer->send(wire::ReportTaken{agent->first_sequence - 1});
    }
}

bool AgentSide::open_lane(uint32_t incarnation, uint32_t lane, const Transport& transport,
                          const Destination& destination) {
    Known* const agent = find(incarnation);
    if (agent == nullptr || !agent->closes.empty()) return false;
    wire::LaneOpen open;
    open.lane = lane;
    open.transport = transport.name;
    open.nexthop = destination.nexthop;
    open.others_work = destination.lanes_working > 0;
    if (wire::decode(destination.hosts, hosts_)) open.hosts.swap(hosts_.hosts);
    mix_equals(open.hosts, [this] { return loop_.random(); });
    const bool sent = agent->peer->send(open);
    hosts_.hosts.swap(open.hosts);
    return sent;
}

bool AgentSide::start_job(uint32_t incarnation, uint32_t lane, uint64_t job, const Message& message,
                          std::span<const uint32_t> recipients) {
    Known* const agent = find(incarnation);
    if (agent == nullptr) return false;
    const Envelope& envelope = message.envelope;
    job_.lane = lane;
    job_.job = job;
    job_.id = envelope.id;
    job_.arrived_wall_us = envelope.arrived_wall_us;
    job_.active_wall_us = message.active_wall_us;
    job_.size_bytes = envelope.size_bytes;
    job_.smtputf8 = envelope.smtputf8;
    job_.body_8bit = envelope.body_8bit;
    job_.dsn_return = envelope.dsn_return;
    job_.envelope_id = envelope.envelope_id;
    job_.sender = envelope.sender;
    job_.recipients.clear();
    for (const uint32_t number : recipients) {
        const Recipient& recipient = envelope.recipients[number];
        job_.recipients.push_back(
            {number, recipient.address, recipient.original_recipient, recipient.notify});
    }
    job_.content.assign(message.content.begin(), message.content.end());
    return agent->peer->send(job_);
}

void AgentSide::close_lane(uint32_t incarnation, uint32_t lane) {
    Known* const agent = find(incarnation);
    if (agent == nullptr) return;
    if (!agent->closes.empty() || !agent->peer->send(wire::LaneClose{lane}))
        agent->closes.push_back(lane);
}

}  // namespace posthaste
