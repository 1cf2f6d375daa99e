#include "ingress/smtpd/message_blocks.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace posthaste::smtpd {

size_t MessageBlocks::place(std::string_view bytes) {
    size_t placed = 0;
    while (placed < bytes.size()) {
        if (used_in_last_ == kBlockBytes) {
            const auto block = memory_.allocate();
            if (!block) break;
            blocks_.push_back(*block);
            used_in_last_ = 0;
        }
        const size_t piece = std::min<size_t>(bytes.size() - placed, kBlockBytes - used_in_last_);
        std::memcpy(memory_.block(blocks_.back()).data() + used_in_last_, bytes.data() + placed,
                    piece);
        used_in_last_ += static_cast<uint32_t>(piece);
        placed += piece;
    }
    return placed;
}

void MessageBlocks::append(std::string_view bytes) {
    if (overflow_.empty()) bytes.remove_prefix(place(bytes));
    overflow_.append(bytes);
}

bool MessageBlocks::is_placed() {
    if (overflow_.empty()) return true;
    overflow_.erase(0, place(overflow_));
    if (!overflow_.empty()) return false;
    overflow_ = std::string();
    return true;
}

bool MessageBlocks::has_room() {
    return is_placed() && (used_in_last_ < kBlockBytes || memory_.has_block());
}

void MessageBlocks::extents(std::vector<wire::Extent>& out) const {
    out.clear();
    for (size_t i = 0; i < blocks_.size(); ++i) {
        const uint32_t length = i + 1 < blocks_.size() ? kBlockBytes : used_in_last_;
        if (!out.empty()) {
            wire::Extent& last = out.back();
            if (last.first_block + last.length / kBlockBytes == blocks_[i]) {
                last.length += length;
                continue;
            }
        }
        out.push_back({memory_.incarnation(), blocks_[i], 0, length});
    }
}

void MessageBlocks::take(std::vector<uint32_t>& out) {
    out.clear();
    std::swap(out, blocks_);
    used_in_last_ = kBlockBytes;
}

void MessageBlocks::drop() {
    overflow_ = std::string();
    used_in_last_ = kBlockBytes;
    // The blocks are out of the list before anybody is told of the room.
    const std::vector<uint32_t> blocks = std::exchange(blocks_, {});
    memory_.free(blocks);
}

}  // namespace posthaste::smtpd
