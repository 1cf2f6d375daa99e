// mail/wire/commit_request.h: cleanup (bounce) → store and back. Also LeaseRequest / LeaseGrant.
//
// The content is the pieces in order; they may lie in cleanup's arena (the header section) and in
// the arena of whoever received the message (the body). The store copies them once, into its own
// arena, and answers when its copy is on stable storage. An extent that does not lie in a mapped
// arena, an envelope that does not parse or whose size_bytes differs from the sum of lengths:
// refused.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "mail/wire/extent.h"
#include "mail/wire/id_lease.h"

namespace posthaste::wire {

struct CommitRequest {
    static constexpr uint16_t kType = 3;
    uint64_t cookie = 0;
    std::string_view envelope;
    std::vector<Extent> content;

    template <class Codec>
    void visit(Codec& codec) {
        codec(cookie);
        codec.text(envelope, kEnvelopeBytesMax);
        codec.list(content, kExtentsMax);
    }
};

enum class CommitOutcome : uint8_t {
    durable = 0,   // survives power loss
    no_space = 1,  // below the free-space floor: 452 4.3.1
    busy = 2,      // a bound of the store is reached: 451 4.3.0
    refused = 3,   // the request itself is wrong: 451 4.3.0 and a warning
};

struct CommitResult {
    static constexpr uint16_t kType = 4;
    uint64_t cookie = 0;
    CommitOutcome outcome = CommitOutcome::refused;

    template <class Codec>
    void visit(Codec& codec) {
        codec(cookie);
        codec(outcome);
    }
};

}  // namespace posthaste::wire
