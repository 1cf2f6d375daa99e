// scheduler/entry.h: some recipients of one message on their way to one destination: what a
// delivery agent is given as one job. 56 bytes; the recipients are a range of the message's
// `order`.
//
//   queued (in a flow) ──start──► out (on a lane) ──report──► freed
//        ▲                          │ lane broke before this job's MAIL
//        │                          │ agent died, or it came back a second time
//        └────── resting ◄──────────┘  (a second, so that a fault does not spin)
#pragma once

#include <cstdint>

#include "scheduler/index_list.h"

namespace posthaste {

enum class EntryState : uint8_t { unused, queued, resting, out };

struct Entry {
    Links links;  // queued: in its flow; out: in its lane; resting: in the list of those
    uint32_t message = kNone;
    uint32_t destination = kNone;
    uint32_t flow = kNone;  // queued
    uint32_t lane = kNone;  // out
    uint32_t first = 0;     // in Message::order
    uint32_t count = 0;
    uint32_t serial = 0;  // out: upper half of the job's number
    EntryState state = EntryState::unused;
    bool retry = false;    // was attempted before
    uint8_t returns = 0;   // came back unattempted
    bool suspect = false;  // out: agents have died of its message
    int64_t rests_until_us = 0;
};

static_assert(sizeof(Entry) <= 64);

using EntrySlab = Slab<Entry, 1024>;
using EntryList = IndexList<Entry, &Entry::links>;

}  // namespace posthaste
