// ingress/smtpd/message_memory.h: this process's arena as its sessions share it: who gets a block,
// and who waits for one.
//
// Memory is short when a block was refused or waited for and the arena has not been more than an
// eighth free since, for kShortAfterUs: then no message is begun (452 4.3.1). Sessions in the
// middle of one wait in order of asking; how long is their own patience.
//
// The queue's disk is the store's affair, but a client should hear of it at MAIL and not when it has
// sent all of a message: after a 452 from there memory counts as short for kQueueFullUs, then the
// next message tries again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/units.h"

#include "runtime/arena.h"
#include "runtime/loop.h"

namespace posthaste::smtpd {

class MessageMemory {
 public:
    static constexpr int64_t kShortAfterUs = 5 * kSecondUs;
    static constexpr int64_t kQueueFullUs = 1 * kSecondUs;

    class Waiter {
     public:
        virtual void on_room() = 0;

     protected:
        ~Waiter() = default;
    };

    MessageMemory(Loop& loop, Arena& arena) : loop_(loop), arena_(arena) {}

    uint32_t incarnation() const noexcept { return arena_.incarnation(); }

    uint64_t bytes_total() const noexcept { return uint64_t{arena_.blocks_total()} * kBlockBytes; }

    uint32_t blocks_used() const noexcept { return arena_.blocks_total() - arena_.blocks_free(); }

    bool has_block() const noexcept { return arena_.blocks_free() > 0; }

    bool is_short() const noexcept;

    // What cleanup answered for a message.
    void on_answer(uint16_t code) noexcept;

    std::optional<uint32_t> allocate();

    std::span<char> block(uint32_t number) noexcept { return arena_.block(number); }

    void free(std::span<const uint32_t> blocks);

    // on_room() once, when there is a block.
    void wait(Waiter& waiter);
    void stop_waiting(Waiter& waiter);

    // Blocks that a dead cleanup may have passed on (runtime/arena.h), until a store says that it
    // holds nothing of that cleanup any more.
    void quarantine(std::span<const uint32_t> blocks, uint32_t cleanup_incarnation);
    void release_quarantine(uint32_t cleanup_incarnation);

 private:
    void wake_waiters();

    Loop& loop_;
    Arena& arena_;
    int64_t short_since_us_ = kNeverUs;
    int64_t queue_full_until_us_ = 0;
    std::vector<Waiter*> waiters_;
};

}  // namespace posthaste::smtpd
