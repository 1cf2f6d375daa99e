// mail/wire/id_lease.h: blocks of message ids, from the store through cleanup to smtpd.
// Asked for ahead of need (when half a lease is left), so that the first RCPT,
// which takes one, never waits.
#pragma once

#include <cstdint>

#include "mail/queue_id.h"

namespace posthaste::wire {

inline constexpr uint32_t kLeaseIds = 1024;

struct LeaseRequest {
    static constexpr uint16_t kType = 1;
    uint64_t cookie = 0;  // echoed; cleanup tells its askers apart by it

    template <class Codec>
    void visit(Codec& codec) {
        codec(cookie);
    }
};

// count 0 and first kNoMessage: none now (the queue can not be written); ask again later.
struct LeaseGrant {
    static constexpr uint16_t kType = 2;
    uint64_t cookie = 0;
    MessageId first = kNoMessage;
    uint32_t count = 0;

    template <class Codec>
    void visit(Codec& codec) {
        codec(cookie);
        codec(first);
        codec(count);
    }
};

}  // namespace posthaste::wire
