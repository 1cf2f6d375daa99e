// scheduler/rewrite_side.h: the conversation with rewrite (mail/wire/resolve.h). One of its
// processes is asked: the one that came last, since after a reload it alone knows the new tables.
// When it goes, what was asked is asked again of another, or waits for the next: nothing bounces
// for want of rewrite.
#pragma once

#include <string_view>
#include <vector>

#include "mail/wire/resolve.h"
#include "runtime/peers.h"

#include "scheduler/scheduler.h"

namespace posthaste {

class RewriteSide {
 public:
    explicit RewriteSide(Scheduler& scheduler) : scheduler_(scheduler) {}

    void on_up(Peer& peer) {
        peers_.push_back(&peer);
        scheduler_.on_rewrite_up();
    }

    void on_down(Peer& peer) {
        const bool was_asked = is_asked(peer);
        std::erase(peers_, &peer);
        if (!was_asked) return;
        scheduler_.on_rewrite_down();
        if (!peers_.empty()) scheduler_.on_rewrite_up();
    }

    void on_room() { scheduler_.on_rewrite_room(); }

    // False: undecodable.
    bool on_record(const Peer& peer, uint16_t type, std::string_view body) {
        if (type != wire::ResolveReply::kType || !wire::decode(body, reply_)) return false;
        // What an earlier one still says was asked again of the last.
        if (is_asked(peer)) scheduler_.on_resolved(reply_);
        return true;
    }

    bool resolve(uint64_t cookie, std::string_view recipient) {
        return !peers_.empty() &&
               peers_.back()->send(wire::ResolveRequest{cookie, true, recipient});
    }

 private:
    bool is_asked(const Peer& peer) const noexcept {
        return !peers_.empty() && peers_.back() == &peer;
    }

    Scheduler& scheduler_;
    std::vector<Peer*> peers_;
    wire::ResolveReply reply_;
};

}  // namespace posthaste
