// store/id_book.h: gives out message ids in leases and knows which were used.
//
// Owned by the store service. Promises that an id is put into the queue once at most, whatever
// cleanup and smtpd ask for: SingleDelete's contract and the meaning of "queued as" depend on it.
// Ids leased in this life are ticked off in a bitmap; of those leased before (their smtpd outlived
// the store) the queue itself must be asked.
//
// A lease starts at the present microsecond, or where the last one ended if that is later; so an id
// tells about when it was given out, and ids ascend. mark() must be on disk before a lease is told
// to anybody.
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <unordered_set>

#include "mail/queue_id.h"
#include "mail/wire/id_lease.h"

namespace posthaste::store {

class IdBook {
 public:
    static constexpr size_t kBlocksMax = 4096;  // half a megabyte of bitmaps, four million ids
    static constexpr size_t kOldIdsMax = 1024 * 1024;

    // `mark`: as stored; the first id that was never leased.
    explicit IdBook(MessageId mark) noexcept : mark_(mark) {}

    // The first of kLeaseIds ids; kNoMessage when there are no more until the year 2596.
    MessageId lease(int64_t wall_us);

    MessageId mark() const noexcept { return mark_; }

    enum class Claim : uint8_t {
        fresh,      // never used
        ask_queue,  // leased before our time: fresh if the queue does not have it
        refused,    // used, or never leased
    };
    // Ticks the id off unless it is refused.
    Claim claim(MessageId id);

 private:
    struct Block {
        MessageId first = kNoMessage;
        std::bitset<wire::kLeaseIds> used;
    };

    MessageId mark_;
    std::deque<Block> blocks_;               // ascending
    std::unordered_set<MessageId> old_ids_;  // claimed, of no block
};

}  // namespace posthaste::store
