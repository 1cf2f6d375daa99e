// scheduler/message_table.h: every message qmgr knows of, by id: 32 bytes each and 11 to 22 in the
// index. A message that waits for its time is nothing more than this; envelope and bytes are in the
// store.
//
//                    ┌──────────────── gone, held: erased ◄───────────────┐
//   announced ──► active ──outcome sent──► recording ──recorded, due later ──► listed (retry wheel)
//      │            ▲  │no room at its destination                             │ due
//      │active full │  └──► parked ──room──► listed (incoming)                 ▼
//      └──► listed (incoming) ──LoadMessage──► loading ──► active   ◄────── listed (due)
//
// "Listed" messages hang in one of the lists below (incoming, due, flushed, a slot of the retry
// wheel); the node does not know in which, so that a whole list moves to another in constant time.
// Lists are circular, their heads are nodes of the same slab.
#pragma once

#include <cstdint>

#include "mail/queue_id.h"

#include "scheduler/flat_index.h"
#include "scheduler/slab.h"

namespace posthaste {

enum class Place : uint8_t { unused, head, listed, parked, loading, active, recording };

struct MessageNode {
    MessageId id = kNoMessage;
    uint32_t due_s = 0;  // next attempt, unix seconds
    uint32_t next = kNone;
    uint32_t previous = kNone;
    uint32_t link = kNone;  // active: the Message; parked, sent for: the Destination
    Place place = Place::unused;
    bool due_now = false;   // loading, active: the operator said flush: attempt all that waits
    bool sent_for = false;  // parked before, not active yet
    bool going =
        false;  // recording: unknown to us once that is on disk: it was removed, or is held
    bool removing = false;
    bool fresh = false;        // came in the active queue, not after a wait
    bool other_clock = false;  // every due time it has on disk is of before the clock was set back
    bool asked_for : 1 = false;  // the operator named it: it is tried even at a dead site
    bool told : 1 = false;       // the log has that it is active
    bool overdue : 1 = false;    // out of time, and nobody has looked at it for long
    uint8_t no_room : 2 = 0;     // times that the store's arena had none for it
    uint8_t deaths : 3 = 0;      // of stores that were loading it

    static constexpr uint8_t kDeathsMax = 7;
};

static_assert(sizeof(MessageNode) == 32);

class MessageTable {
 public:
    explicit MessageTable(uint32_t messages_max) : messages_max_(messages_max) {}

    uint32_t find(MessageId id) const noexcept;
    // kNone: full. The id is not known yet.
    uint32_t insert(MessageId id);
    // In no list.
    void erase(uint32_t node);

    MessageNode& operator[](uint32_t node) noexcept { return nodes_[node]; }

    const MessageNode& operator[](uint32_t node) const noexcept { return nodes_[node]; }

    // Messages, list heads not counted.
    uint32_t size() const noexcept { return static_cast<uint32_t>(index_.size()); }

    size_t memory_bytes() const noexcept { return nodes_.memory_bytes() + index_.memory_bytes(); }

    // For walks over all nodes.
    uint32_t end() const noexcept { return nodes_.end(); }

    uint32_t make_list();

    bool empty(uint32_t list) const noexcept { return nodes_[list].next == list; }

    uint32_t front(uint32_t list) const noexcept { return empty(list) ? kNone : nodes_[list].next; }

    void push_back(uint32_t list, uint32_t node) noexcept { link_before(list, node); }

    void push_front(uint32_t list, uint32_t node) noexcept { link_before(nodes_[list].next, node); }

    // From whichever list it is in.
    void unlink(uint32_t node) noexcept;
    // All of `from` behind all of `to`.
    void splice_back(uint32_t to, uint32_t from) noexcept;

 private:
    void link_before(uint32_t position, uint32_t node) noexcept;

    uint32_t messages_max_;
    Slab<MessageNode, 4096> nodes_;
    FlatIndex index_;
};

}  // namespace posthaste
