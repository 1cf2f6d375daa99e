#include "store/lent_content.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/deliberate_bug.h"

namespace posthaste::store {

static_assert(wire::kContentBytesMax == uint64_t{wire::kExtentsMax} * kBlockBytes);

// use(first_block, block_count, bytes in it)
template <class Use>
void LentContent::each_run(const Place& place, Use use) const {
    uint32_t rest = place.length_;
    const auto one = [&](const Place::Run& run) {
        const uint32_t bytes = std::min(rest, run.block_count * kBlockBytes);
        use(run.first_block, run.block_count, bytes);
        rest -= bytes;
    };
    if (place.first_.block_count > 0) one(place.first_);
    for (const Place::Run& run : place.more_) one(run);
}

static uint64_t blocks_for(uint64_t bytes) noexcept {
    return bytes / kBlockBytes + (bytes % kBlockBytes == 0 ? 0 : 1);
}

bool LentContent::can_hold(uint64_t bytes) const noexcept {
    return arena_ == nullptr ||
           blocks_for(bytes) <= std::min(arena_->blocks_total(), wire::kExtentsMax);
}

bool LentContent::has_room(uint64_t bytes, uint32_t blocks_kept_free) const noexcept {
    return arena_ != nullptr && bytes > 0 && can_hold(bytes) &&
           blocks_for(bytes) + blocks_kept_free <= arena_->blocks_free();
}

std::optional<Place> LentContent::take(std::span<const std::string_view> pieces,
                                       uint32_t blocks_kept_free) {
    uint64_t length = 0;
    for (const std::string_view piece : pieces) length += piece.size();
    if (!has_room(length, blocks_kept_free)) return std::nullopt;
    Place place;
    place.length_ = static_cast<uint32_t>(length);
    const auto block_count = static_cast<uint32_t>(blocks_for(length));
    if (const auto run = arena_->allocate_run(block_count)) {
        place.first_ = {*run, block_count};
    } else {
        for (uint32_t i = 0; i < block_count; ++i) {
            const auto block = arena_->allocate();
            ASSERT(block.has_value());  // blocks_free() said so
            place.more_.push_back({*block, 1});
        }
    }
    // Block by block, since only neighbours of one run are contiguous.
    auto piece = pieces.begin();
    size_t taken = 0;  // of *piece
    each_run(place, [&](uint32_t first_block, uint32_t count, uint32_t) {
        for (uint32_t i = 0; i < count; ++i) {
            std::span<char> room = arena_->block(first_block + i);
            while (!room.empty() && piece != pieces.end()) {
                const size_t size = std::min(room.size(), piece->size() - taken);
                std::memcpy(room.data(), piece->data() + taken, size);
                room = room.subspan(size);
                taken += size;
                if (taken < piece->size()) continue;
                ++piece;
                taken = 0;
            }
        }
    });
    return place;
}

void LentContent::give_back(const Place& place) {
    each_run(place, [&](uint32_t first_block, uint32_t count, uint32_t) {
        for (uint32_t i = 0; i < count; ++i) arena_->free(first_block + i);
    });
}

void LentContent::views(const Place& place, std::vector<std::string_view>& out) const {
    out.clear();
    each_run(place, [&](uint32_t first_block, uint32_t, uint32_t bytes) {
        out.push_back(arena_->bytes(first_block, 0, bytes));
    });
}

void LentContent::extents(const Place& place, std::vector<wire::Extent>& out) const {
    out.clear();
    each_run(place, [&](uint32_t first_block, uint32_t, uint32_t bytes) {
        out.push_back({arena_->incarnation(), first_block, 0, bytes});
    });
}

bool LentContent::lend(MessageId id, Place place, uint32_t borrower) {
    if (lent_.contains(id)) {
        give_back(place);
        return false;
    }
    if (has_bug(DeliberateBug::free_lent)) give_back(place);
    lent_.emplace(id, Lent{std::move(place), borrower});
    return true;
}

const Place* LentContent::lend_again(MessageId id, uint32_t borrower) {
    const auto it = lent_.find(id);
    if (it == lent_.end()) return nullptr;
    it->second.earlier |= it->second.borrower != borrower;
    it->second.released = false;
    it->second.borrower = borrower;
    return &it->second.place;
}

void LentContent::release(MessageId id, uint32_t borrower) {
    const auto it = lent_.find(id);
    if (it == lent_.end()) return;
    if ((it->second.earlier || it->second.borrower != borrower) && !proven_) {
        it->second.released = true;
        return;
    }
    end_loan(it->second);
    lent_.erase(it);
}

void LentContent::end_loan(Lent& loan) {
    if (!has_bug(DeliberateBug::free_lent)) give_back(loan.place);
}

size_t LentContent::keep_only(const std::unordered_set<MessageId>& held, uint32_t borrower) {
    size_t released = 0;
    proven_ = true;
    for (auto it = lent_.begin(); it != lent_.end();) {
        const bool in_use = it->second.borrower == borrower && !it->second.released;
        if (in_use || (held.contains(it->first) && !has_bug(DeliberateBug::free_held))) {
            ++it;
            continue;
        }
        end_loan(it->second);
        it = lent_.erase(it);
        ++released;
    }
    return released;
}

}  // namespace posthaste::store
