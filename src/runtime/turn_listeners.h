// runtime/turn_listeners.h: who a loop asks at the end of a turn. Owned by a loop, one thread.
//
//   one-shot requests → permanent listeners → requests made meanwhile → permanent listeners …
//
// The permanent ones come last because they publish what the requests produced (records in rings).
// Bounded: after kRoundsMax rounds the rest waits for the next turn, which then begins without
// sleeping. A listener may remove itself or others at any time, also from inside on_turn_end().
#pragma once

#include <cstddef>
#include <vector>

#include "runtime/loop.h"

namespace posthaste {

class TurnListeners {
 public:
    static constexpr int kRoundsMax = 4;

    void add(TurnListener& listener);
    void remove(TurnListener& listener) noexcept;
    void request(TurnListener& listener);

    void run();
    // True when somebody has work: the loop must not sleep. after_sleep() must follow either way.
    bool before_sleep();
    void after_sleep();

 private:
    void run_requested();

    std::vector<TurnListener*> permanent_;  // null: removed
    std::vector<TurnListener*> requested_;  // null: removed
    std::vector<TurnListener*> running_;
    size_t asked_before_sleep_ = 0;
};

}  // namespace posthaste
