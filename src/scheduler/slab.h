// scheduler/slab.h: objects named by 32-bit numbers instead of pointers: half the size, and a list
// of them can live in the objects themselves (index_list.h).
//
// Objects stay where they are for the slab's life. A freed object is not destroyed: it keeps its
// vectors' memory for the next owner, who resets what matters. Not bounded itself; each user states
// its bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/assert.h"

namespace posthaste {

inline constexpr uint32_t kNone = UINT32_MAX;

template <class T, uint32_t kChunk = 256>
class Slab {
 public:
    uint32_t allocate() {
        if (!free_.empty()) {
            const uint32_t index = free_.back();
            free_.pop_back();
            return index;
        }
        if (next_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<T[]>(kChunk));
        ASSERT(next_ != kNone);
        return next_++;
    }

    void free(uint32_t index) {
        DCHECK(index < next_);
        free_.push_back(index);
    }

    T& operator[](uint32_t index) noexcept {
        DCHECK(index < next_);
        return chunks_[index / kChunk][index % kChunk];
    }

    const T& operator[](uint32_t index) const noexcept {
        DCHECK(index < next_);
        return chunks_[index / kChunk][index % kChunk];
    }

    uint32_t in_use() const noexcept { return next_ - static_cast<uint32_t>(free_.size()); }

    // Numbers given out so far are below this: for walks over all objects, which must tell free
    // ones themselves.
    uint32_t end() const noexcept { return next_; }

    size_t memory_bytes() const noexcept {
        return chunks_.size() * kChunk * sizeof(T) + free_.capacity() * sizeof(uint32_t);
    }

 private:
    std::vector<std::unique_ptr<T[]>> chunks_;
    std::vector<uint32_t> free_;
    uint32_t next_ = 0;
};

}  // namespace posthaste
