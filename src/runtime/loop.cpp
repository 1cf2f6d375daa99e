#include "runtime/loop.h"

#include "base/assert.h"

namespace posthaste {

Completion::~Completion() { ASSERT(!in_flight_); }

void Completion::begin() noexcept {
    ASSERT(!in_flight_);
    in_flight_ = true;
}

void Completion::deliver(const Event& event) {
    DCHECK(in_flight_);
    // Idle before the call: the owner may start it again or destroy it in there.
    if (event.last) in_flight_ = false;
    run_(owner_, event);
}

}  // namespace posthaste
