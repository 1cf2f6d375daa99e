// scheduler/flow.h: the mail of one source for one destination: the smallest thing that takes
// turns. Two FIFOs: fresh mail before retries, four to one, so that a backlog does not delay what
// is new and is not starved by it either.
#pragma once

#include <cstdint>
#include <string>

#include "scheduler/entry.h"

namespace posthaste {

struct Flow {
    uint32_t source = kNone;
    uint32_t destination = kNone;
    EntryList fresh;
    EntryList retries;
    uint8_t turn = 0;
    bool blocked = false;  // in its destination's list of blocked flows, not in its source's ring
    Links ring_links;
    Links sibling_links;  // among the flows of its destination
};

using FlowSlab = Slab<Flow, 256>;
using FlowRingList = IndexList<Flow, &Flow::ring_links>;
using FlowSiblingList = IndexList<Flow, &Flow::sibling_links>;

// Who has mail: a sender's domain at one client, its messages to many recipients apart from the
// others, so that a newsletter does not stand before the password reset from the same company.
struct Source {
    uint32_t client = kNone;
    std::string name;
    uint64_t hash = 0;
    bool bulk = false;
    int32_t deficit = 0;
    uint32_t flows = 0;
    bool in_debt = false;  // among the debtors
    uint64_t left_at = 0;
    FlowRingList ring;  // flows that may be served
    Links turn_links;   // among its client's sources whose ring is not empty, or the debtors
};

using SourceRingList = IndexList<Source, &Source::turn_links>;

// Who has handed it in: by address, an IPv6 client by its network. A client that says it sends for
// a thousand domains has the turn of one.
struct Client {
    std::string name;
    uint64_t hash = 0;
    int32_t deficit = 0;
    uint32_t sources = 0;        // that have mail
    uint32_t known_sources = 0;  // and those in debt
    bool in_debt = false;
    uint64_t left_at = 0;
    SourceRingList ring;  // sources that may be served
    Links turn_links;     // among the clients whose ring is not empty, or the debtors
};

using ClientSlab = Slab<Client, 256>;
using SourceSlab = Slab<Source, 256>;

}  // namespace posthaste
