// runtime/arena.h: message bytes in shared memory. One memfd of fixed blocks, written by its owner
// alone and read-only to everybody else, enforced by the kernel (F_SEAL_FUTURE_WRITE after the
// owner's own mapping).
//
// Shared memory holds bytes and nothing else: which block is free, whose it is and how long the
// text in it is is known from the owner's private memory. Blocks are lent in records ({incarnation,
// block, offset, length}, which mail/wire calls an Extent) and come back with the answer, or with
// the borrower's death.
//
// Quarantine: smtpd lends to cleanup, cleanup passes the place on to the store. If cleanup dies,
// the store may still hold a request that names these blocks. They must not be written again until
// a store has said that it has let go of that cleanup (runtime/peers.h on_forgotten); until
// then they wait in quarantine.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace posthaste {

inline constexpr uint32_t kBlockBytes = 16 * 1024;

// The owner's side.
class Arena {
 public:
    // memfd, size_bytes rounded up to whole blocks; mapped, then sealed
    // SHRINK|GROW|FUTURE_WRITE|SEAL. Pages are taken from the system when first written, not now.
    static Result<Arena> create(uint32_t incarnation, uint64_t size_bytes);
    // For tests and the simulation: private memory, nothing sealed.
    static Arena create_private(uint32_t incarnation, uint64_t size_bytes);
    Arena(Arena&&) noexcept;
    Arena& operator=(Arena&&) noexcept;
    ~Arena();

    uint32_t incarnation() const noexcept { return incarnation_; }

    int memfd() const noexcept { return memfd_.get(); }

    uint32_t blocks_total() const noexcept { return blocks_total_; }

    uint32_t blocks_free() const noexcept { return blocks_free_; }

    // Nothing when the arena is full: stop reading your source.
    std::optional<uint32_t> allocate() noexcept;
    // Consecutive blocks, for whole messages; nothing when no run is that long (allocate singly
    // then).
    std::optional<uint32_t> allocate_run(uint32_t block_count) noexcept;
    void free(uint32_t block) noexcept;
    std::span<char> block(uint32_t number) noexcept;
    std::string_view bytes(uint32_t first_block, uint32_t offset, uint32_t length) const noexcept;

    // Blocks that a dead peer may have passed on. release_quarantine frees those of that
    // incarnation.
    void quarantine(uint32_t block, uint32_t peer_incarnation);
    void release_quarantine(uint32_t peer_incarnation);

 private:
    Arena(uint32_t incarnation, uint32_t blocks_total, char* base, Fd memfd);

    bool is_lent(uint32_t number) const noexcept {
        return (lent_[number / 64] >> (number % 64) & 1) != 0;
    }

    void lend(uint32_t number) noexcept;
    std::optional<uint32_t> find_run(uint32_t block_count) const noexcept;

    uint32_t incarnation_ = 0;
    uint32_t blocks_total_ = 0;
    uint32_t blocks_free_ = 0;
    uint32_t next_untouched_ = 0;  // blocks never used so far: memory is taken only when needed
    char* base_ = nullptr;
    Fd memfd_;
    // Used last, used first: its pages are warm. May name blocks that a run has taken.
    std::vector<uint32_t> free_;
    std::vector<uint64_t> lent_;  // the truth, one bit a block; also catches double frees
    std::vector<bool> listed_;    // in free_, so that no block stands there twice

    struct Quarantined {
        uint32_t peer_incarnation;
        uint32_t block;
    };

    std::vector<Quarantined> quarantine_;
};

// A reader's side: another process's arena, mapped read-only.
class ArenaView {
 public:
    // Foreign descriptor: verifies the seals and takes the size from the kernel, not from the peer.
    static Result<ArenaView> map(uint32_t incarnation, int memfd);
    // In the simulation the owner's memory itself.
    static ArenaView of(const Arena& arena);
    ArenaView(ArenaView&&) noexcept;
    ArenaView& operator=(ArenaView&&) noexcept;
    ~ArenaView();

    uint32_t incarnation() const noexcept { return incarnation_; }

    // Bounds are checked with the reader's own numbers; nothing when the extent does not lie
    // inside. The bytes may change under the reader: copy once, check the copy, use the copy; or
    // only pass them on.
    std::optional<std::string_view> bytes(uint32_t first_block, uint32_t offset,
                                          uint32_t length) const noexcept;

 private:
    ArenaView() = default;

    uint32_t incarnation_ = 0;
    uint64_t size_bytes_ = 0;
    const char* base_ = nullptr;
    bool mapped_ = false;
};

}  // namespace posthaste
