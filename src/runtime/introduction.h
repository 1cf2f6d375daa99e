// runtime/introduction.h: the links of this process to the peers master has introduced it to, from
// the handshake to the end. Owned by service_main.cpp; feeds Peers.
//
// One link is one SOCK_SEQPACKET pair with runtime/control.h's framing. Both sides speak first,
// nobody waits, but for who only reads an arena: it greets when it has mapped that, so that its
// owner meets nobody to whom its bytes mean nothing yet.
//
//   ─► Hello {+ ring segment, doorbell} {+ arena}     what master has promised the other side
//   ◄─ Hello …
//   ◄─► Forgotten {incarnation}                       only from an arena's reader to its owner, when master
//                                                     has told it of the death of one that lent on;
//                                                     the last kGoneMax again to each owner it meets
//   end of file                                       the peer died, or has closed the link
//
//   greeting ──right Hello──► established ──end of file, Forget──► leaving ──► gone
//      └───────── wrong Hello, end of file, kPatienceUs ────────────┘
//
// What comes from the peer is foreign: descriptors are verified (seals, size, kind) before use,
// numbers must be what master said, and whoever is wrong is reported to master and logged. Before
// the handshake it loses the link. After it the link stays, unheard (runtime/peers.h), until master
// has ended one of the two: no memory comes home while somebody who lives may read it. A link never
// blocks the loop.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/units.h"

#include "runtime/arena.h"
#include "runtime/control.h"
#include "runtime/loop.h"
#include "runtime/peers.h"
#include "runtime/role.h"

namespace posthaste {

namespace handshake {

inline constexpr uint32_t kLayoutVersion = 1;  // of rings, arenas and these messages

// Descriptors, in this order: own segment and own doorbell (a link with rings), own arena (when it
// is lent).
struct Hello {
    static constexpr uint16_t kType = 40;
    static constexpr uint32_t kMagic = 0x6f6c'6568;  // "helo"
    uint32_t magic = kMagic;
    uint32_t layout_version = kLayoutVersion;
    Role role = Role::master;
    uint32_t incarnation = 0;
    uint32_t ring_bytes = 0;  // of the sender's own segment

    template <class Codec>
    void visit(Codec& codec) {
        codec(magic);
        codec(layout_version);
        codec(role);
        codec(incarnation);
        codec(ring_bytes);
    }
};

// The sender maps the receiver's arena and holds nothing any more that the dead process
// `incarnation` had told it.
struct Forgotten {
    static constexpr uint16_t kType = 41;
    uint32_t incarnation = 0;

    template <class Codec>
    void visit(Codec& codec) {
        codec(incarnation);
    }
};

}  // namespace handshake

class Introductions {
 public:
    static constexpr int64_t kPatienceUs = 60 * kSecondUs;
    static constexpr size_t kGoneMax = control::Forget::kFormerMax;

    struct Self {
        Role role = Role::master;
        uint32_t incarnation = 0;
        Arena* arena = nullptr;  // ours, lent where master says so
    };

    class Listener {
     public:
        // Both for the log and for master. It broke the rules of an established link, once told.
        virtual void on_misbehaviour(Role role, uint32_t incarnation, std::string_view what) = 0;
        // There was no handshake, or a wrong one; the link is closed.
        virtual void on_failed_introduction(Role role, uint32_t incarnation,
                                            std::string_view what) = 0;

     protected:
        ~Listener() = default;
    };

    Introductions(Loop& loop, Peers& peers, Self self, Listener& listener);
    ~Introductions();

    // Master's word. Two are introduced again when one of them says that they have not met: a link
    // that is not established gives way to the new one, one that is shows who lies.
    void introduce(const control::Introduce& terms, Fd socket);
    // Master has reaped that process: its link goes. If it lent on, every owner whose arena we read
    // is told.
    void forget(const control::Forget& death);

    // Closes every link; has_links() is false when the loop holds nothing of them any more.
    void leave_all();

    bool has_links() const noexcept { return !links_.empty(); }

 private:
    class Link;
    Link* find(uint32_t incarnation) noexcept;
    void on_removed(uint32_t incarnation);
    void tell_forgotten(uint32_t incarnation);
    void tell_gone(Link& link);
    void reap();

    Loop& loop_;
    Peers& peers_;
    Self self_;
    Listener& listener_;
    std::vector<std::unique_ptr<Link>> links_;
    std::deque<uint32_t> gone_;  // the last who lent on: an owner may meet us before it hears of
                                 // their death
    Timer reap_timer_;
};

}  // namespace posthaste
