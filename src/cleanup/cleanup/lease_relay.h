// cleanup/cleanup/lease_relay.h: who asked for message ids and has not got them yet. cleanup passes
// the question on to the store under a cookie of its own, and finds the asker by it again.
//
//   added ──sent──► asked ──grant──► gone
//     ▲               │
//     └─ store died ──┘   asked again at the next store: a lost lease costs numbers, not mail
//
// One question an asker: they ask again when no answer comes, and the new one takes the old one's
// place, cookie and all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace posthaste::cleanup {

class LeaseRelay {
 public:
    static constexpr size_t kPendingMax = 1024;  // more askers than master ever starts

    struct Asker {
        uint32_t incarnation = 0;
        uint64_t cookie = 0;
    };

    // False: too many.
    bool add(Asker asker);
    // Offers every question not asked yet; `ask` answers false when there is no room, which ends
    // the round.
    void send_unasked(const std::function<bool(uint64_t cookie)>& ask);
    // Who is to have the answer; nothing when the cookie is none of ours or the asker is gone.
    std::optional<Asker> take(uint64_t cookie);
    void on_asker_gone(uint32_t incarnation);
    void on_store_gone() noexcept;

    bool empty() const noexcept { return pending_.empty(); }

 private:
    struct Pending {
        uint64_t cookie = 0;
        Asker asker;
        bool asked = false;
    };

    std::vector<Pending> pending_;
    uint64_t next_cookie_ = 1;
};

}  // namespace posthaste::cleanup
