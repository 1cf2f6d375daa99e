#include "cleanup/cleanup/transactions.h"

#include "base/assert.h"

namespace posthaste::cleanup {

Transaction* Transactions::open() {
    if (full()) return nullptr;
    if (slots_.empty()) slots_.reserve(kTransactionsMax);  // pointers into it stay good
    if (free_.empty()) {
        free_.push_back(static_cast<uint32_t>(slots_.size()));
        slots_.emplace_back();
    }
    const uint32_t slot = free_.back();
    free_.pop_back();
    ++open_;
    if (++generation_ == 0) ++generation_;
    Transaction& out = slots_[slot];
    out.cookie = uint64_t{generation_} << 32 | slot;
    out.blocks.clear();
    return &out;
}

Transaction* Transactions::find(uint64_t cookie) noexcept {
    const auto slot = static_cast<uint32_t>(cookie);
    if (slot >= slots_.size() || cookie == 0 || slots_[slot].cookie != cookie) return nullptr;
    return &slots_[slot];
}

void Transactions::close(Transaction& transaction) {
    ASSERT(transaction.cookie != 0);
    free_.push_back(static_cast<uint32_t>(transaction.cookie));
    transaction.cookie = 0;
    --open_;
}

}  // namespace posthaste::cleanup
