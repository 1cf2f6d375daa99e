// scheduler/fair_queue.h: which delivery is next. Deficit round robin over sources (flow.h), then
// over each source's destinations: a sender with a hundred thousand destinations gets no more of
// what is scarce than one with a single one.
//
//   active sources (ring) ─► source ─► ring of its flows that may be served ─► entry
//                                         │ destination has no room: the flow leaves the ring
//                                         ▼
//                             destination's blocked flows ──wake(): one for each free place──► back into the ring
//
// So a destination without room, window or rate costs nothing while it waits: pop() looks at it
// once and not again before it is woken. A job costs as many points as it has recipients; each
// round gives a source kQuantum.
//
// A source that took more than it had, and then has nothing left, is remembered with its debt: what
// it would have been given meanwhile pays it off. Else one large job at a time would get more than
// its share.
//
// Bounded by the active messages: every flow and source holds at least one entry, but for at most
// kIndebtedMax sources that have left.
#pragma once

#include <cstdint>
#include <string_view>

#include "scheduler/destination.h"
#include "scheduler/entry.h"
#include "scheduler/flow.h"

namespace posthaste {

class FairQueue {
 public:
    static constexpr int32_t kQuantum = 8;
    static constexpr uint8_t kFreshPerRetry = 4;
    static constexpr uint32_t kIndebtedMax = 1024;

    FairQueue(EntrySlab& entries, DestinationTable& destinations, uint64_t seed)
        : entries_(entries), destinations_(destinations), seed_(seed) {}

    void push_back(uint32_t entry, std::string_view sender_domain, bool bulk);
    // What came back: before everything of its source for this destination, and not counted as
    // served.
    void push_front(uint32_t entry, std::string_view sender_domain, bool bulk);
    void remove(uint32_t entry);

    // The next entry, taken out; kNone when there is none that has_room(destination) would let
    // through.
    template <class HasRoom>
    uint32_t pop(HasRoom&& has_room) {
        while (!active_.empty()) {
            const uint32_t source_index = active_.front();
            Source& source = sources_[source_index];
            if (source.deficit <= 0) {
                source.deficit += kQuantum;
                active_.rotate(sources_);
                continue;
            }
            const uint32_t flow = source.ring.front();
            if (has_room(flows_[flow].destination)) return take_from(flow);
            block(flow);
        }
        return kNone;
    }

    // The destination has room for `places` more: as many of its blocked flows compete again.
    void wake(uint32_t destination, uint32_t places);

    // All entries of a destination, one after the other; visit() removes the entry it is given.
    template <class Visit>
    void drain(uint32_t destination, Visit&& visit) {
        Destination& it = destinations_[destination];
        while (!it.flows.empty()) {
            const Flow& flow = flows_[it.flows.front()];
            visit(flow.fresh.empty() ? flow.retries.front() : flow.fresh.front());
        }
    }

    uint32_t flows() const noexcept { return flows_.in_use(); }

    uint32_t sources() const noexcept { return sources_.in_use(); }

    size_t memory_bytes() const noexcept {
        return flows_.memory_bytes() + sources_.memory_bytes() + flow_index_.memory_bytes() +
               source_index_.memory_bytes();
    }

 private:
    uint32_t flow_for(uint32_t destination, std::string_view sender_domain, bool bulk);
    uint32_t source_for(std::string_view sender_domain, bool bulk);
    uint32_t take_from(uint32_t flow);
    void block(uint32_t flow);
    void enter_ring(uint32_t flow);
    void leave_ring(uint32_t flow);
    void drop_if_empty(uint32_t flow);
    void source_left(uint32_t source);
    void source_returned(uint32_t source);
    void forget_source(uint32_t source);
    void pass_turns(uint32_t points);
    int64_t deficit_now(const Source& source) const noexcept;

    EntrySlab& entries_;
    DestinationTable& destinations_;
    uint64_t seed_;
    FlowSlab flows_;
    SourceSlab sources_;
    FlatIndex flow_index_;
    FlatIndex source_index_;
    IndexList<Source, &Source::active_links> active_;
    IndexList<Source, &Source::active_links> indebted_;  // have left, longest ago first
    uint32_t indebted_count_ = 0;
    // Points that a source with mail was given, on the average, since some moment; counted only
    // while somebody is in debt. kTurnUnit to the point.
    static constexpr uint32_t kTurnUnit = 256;
    uint64_t turns_ = 0;
};

}  // namespace posthaste
