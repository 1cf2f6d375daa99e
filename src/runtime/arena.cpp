#include "runtime/arena.h"

#include <algorithm>
#include <bit>
#include <sys/mman.h>
#include <utility>

#include "base/assert.h"

#include "runtime/sealed_memory.h"

namespace posthaste {
namespace {

constexpr uint64_t kArenaBytesMax = 64 * kGiB;

uint32_t blocks_for(uint64_t size_bytes) {
    ASSERT(size_bytes > 0 && size_bytes <= kArenaBytesMax);
    return static_cast<uint32_t>((size_bytes + kBlockBytes - 1) / kBlockBytes);
}

// Overflow-free with foreign numbers: both sums are of 64-bit values that come from 32-bit ones.
bool lies_inside(uint64_t size_bytes, uint32_t first_block, uint32_t offset,
                 uint32_t length) noexcept {
    return uint64_t{first_block} * kBlockBytes + offset + length <= size_bytes;
}

}  // namespace

Result<Arena> Arena::create(uint32_t incarnation, uint64_t size_bytes) {
    const uint32_t blocks = blocks_for(size_bytes);
    ASSIGN_OR_RETURN(SealedMemory memory,
                     create_sealed_memory("posthaste-arena", uint64_t{blocks} * kBlockBytes));
    return Arena(incarnation, blocks, memory.base, std::move(memory.memfd));
}

Arena Arena::create_private(uint32_t incarnation, uint64_t size_bytes) {
    const uint32_t blocks = blocks_for(size_bytes);
    void* base = ::mmap(nullptr, uint64_t{blocks} * kBlockBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(base != MAP_FAILED);
    return Arena(incarnation, blocks, static_cast<char*>(base), Fd());
}

Arena::Arena(uint32_t incarnation, uint32_t blocks_total, char* base, Fd memfd)
    : incarnation_(incarnation),
      blocks_total_(blocks_total),
      blocks_free_(blocks_total),
      base_(base),
      memfd_(std::move(memfd)),
      lent_((blocks_total + 63) / 64),
      listed_(blocks_total) {
    // Blocks that do not exist are lent for good: a run never reaches beyond the end.
    if (blocks_total % 64 != 0) lent_.back() = ~uint64_t{0} << (blocks_total % 64);
}

Arena::Arena(Arena&& other) noexcept
    : incarnation_(other.incarnation_),
      blocks_total_(other.blocks_total_),
      blocks_free_(other.blocks_free_),
      next_untouched_(other.next_untouched_),
      base_(std::exchange(other.base_, nullptr)),
      memfd_(std::move(other.memfd_)),
      free_(std::move(other.free_)),
      lent_(std::move(other.lent_)),
      listed_(std::move(other.listed_)),
      quarantine_(std::move(other.quarantine_)) {}

Arena& Arena::operator=(Arena&& other) noexcept {
    if (this == &other) return *this;
    this->~Arena();
    return *new (this) Arena(std::move(other));
}

Arena::~Arena() {
    if (base_ != nullptr) ::munmap(base_, uint64_t{blocks_total_} * kBlockBytes);
}

void Arena::lend(uint32_t number) noexcept {
    DCHECK(!is_lent(number));
    lent_[number / 64] |= uint64_t{1} << (number % 64);
    --blocks_free_;
}

std::optional<uint32_t> Arena::allocate() noexcept {
    while (!free_.empty()) {
        const uint32_t number = free_.back();
        free_.pop_back();
        listed_[number] = false;
        if (is_lent(number)) continue;  // a run took it meanwhile
        lend(number);
        return number;
    }
    if (next_untouched_ == blocks_total_) return std::nullopt;
    lend(next_untouched_);
    return next_untouched_++;
}

std::optional<uint32_t> Arena::allocate_run(uint32_t block_count) noexcept {
    ASSERT(block_count > 0);
    if (block_count == 1) return allocate();
    if (block_count > blocks_free_) return std::nullopt;
    const auto first = find_run(block_count);
    if (!first) return std::nullopt;
    const uint32_t end = *first + block_count;
    for (uint32_t number = *first; number < end; ++number) lend(number);
    next_untouched_ = std::max(next_untouched_, end);
    return first;
}

// The lowest run of free blocks: warm memory first, and no more pages touched than needed. Steps
// over whole words.
std::optional<uint32_t> Arena::find_run(uint32_t block_count) const noexcept {
    uint32_t start = 0;
    while (start + block_count <= blocks_total_) {
        const uint64_t taken_from_start = lent_[start / 64] >> (start % 64);
        if ((taken_from_start & 1) != 0) {
            const auto ones = static_cast<uint32_t>(std::countr_one(taken_from_start));
            start += std::min(ones, 64 - start % 64);
            continue;
        }
        uint32_t end = start;
        while (end < start + block_count) {
            const uint64_t taken = lent_[end / 64] >> (end % 64);
            if (taken != 0) {
                end += static_cast<uint32_t>(std::countr_zero(taken));
                break;
            }
            end += 64 - end % 64;
        }
        if (end >= start + block_count) return start;
        start = end;
    }
    return std::nullopt;
}

void Arena::free(uint32_t number) noexcept {
    ASSERT(number < blocks_total_);
    ASSERT(is_lent(number));
    lent_[number / 64] &= ~(uint64_t{1} << (number % 64));
    ++blocks_free_;
    if (listed_[number]) return;
    listed_[number] = true;
    free_.push_back(number);
}

std::span<char> Arena::block(uint32_t number) noexcept {
    ASSERT(number < blocks_total_);
    return {base_ + uint64_t{number} * kBlockBytes, kBlockBytes};
}

std::string_view Arena::bytes(uint32_t first_block, uint32_t offset,
                              uint32_t length) const noexcept {
    ASSERT(lies_inside(uint64_t{blocks_total_} * kBlockBytes, first_block, offset, length));
    return {base_ + uint64_t{first_block} * kBlockBytes + offset, length};
}

void Arena::quarantine(uint32_t number, uint32_t peer_incarnation) {
    ASSERT(number < blocks_total_);
    ASSERT(is_lent(number));
    quarantine_.push_back({peer_incarnation, number});
}

void Arena::release_quarantine(uint32_t peer_incarnation) {
    std::erase_if(quarantine_, [&](const Quarantined& held) {
        if (held.peer_incarnation != peer_incarnation) return false;
        free(held.block);
        return true;
    });
}

Result<ArenaView> ArenaView::map(uint32_t incarnation, int memfd) {
    ASSIGN_OR_RETURN(const uint64_t size_bytes, verify_sealed_memory(memfd));
    if (size_bytes % kBlockBytes != 0 || size_bytes > kArenaBytesMax) {
        return Error{Errc::misbehaved, 0, "foreign arena: wrong size"};
    }
    ArenaView out;
    ASSIGN_OR_RETURN(out.base_, map_sealed_memory(memfd, size_bytes));
    out.incarnation_ = incarnation;
    out.size_bytes_ = size_bytes;
    out.mapped_ = true;
    return out;
}

ArenaView ArenaView::of(const Arena& arena) {
    ArenaView out;
    out.incarnation_ = arena.incarnation();
    out.size_bytes_ = uint64_t{arena.blocks_total()} * kBlockBytes;
    out.base_ = arena.bytes(0, 0, 0).data();
    return out;
}

ArenaView::ArenaView(ArenaView&& other) noexcept
    : incarnation_(other.incarnation_),
      size_bytes_(other.size_bytes_),
      base_(std::exchange(other.base_, nullptr)),
      mapped_(std::exchange(other.mapped_, false)) {}

ArenaView& ArenaView::operator=(ArenaView&& other) noexcept {
    std::swap(incarnation_, other.incarnation_);
    std::swap(size_bytes_, other.size_bytes_);
    std::swap(base_, other.base_);
    std::swap(mapped_, other.mapped_);
    return *this;
}

ArenaView::~ArenaView() {
    if (mapped_) ::munmap(const_cast<char*>(base_), size_bytes_);
}

std::optional<std::string_view> ArenaView::bytes(uint32_t first_block, uint32_t offset,
                                                 uint32_t length) const noexcept {
    if (base_ == nullptr || !lies_inside(size_bytes_, first_block, offset, length))
        return std::nullopt;
    return std::string_view(base_ + uint64_t{first_block} * kBlockBytes + offset, length);
}

}  // namespace posthaste
