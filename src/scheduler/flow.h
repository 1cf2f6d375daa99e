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

// Who has mail: a sender's domain, its messages to many recipients apart from the others, so that a
// newsletter does not stand before the password reset from the same company.
struct Source {
    std::string name;
    uint64_t hash = 0;
    bool bulk = false;
    int32_t deficit = 0;
    uint32_t flows = 0;
    uint64_t left_at = 0;  // FairQueue's turns_ when the last flow ended
    FlowRingList ring;     // flows that may be served
    Links active_links;    // among the sources whose ring is not empty, or that have left in debt
};

using SourceSlab = Slab<Source, 256>;

}  // namespace posthaste
