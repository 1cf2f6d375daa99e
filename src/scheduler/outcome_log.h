// scheduler/outcome_log.h: outcomes on their way to disk. Each is kept until the store says that it
// is recorded, and all that are kept are sent again, in order, to a store that was started anew;
// recording one twice is harmless.
//
//   add() ──► unsent ──send()──► sent ──recorded()──► gone
//               ▲                  │ store died: replay()
//               └──────────────────┘
//
// Bounded by the active queue: a message has one final outcome and now and then one on its way; the
// scheduler starts nothing new beyond kUnrecordedMax.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "mail/wire/queued_message.h"

namespace posthaste {

class OutcomeLog {
 public:
    static constexpr size_t kUnrecordedMax = 100'000;

    // Gives it its sequence number, which is returned. `final`: the message has left the active
    // queue with it.
    uint64_t add(wire::RecordOutcome& outcome, bool final);

    // send(type-19 body) until it refuses.
    template <class Send>
    void send(Send&& send_body) {
        while (sent_ < kept_.size() && send_body(kept_[sent_].body)) ++sent_;
    }

    void replay() noexcept { sent_ = 0; }

    // visit(id, final) for each that this covers, oldest first. A number beyond what was sent is
    // cut to it.
    template <class Visit>
    void recorded(uint64_t sequence, Visit&& visit) {
        while (sent_ > 0 && kept_.front().sequence <= sequence) {
            visit(kept_.front().id, kept_.front().final);
            recorded_ = kept_.front().sequence;
            spare_.swap(kept_.front().body);
            kept_.pop_front();
            --sent_;
        }
    }

    uint64_t recorded_up_to() const noexcept { return recorded_; }

    size_t size() const noexcept { return kept_.size(); }

    bool has_unsent() const noexcept { return sent_ < kept_.size(); }

 private:
    struct Kept {
        uint64_t sequence;
        MessageId id;
        bool final;
        std::string body;
    };

    std::deque<Kept> kept_;
    size_t sent_ = 0;  // how many from the front
    uint64_t last_ = 0;
    uint64_t recorded_ = 0;
    std::string spare_;  // a used body's memory, for the next one
};

}  // namespace posthaste
