#include "scheduler/fair_queue.h"

#include <algorithm>

#include "scheduler/hash.h"

namespace posthaste {

namespace {

uint64_t hash_of_flow(uint32_t source, uint32_t destination) noexcept {
    return hash_of(uint64_t{source} << 32 | destination);
}

}  // namespace

uint32_t FairQueue::source_for(std::string_view sender_domain, bool bulk) {
    const uint64_t hash = hash_of(sender_domain, seed_ + (bulk ? 1 : 0));
    const uint32_t found = source_index_.find(hash, [&](uint32_t index) {
        return sources_[index].bulk == bulk && sources_[index].name == sender_domain;
    });
    if (found != kNone) {
        if (sources_[found].flows == 0) source_returned(found);
        return found;
    }
    const uint32_t index = sources_.allocate();
    Source& source = sources_[index];
    source.name.assign(sender_domain);
    source.hash = hash;
    source.bulk = bulk;
    source.deficit = kQuantum;
    source.flows = 0;
    source_index_.insert(hash, index);
    return index;
}

uint32_t FairQueue::flow_for(uint32_t destination, std::string_view sender_domain, bool bulk) {
    const uint32_t source = source_for(sender_domain, bulk);
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
    ++sources_[source].flows;
    destinations_[destination].flows.push_back(flows_, index);
    enter_ring(index);
    return index;
}

void FairQueue::enter_ring(uint32_t index) {
    Source& source = sources_[flows_[index].source];
    if (source.ring.empty()) active_.push_back(sources_, flows_[index].source);
    source.ring.push_back(flows_, index);
    flows_[index].blocked = false;
}

void FairQueue::leave_ring(uint32_t index) {
    Source& source = sources_[flows_[index].source];
    source.ring.remove(flows_, index);
    if (source.ring.empty()) active_.remove(sources_, flows_[index].source);
}

void FairQueue::block(uint32_t index) {
    leave_ring(index);
    flows_[index].blocked = true;
    destinations_[flows_[index].destination].blocked.push_back(flows_, index);
}

void FairQueue::push_back(uint32_t entry, std::string_view sender_domain, bool bulk) {
    Entry& it = entries_[entry];
    it.flow = flow_for(it.destination, sender_domain, bulk);
    it.state = EntryState::queued;
    Flow& flow = flows_[it.flow];
    (it.retry ? flow.retries : flow.fresh).push_back(entries_, entry);
    if (destinations_[it.destination].queued++ == 0) destinations_.touch(it.destination);
}

void FairQueue::push_front(uint32_t entry, std::string_view sender_domain, bool bulk) {
    Entry& it = entries_[entry];
    it.flow = flow_for(it.destination, sender_domain, bulk);
    it.state = EntryState::queued;
    Flow& flow = flows_[it.flow];
    (it.retry ? flow.retries : flow.fresh).push_front(entries_, entry);
    Source& source = sources_[flow.source];
    source.deficit = std::min(source.deficit + static_cast<int32_t>(it.count), kQuantum);
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
    Source& source = sources_[flow.source];
    if (--source.flows == 0) source_left(flow.source);
    flows_.free(index);
}

void FairQueue::source_left(uint32_t index) {
    if (sources_[index].deficit > 0) return forget_source(index);
    sources_[index].left_at = turns_;
    indebted_.push_back(sources_, index);
    if (++indebted_count_ <= kIndebtedMax) return;
    --indebted_count_;
    forget_source(indebted_.pop_front(sources_));
}

void FairQueue::source_returned(uint32_t index) {
    Source& source = sources_[index];
    indebted_.remove(sources_, index);
    --indebted_count_;
    source.deficit = static_cast<int32_t>(std::min<int64_t>(deficit_now(source), kQuantum));
}

void FairQueue::forget_source(uint32_t index) {
    source_index_.erase(sources_[index].hash, index);
    sources_.free(index);
}

int64_t FairQueue::deficit_now(const Source& source) const noexcept {
    return source.deficit + static_cast<int64_t>((turns_ - source.left_at) / kTurnUnit);
}

void FairQueue::pass_turns(uint32_t points) {
    if (indebted_count_ == 0) return;
    const uint32_t with_mail = sources_.in_use() - indebted_count_;
    turns_ += points * uint64_t{kTurnUnit} / std::max(with_mail, 1U);
    const uint32_t oldest = indebted_.front();
    if (deficit_now(sources_[oldest]) <= 0) return;
    indebted_.remove(sources_, oldest);
    --indebted_count_;
    forget_source(oldest);
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
    source.deficit -= static_cast<int32_t>(entries_[entry].count);
    pass_turns(entries_[entry].count);
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
