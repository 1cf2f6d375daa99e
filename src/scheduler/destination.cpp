#include "scheduler/destination.h"

#include "scheduler/hash.h"

namespace posthaste {

uint32_t DestinationTable::find_or_add(uint32_t transport, std::string_view transport_name,
                                       std::string_view site, bool& is_new) {
    key_.assign(transport_name);
    key_ += '\0';
    key_ += site;
    const uint64_t hash = hash_of(key_, seed_);
    const uint32_t found =
        index_.find(hash, [&](uint32_t index) { return slab_[index].key == key_; });
    is_new = found == kNone;
    if (!is_new) return found;
    if (idle_count_ >= idle_max_) forget(idle_.front());
    const uint32_t index = slab_.allocate();
    Destination& added = slab_[index];
    added.key = key_;
    added.transport = transport;
    added.self = index;
    index_.insert(hash, index);
    settle(index);
    return index;
}

void DestinationTable::touch(uint32_t index) {
    if (!slab_[index].idle) return;
    slab_[index].idle = false;
    idle_.remove(slab_, index);
    --idle_count_;
}

void DestinationTable::settle(uint32_t index) {
    Destination& it = slab_[index];
    const bool idle = it.routed == 0 && it.queued == 0 && it.jobs_out == 0 && it.lanes == 0 &&
                      it.parked_count == 0 && it.sent_for == 0;
    if (!idle || it.idle) return;
    it.idle = true;
    idle_.push_back(slab_, index);
    ++idle_count_;
}

void DestinationTable::forget(uint32_t index) {
    touch(index);
    Destination& it = slab_[index];
    index_.erase(hash_of(it.key, seed_), index);
    it.timer.cancel();
    ++it.generation;
    it.key.clear();
    it.nexthop.clear();
    it.hosts.clear();
    it.dead_dsn.clear();
    it.dead_text.clear();
    it.state = SiteState::alive;
    it.waits_for_agent = it.ring_full = it.waits_for_transport = false;
    it.rate = {};
    it.deaths = it.suspended = 0;
    it.flushed = it.try_at_once = false;
    it.dead_until_us = 0;
    it.room = 0;
    it.last_agent = kNone;
    it.transport = kNone;
    slab_.free(index);
}

}  // namespace posthaste
