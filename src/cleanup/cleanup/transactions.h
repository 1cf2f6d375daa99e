// cleanup/cleanup/transactions.h: the messages that are at the store and not yet answered for.
//
// A slot is found by its cookie: slot number and a generation that changes with each use, so that a
// late or invented answer finds nothing. Slots and their block lists keep their memory. Bounded by
// kTransactionsMax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mail/queue_id.h"

namespace posthaste::cleanup {

struct Transaction {
    uint32_t submitter = 0;  // incarnation of who gets the answer
    uint64_t submitter_cookie = 0;
    MessageId id = kNoMessage;
    int64_t sent_us = 0;           // when it went to the store
    std::vector<uint32_t> blocks;  // of our arena; the header section lies there
    uint64_t cookie = 0;           // at the store; 0: the slot is free
};

class Transactions {
 public:
    static constexpr size_t kTransactionsMax = 8192;

    // Null when full.
    Transaction* open();
    // Null when it is none of ours.
    Transaction* find(uint64_t cookie) noexcept;
    void close(Transaction& transaction);

    size_t size() const noexcept { return open_; }

    bool full() const noexcept { return open_ == kTransactionsMax; }

    // Those that are open, in no order. `visit` may close the one it is given.
    template <class Visit>
    void each(Visit visit) {
        for (Transaction& transaction : slots_) {
            if (transaction.cookie != 0) visit(transaction);
        }
    }

 private:
    std::vector<Transaction> slots_;
    std::vector<uint32_t> free_;
    size_t open_ = 0;
    uint32_t generation_ = 0;
};

}  // namespace posthaste::cleanup
