#include "scheduler/fair_queue.h"

#include <algorithm>
#include <utility>

#include "base/ip_address.h"

#include "scheduler/hash.h"

namespace posthaste {

namespace {

uint64_t hash_of_flow(uint32_t source, uint32_t destination) noexcept {
    return hash_of(uint64_t{source} << 32 | destination);
}

}  // namespace

std::string client_of(std::string_view address) {
    constexpr size_t kNetworkBytes = 8;
    if (address.find(':') == std::string_view::npos) return std::string(address);
    auto ip = IpAddress::parse(address);
    if (!ip) return std::string(address);
    *ip = ip->unmapped();
    if (!ip->v6) return ip->text();
    std::fill(ip->bytes.begin() + kNetworkBytes, ip->bytes.end(), uint8_t{0});
    return ip->text() + "/64";
}

uint32_t FairQueue::client_for(std::string_view name) {
    const uint64_t hash = hash_of(name, seed_ + 2);
    const uint32_t found =
        client_index_.find(hash, [&](uint32_t index) { return clients_[index].name == name; });
    if (found != kNone) return found;
    const uint32_t index = clients_.allocate();
    Client& client = clients_[index];
    client.name.assign(name);
    client.hash = hash;
    client.deficit = kQuantum;
    client.sources = 0;
    client_index_.insert(hash, index);
    return index;
}

uint32_t FairQueue::source_for(const TurnOf& turn) {
    const uint32_t client = client_for(turn.client);
    const uint64_t hash =
        hash_of(turn.sender_domain, seed_ + (turn.bulk ? 1 : 0)) ^ hash_of(uint64_t{client} + 1);
    const uint32_t found = source_index_.find(hash, [&](uint32_t index) {
        return sources_[index].client == client && sources_[index].bulk == turn.bulk &&
               sources_[index].name == turn.sender_domain;
    });
    if (found != kNone) return found;
    const uint32_t index = sources_.allocate();
    Source& source = sources_[index];
    source.client = client;
    source.name.assign(turn.sender_domain);
    source.hash = hash;
    source.bulk = turn.bulk;
    source.deficit = kQuantum;
    source.flows = 0;
    ++clients_[client].known_sources;
    source_index_.insert(hash, index);
    return index;
}

// It has mail, for the first time or after it had none.
void FairQueue::begins(uint32_t index) {
    Source& source = sources_[index];
    Client& client = clients_[source.client];
    if (std::exchange(source.in_debt, false)) source_debtors_.returned(sources_, index, kQuantum);
    if (client.sources++ == 0 && std::exchange(client.in_debt, false))
        client_debtors_.returned(clients_, source.client, kQuantum);
}

void FairQueue::ends(uint32_t index) {
    const uint32_t client = sources_[index].client;
    if (--clients_[client].sources == 0) {
        clients_[client].in_debt = true;
        client_debtors_.left(clients_, client, [this](uint32_t it) { forgive_client(it); });
    }
    sources_[index].in_debt = true;
    source_debtors_.left(sources_, index, [this](uint32_t it) { forget_source(it); });
}

void FairQueue::forget_source(uint32_t index) {
    const uint32_t client = sources_[index].client;
    source_index_.erase(sources_[index].hash, index);
    sources_[index].in_debt = false;
    sources_.free(index);
    --clients_[client].known_sources;
    forget_if_gone(client);
}

void FairQueue::forgive_client(uint32_t index) {
    clients_[index].in_debt = false;
    forget_if_gone(index);
}

void FairQueue::forget_if_gone(uint32_t index) {
    if (clients_[index].in_debt || clients_[index].known_sources > 0) return;
    client_index_.erase(clients_[index].hash, index);
    clients_.free(index);
}

uint32_t FairQueue::flow_for(uint32_t destination, const TurnOf& turn) {
    const uint32_t source = source_for(turn);
    const uint64_t hash = hash_of_flow(source, destination);
    const uint32_t found = flow_index_.find(hash, [&](uint32_t index) {
        return flows_[index].source == source && flows_[index].destination == destination;
    });
    if (found != kNone) return found;
    const uint32_t index = flows_.allocate();
    Flow& flow = flows_[index];
    flow = {};
    flow.source = source;
    flow.destination = destination;
    flow_index_.insert(hash, index);
    if (sources_[source].flows++ == 0) begins(source);
    destinations_[destination].flows.push_back(flows_, index);
    enter_ring(index);
    return index;
}

void FairQueue::enter_ring(uint32_t index) {
    const uint32_t source_index = flows_[index].source;
    Source& source = sources_[source_index];
    if (source.ring.empty()) {
        Client& client = clients_[source.client];
        if (client.ring.empty()) active_.push_back(clients_, source.client);
        client.ring.push_back(sources_, source_index);
    }
    source.ring.push_back(flows_, index);
    flows_[index].blocked = false;
}

void FairQueue::leave_ring(uint32_t index) {
    const uint32_t source_index = flows_[index].source;
    Source& source = sources_[source_index];
    source.ring.remove(flows_, index);
    if (!source.ring.empty()) return;
    Client& client = clients_[source.client];
    client.ring.remove(sources_, source_index);
    if (client.ring.empty()) active_.remove(clients_, source.client);
}

void FairQueue::block(uint32_t index) {
    leave_ring(index);
    flows_[index].blocked = true;
    destinations_[flows_[index].destination].blocked.push_back(flows_, index);
}

void FairQueue::push_back(uint32_t entry, const TurnOf& turn) {
    Entry& it = entries_[entry];
    it.flow = flow_for(it.destination, turn);
    it.state = EntryState::queued;
    Flow& flow = flows_[it.flow];
    (it.retry ? flow.retries : flow.fresh).push_back(entries_, entry);
    if (destinations_[it.destination].queued++ == 0) destinations_.touch(it.destination);
}

void FairQueue::push_front(uint32_t entry, const TurnOf& turn) {
    Entry& it = entries_[entry];
    it.flow = flow_for(it.destination, turn);
    it.state = EntryState::queued;
    Flow& flow = flows_[it.flow];
    (it.retry ? flow.retries : flow.fresh).push_front(entries_, entry);
    Source& source = sources_[flow.source];
    Client& client = clients_[source.client];
    const auto points = static_cast<int32_t>(it.count);
    source.deficit = std::min(source.deficit + points, kQuantum);
    client.deficit = std::min(client.deficit + points, kQuantum);
    if (destinations_[it.destination].queued++ == 0) destinations_.touch(it.destination);
}

void FairQueue::drop_if_empty(uint32_t index) {
    Flow& flow = flows_[index];
    if (!flow.fresh.empty() || !flow.retries.empty()) return;
    Destination& destination = destinations_[flow.destination];
    if (flow.blocked) {
        destination.blocked.remove(flows_, index);
    } else {
        leave_ring(index);
    }
    destination.flows.remove(flows_, index);
    flow_index_.erase(hash_of_flow(flow.source, flow.destination), index);
    const uint32_t source = flow.source;
    flows_.free(index);
    if (--sources_[source].flows == 0) ends(source);
}

void FairQueue::remove(uint32_t entry) {
    Entry& it = entries_[entry];
    ASSERT(it.state == EntryState::queued);
    Flow& flow = flows_[it.flow];
    (it.retry ? flow.retries : flow.fresh).remove(entries_, entry);
    --destinations_[it.destination].queued;
    drop_if_empty(it.flow);
    it.flow = kNone;
    it.state = EntryState::unused;
}

uint32_t FairQueue::take_from(uint32_t index) {
    Flow& flow = flows_[index];
    const bool retries_turn = flow.turn >= kFreshPerRetry;
    const bool retry = flow.fresh.empty() || (retries_turn && !flow.retries.empty());
    flow.turn = retry ? 0 : static_cast<uint8_t>(std::min<int>(flow.turn + 1, kFreshPerRetry));
    const uint32_t entry = (retry ? flow.retries : flow.fresh).front();
    Source& source = sources_[flow.source];
    const uint32_t points = entries_[entry].count;
    source.deficit -= static_cast<int32_t>(points);
    clients_[source.client].deficit -= static_cast<int32_t>(points);
    source_debtors_.pass(sources_, points, [this](uint32_t it) { forget_source(it); });
    client_debtors_.pass(clients_, points, [this](uint32_t it) { forgive_client(it); });
    source.ring.rotate(flows_);
    remove(entry);
    return entry;
}

void FairQueue::wake(uint32_t destination, uint32_t places) {
    Destination& it = destinations_[destination];
    for (uint32_t i = 0; i < places && !it.blocked.empty(); ++i)
        enter_ring(it.blocked.pop_front(flows_));
}

}  // namespace posthaste
