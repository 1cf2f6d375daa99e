// cleanup/cleanup/recipients.h: the envelope as it goes on: every address complete, no recipient
// twice.
#pragma once

#include "mail/envelope.h"

#include "cleanup/cleanup/policy.h"

namespace posthaste::cleanup {

// Sender and recipients get the domain they lack. The empty sender stays empty.
void complete_envelope(const CleanupPolicy& policy, Envelope& envelope);

// The first of several equal recipients stays; domains are compared without regard to case, local
// parts exactly. With tell_duplicates_by_original two recipients that differ in ORCPT or NOTIFY are
// two. After duplicates_max different ones (0: never) the rest is let through unseen, as in
// Postfix: better twice than not at all.
void drop_duplicates(const CleanupPolicy& policy, Envelope& envelope);

}  // namespace posthaste::cleanup
