#include "store/id_book.h"

#include <algorithm>

#include "base/deliberate_bug.h"

namespace posthaste::store {

MessageId IdBook::lease(int64_t wall_us) {
    const auto now = static_cast<MessageId>(std::max<int64_t>(wall_us, 1));
    if (has_bug(DeliberateBug::reuse_id) && !blocks_.empty()) return blocks_.back().first;
    const MessageId first = std::max(mark_, now);
    if (first > kMessageIdMax - wire::kLeaseIds) return kNoMessage;
    mark_ = first + wire::kLeaseIds;
    blocks_.push_back({first, {}});
    if (blocks_.size() > kBlocksMax) blocks_.pop_front();
    return first;
}

IdBook::Claim IdBook::claim(MessageId id) {
    if (id == kNoMessage || id >= mark_) return Claim::refused;
    auto after =
        std::upper_bound(blocks_.begin(), blocks_.end(), id,
                         [](MessageId wanted, const Block& block) { return wanted < block.first; });
    if (after != blocks_.begin()) {
        Block& block = *std::prev(after);
        if (id - block.first < wire::kLeaseIds) {
            auto used = block.used[static_cast<size_t>(id - block.first)];
            if (used && !has_bug(DeliberateBug::reuse_id)) return Claim::refused;
            used = true;
            return Claim::fresh;
        }
    }
    if (old_ids_.size() >= kOldIdsMax || !old_ids_.insert(id).second) return Claim::refused;
    return Claim::ask_queue;
}

}  // namespace posthaste::store
