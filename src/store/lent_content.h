// store/lent_content.h: message bytes in the store's arena, and which of them are lent to qmgr (who
// passes their place on to the agents).
//
// A message's bytes come into the arena when it is committed or loaded, and go when qmgr releases
// them. If qmgr dies, agents may still be sending from them: they stay until it is proven which
// ones (keep_only), even those that the next qmgr has been lent too and has released. Without an
// arena, or when it is full, there is no place: the message is stored all the same, and loaded
// later.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "mail/queue_id.h"
#include "mail/wire/extent.h"
#include "runtime/arena.h"

namespace posthaste::store {

// Blocks taken for one message; whoever holds it must lend it or give it back.
class Place {
 public:
    Place() = default;
    Place(Place&&) noexcept = default;
    Place& operator=(Place&&) noexcept = default;

    bool empty() const noexcept { return length_ == 0; }

    uint32_t length() const noexcept { return length_; }

 private:
    friend class LentContent;

    struct Run {
        uint32_t first_block;
        uint32_t block_count;
    };

    Run first_{0, 0};
    std::vector<Run> more_;  // the arena had no run that was long enough
    uint32_t length_ = 0;
};

class LentContent {
 public:
    explicit LentContent(Arena* arena) noexcept : arena_(arena) {}

    // False: so much would not fit if everything else were gone. Without an arena nothing ever is
    // here, and it is no reason to refuse a message.
    bool can_hold(uint64_t bytes) const noexcept;
    bool has_room(uint64_t bytes, uint32_t blocks_kept_free) const noexcept;
    // Copies the pieces in. Nothing when fewer than `blocks_kept_free` would be left, or the pieces
    // are empty.
    std::optional<Place> take(std::span<const std::string_view> pieces, uint32_t blocks_kept_free);
    void give_back(const Place& place);
    // Our own copy, in order.
    void views(const Place& place, std::vector<std::string_view>& out) const;
    void extents(const Place& place, std::vector<wire::Extent>& out) const;

    uint32_t blocks_total() const noexcept {
        return arena_ == nullptr ? 0 : arena_->blocks_total();
    }

    uint32_t blocks_used() const noexcept {
        return arena_ == nullptr ? 0 : arena_->blocks_total() - arena_->blocks_free();
    }

    // Lent to the qmgr of that incarnation from now on. False: that id has content lent already;
    // the place is free.
    bool lend(MessageId id, Place place, uint32_t borrower);

    // There is another qmgr: what was lent before it is not given back before keep_only().
    void await_proof() noexcept { proven_ = false; }

    bool is_proven() const noexcept { return proven_; }

    // What is lent already, now to this borrower; null when it is not.
    const Place* lend_again(MessageId id, uint32_t borrower);

    bool is_lent(MessageId id) const { return lent_.contains(id); }

    // The qmgr `borrower` needs it no more. What an earlier one lent out as well stays until it is
    // proven that nobody else reads it.
    void release(MessageId id, uint32_t borrower);
    // The proof that of what was lent before this borrower came, only `held` is still read. The
    // rest comes back, but for what this borrower has now. Returns how many.
    size_t keep_only(const std::unordered_set<MessageId>& held, uint32_t borrower);

    size_t lent_count() const noexcept { return lent_.size(); }

 private:
    struct Lent {
        Place place;
        uint32_t borrower;
        bool earlier = false;   // another had it before
        bool released = false;  // by this one; the others are to be heard
    };

    void end_loan(Lent& loan);
    template <class Use>
    void each_run(const Place& place, Use use) const;

    Arena* arena_;
    std::unordered_map<MessageId, Lent> lent_;
    bool proven_ = true;
};

}  // namespace posthaste::store
