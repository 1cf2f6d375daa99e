// ingress/smtpd/submissions.h: messages that cleanup holds, and who waits for the answer.
//
//   submit() ──► SubmitMessage ──► SubmitResult ──► on_answer(), blocks free
//                     └── cleanup dies ──► on_answer(451), blocks in quarantine until a store has
//                     let go of that cleanup
//
// A session may vanish while it waits (abandon()); then only the blocks wait. Cleanups take turns;
// one whose ring is full is passed over; when all are full, none lives, or no store could find the
// bytes, submit() says no and on_ready() tells when to try again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "mail/wire/submitted_message.h"
#include "runtime/peers.h"

#include "ingress/smtpd/message_blocks.h"
#include "ingress/smtpd/message_memory.h"

namespace posthaste::smtpd {

class Submissions {
 public:
    using Number = uint32_t;
    static constexpr Number kNone = UINT32_MAX;

    class Submitter {
     public:
        // `dsn` and `text` fit into a reply as they are.
        virtual void on_answer(uint16_t code, std::string_view dsn, std::string_view text) = 0;
        virtual void on_ready() = 0;

     protected:
        ~Submitter() = default;
    };

    explicit Submissions(MessageMemory& memory) : memory_(memory) {}

    // On success the blocks are ours, and on_answer() will be called, once, unless abandon() comes
    // first. kNone: no cleanup can take it now, `blocks` is as it was, and `submitter` is on the
    // list for on_ready() until stop_waiting().
    Number submit(Submitter& submitter, const Envelope& envelope, MessageBlocks& blocks);
    void abandon(Number number) noexcept;
    void stop_waiting(Submitter& submitter);

    void on_cleanup_up(Peer& cleanup);
    // It takes nothing new. It is told when nothing of ours is on its way any more; what it has, it
    // answers. False: it said so before.
    bool on_cleanup_leaving(Peer& cleanup);
    // Returns how many were void.
    size_t on_cleanup_down(Peer& cleanup);

    // A store that has mapped our arena.
    void on_store_up() {
        ++stores_;
        tell_waiting();
    }

    void on_store_down() noexcept { --stores_; }

    bool has_store() const noexcept { return stores_ > 0; }

    void on_room() {
        say_no_more();
        tell_waiting();
    }

    // False: it answers what nobody asked.
    bool on_result(Peer& cleanup, const wire::SubmitResult& result);

    size_t outstanding() const noexcept { return outstanding_; }

 private:
    struct Slot {
        Submitter* submitter = nullptr;
        uint32_t cleanup_incarnation = 0;  // 0: free
        uint32_t generation = 0;           // in the cookie: a late answer finds nobody
        std::vector<uint32_t> blocks;
    };

    Number take_slot();
    Submitter* release(Number number);
    void tell_waiting();
    void say_no_more();

    static uint64_t cookie_of(Number number, uint32_t generation) noexcept {
        return uint64_t{generation} << 32 | number;
    }

    MessageMemory& memory_;
    size_t stores_ = 0;  // a new one may be met before the old one's end is heard of
    std::vector<Peer*> cleanups_;
    std::vector<Peer*> to_be_told_;  // who leave, and have not heard from us for lack of room
    size_t next_cleanup_ = 0;
    std::vector<Slot> slots_;
    std::vector<Number> free_slots_;
    size_t outstanding_ = 0;
    std::vector<Submitter*> waiting_;
    std::string envelope_bytes_;  // reused
    wire::SubmitMessage record_;
    std::vector<uint32_t> returned_;
};

}  // namespace posthaste::smtpd
