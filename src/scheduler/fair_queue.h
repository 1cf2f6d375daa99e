// scheduler/fair_queue.h: which delivery is next. Deficit round robin over clients, over the senders
// of each, and over the destinations of those (flow.h): a sender with a hundred thousand
// destinations gets no more of what is scarce than one with a single one, and a client no more for
// naming many senders.
//
//   clients (ring) ─► client ─► its sources (ring) ─► source ─► ring of its flows that may be served ─► entry
//                                                          │ destination has no room: the flow leaves the ring
//                                                          ▼
//                                destination's blocked flows ──wake(): one for each free place──► back into the ring
//
// So a destination without room, window or rate costs nothing while it waits: pop() looks at it
// once and not again before it is woken. A job costs as many points as it has recipients; each
// round gives a client, and each of its rounds a source, kQuantum. Who leaves in debt is remembered
// with it (debtors.h).
//
// Bounded by the active messages: every flow, source and client holds at least one entry, but for
// the debtors.
#pragma once

#include <cstdint>
#include <string_view>

#include "scheduler/debtors.h"
#include "scheduler/destination.h"
#include "scheduler/entry.h"
#include "scheduler/flow.h"

namespace posthaste {

// Whose turn an entry is served in.
struct TurnOf {
    std::string_view client;  // client_of()
    std::string_view sender_domain;
    bool bulk = false;
};

// The key of a client: "192.0.2.1", "2001:db8:1:2::/64"; what is no address stands for itself.
std::string client_of(std::string_view address);

class FairQueue {
 public:
    static constexpr int32_t kQuantum = 8;
    static constexpr uint8_t kFreshPerRetry = 4;

    FairQueue(EntrySlab& entries, DestinationTable& destinations, uint64_t seed)
        : entries_(entries), destinations_(destinations), seed_(seed) {}

    void push_back(uint32_t entry, const TurnOf& turn);
    // What came back: before everything of its source for this destination, and not counted as
    // served.
    void push_front(uint32_t entry, const TurnOf& turn);
    void remove(uint32_t entry);

    // The next entry, taken out; kNone when there is none that has_room(destination) would let
    // through.
    template <class HasRoom>
    uint32_t pop(HasRoom&& has_room) {
        while (!active_.empty()) {
            Client& client = clients_[active_.front()];
            if (client.deficit <= 0) {
                client.deficit += kQuantum;
                active_.rotate(clients_);
                continue;
            }
            Source& source = sources_[client.ring.front()];
            if (source.deficit <= 0) {
                source.deficit += kQuantum;
                client.ring.rotate(sources_);
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

    uint32_t clients() const noexcept { return clients_.in_use(); }

    size_t memory_bytes() const noexcept {
        return flows_.memory_bytes() + sources_.memory_bytes() + clients_.memory_bytes() +
               flow_index_.memory_bytes() + source_index_.memory_bytes() +
               client_index_.memory_bytes();
    }

 private:
    uint32_t flow_for(uint32_t destination, const TurnOf& turn);
    uint32_t source_for(const TurnOf& turn);
    uint32_t client_for(std::string_view name);
    uint32_t take_from(uint32_t flow);
    void block(uint32_t flow);
    void enter_ring(uint32_t flow);
    void leave_ring(uint32_t flow);
    void drop_if_empty(uint32_t flow);
    void begins(uint32_t source);
    void ends(uint32_t source);
    void forget_source(uint32_t source);
    void forgive_client(uint32_t client);
    void forget_if_gone(uint32_t client);

    EntrySlab& entries_;
    DestinationTable& destinations_;
    uint64_t seed_;
    FlowSlab flows_;
    SourceSlab sources_;
    ClientSlab clients_;
    FlatIndex flow_index_;
    FlatIndex source_index_;
    FlatIndex client_index_;
    IndexList<Client, &Client::turn_links> active_;
    Debtors<Source> source_debtors_;
    Debtors<Client> client_debtors_;
};

}  // namespace posthaste
