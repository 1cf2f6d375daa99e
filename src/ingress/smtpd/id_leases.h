// ingress/smtpd/id_leases.h: message ids at hand. Asked for ahead of need, so that RCPT never waits
// for one; given out once each and never twice, since the store persisted the end of a lease before
// it granted it. What is left over when the process ends is lost, and nobody misses it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "mail/queue_id.h"
#include "mail/wire/id_lease.h"
#include "runtime/loop.h"
#include "runtime/peers.h"
#include "runtime/timer_wheel.h"

namespace posthaste::smtpd {

class IdLeases {
 public:
    explicit IdLeases(Loop& loop);

    // kNoMessage: none at hand.
    MessageId take();

    bool has_any() const noexcept { return left_ > 0; }

    void on_cleanup_up(Peer& cleanup);
    // It is gone, or goes.
    void stop_asking(Peer& cleanup);

    void on_room() { ask_if_low(); }

    // False: the grant breaks the rules.
    bool on_grant(Peer& cleanup, const wire::LeaseGrant& grant);

 private:
    // A busy process uses a lease in about a tenth of a second; the store answers within a sync.
    static constexpr uint64_t kLow = wire::kLeaseIds;
    // A cleanup whose store died may never answer.
    static constexpr int64_t kAskAgainUs = 500 * kMsUs;
    static constexpr size_t kLeasesMax = 16;

    struct Lease {
        MessageId next;
        MessageId end;
    };

    void ask_if_low();
    void on_ask_again();

    Loop& loop_;
    Timer ask_again_;
    std::deque<Lease> leases_;
    uint64_t left_ = 0;
    std::vector<Peer*> cleanups_;
    size_t next_cleanup_ = 0;
    uint64_t cookie_ = 0;
};

}  // namespace posthaste::smtpd
