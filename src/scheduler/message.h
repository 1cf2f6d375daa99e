// scheduler/message.h: a message in the active queue: loaded, its envelope here, its bytes lent to
// us by the store. At most qmgr_message_active_limit of them exist; all others are a node in
// message_table.h.
//
// Each recipient has a fate:
//
//   unsettled ──► resolving ──answer──► routed ──grouped──► queued ──report──► done | waiting | held
//       ▲                        └──────no such domain, error: …──────────────►
//       └──────────── store died: the bytes are gone ─────────┘
//   waiting: until a later attempt; when its time comes it is tried, whatever the others of the message are at. elsewhere:
//   an agent delivers it for the qmgr before us. held: refused or out of time, kept until a report to the sender can be made.
//
// A message leaves the active queue when nothing of it is resolving, routed, queued or elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mail/envelope.h"
#include "mail/queue_state.h"
#include "mail/wire/extent.h"

#include "scheduler/slab.h"

namespace posthaste {

enum class Fate : uint8_t { unsettled, resolving, routed, queued, elsewhere, waiting, held, done };

struct RecipientState {
    uint32_t due_s = 0;
    uint32_t destination = kNone;  // routed
    uint16_t attempts = 0;
    Fate fate = Fate::unsettled;
    bool early = false;  // tried before its time: the operator said so
};

static_assert(sizeof(RecipientState) == 12);

// A reason that is not recorded yet.
struct PendingReason {
    uint32_t recipient = 0;
    std::string dsn;
    std::string text;
};

// A report that an agent keeps until what it says is on disk.
struct Receipt {
    uint32_t agent = 0;  // incarnation
    uint64_t sequence = 0;
};

struct Message {
    uint32_t node = kNone;    // kNone: a free row
    uint32_t generation = 0;  // grows whenever the row is freed
    Envelope envelope;
    std::string client;  // client_of() its address
    std::vector<wire::Extent> content;
    std::vector<RecipientState> recipients;
    std::vector<uint32_t> order;  // recipients as entries hold them, ranges
    std::vector<PendingReason> reasons;
    std::vector<Receipt> receipts;
    int64_t active_wall_us = 0;
    uint32_t entries = 0;  // queued, resting, out
    uint32_t jobs_out = 0;
    uint32_t unresolved = 0;          // recipients whose resolution is under way
    uint32_t elsewhere = 0;           // jobs of the qmgr before us
    uint32_t unrecorded = 0;          // outcomes of it that are not on disk yet
    uint32_t next_due_s = kNeverDue;  // of the recipients that wait, the first; perhaps earlier
    uint32_t wakes_at_s = kNeverDue;  // its node hangs in the wheel of the active at that second
    uint32_t flushed_at_serial = 0;   // jobs up to this one had begun when the operator flushed
    uint32_t sent_for_by =
        kNone;  // the destination that it was parked for, until it is in its flows
    bool bulk = false;
    bool content_lent = false;
    bool flushed = false;    // while it had jobs out
    bool had_state = false;  // a state was recorded before
    bool dirty = false;      // differs from what is recorded
    bool bounced_now = false;
    bool expired_now = false;
    bool in_regroup = false;   // in the scheduler's list of those that wait for a resolution
    bool in_progress = false;  // in the scheduler's list of those to be recorded while still active
};

// Names a Message that may have left since.
struct MessageRef {
    uint32_t message = kNone;
    uint32_t generation = 0;
};

using MessageSlab = Slab<Message, 64>;

}  // namespace posthaste
