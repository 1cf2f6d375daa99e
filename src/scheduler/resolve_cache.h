// scheduler/resolve_cache.h: what rewrite answered about domains, kept for as long as it said, and
// who waits for an answer.
//
//   (none) ──first recipient──► asking ──answer──► known ──ttl──► asking again at the next recipient
//                                 │        └──not good for the whole domain──► by_address: each address is asked for,
//                                 │                                            under its own key, until the ttl is over
//                                 └ any number of recipients wait here; one question is asked
//
// Bounded: kEntries; the oldest answer goes first. What is being asked is never dropped; when all
// entries are, lookup() says full and the recipient has to wait. Pure: it tells which questions to
// ask (take_unasked) and is told the answers.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "mail/wire/resolve.h"

#include "scheduler/flat_index.h"
#include "scheduler/index_list.h"
#include "scheduler/message.h"

namespace posthaste {

// The way of a recipient.
struct Route {
    enum class Kind : uint8_t { destination, deferred, bounced, discarded, held };
    Kind kind = Kind::deferred;
    uint32_t destination = kNone;
    uint32_t generation = 0;
    std::string dsn;
    std::string text;
};

struct ResolveWaiter {
    MessageRef message;
    uint32_t recipient = 0;
};

class ResolveCache {
 public:
    ResolveCache(uint64_t seed, uint32_t entries_max) : seed_(seed), entries_max_(entries_max) {}

    struct Lookup {
        const Route* route = nullptr;  // known; valid until the next call
        bool full = false;             // neither known nor asked for
    };

    // Unknown: `waiter` waits, and the question is among those to be asked. `usable(route)` says
    // whether what a known route names still exists.
    template <class Usable>
    Lookup lookup(std::string_view recipient, const ResolveWaiter& waiter, int64_t now_us,
                  Usable&& usable) {
        for (const std::string_view key : {domain_key(recipient), recipient}) {
            const uint32_t index = find(key);
            if (index == kNone) return wait_new(key, recipient, waiter);
            Entry& entry = entries_[index];
            if (entry.state == State::asking) return wait_at(index, recipient, waiter);
            if (entry.expires_us <= now_us ||
                (entry.state == State::known && !usable(entry.route))) {
                ask_again(index, recipient);
                return wait_at(index, recipient, waiter);
            }
            if (entry.state == State::known) return {&entry.route, false};
        }
        return {nullptr,
                true};  // by_address under its own full key: never stored, so never reached
    }

    // Questions not yet sent, oldest first. False from ask(cookie, recipient): no room, ask later.
    template <class Ask>
    void take_unasked(Ask&& ask) {
        while (!unasked_.empty()) {
            const uint32_t index = unasked_.front();
            if (!asked(index, ask)) return;
            unasked_.pop_front();
        }
        // Of those under suspicion one at a time, so that the next death tells which.
        while (suspect_asked_ == kNone && !suspects_.empty()) {
            const uint32_t index = suspects_.front();
            if (!asked(index, ask)) return;
            suspects_.pop_front();
            if (entries_[index].state == State::asking) suspect_asked_ = index;
        }
    }

    // What a rewrite was asked, and it did not live to answer.
    struct Fatal {
        uint64_t cookie = 0;
        uint8_t deaths = 0;
        std::string question;
    };

    // There is another rewrite: what was asked and is not answered is asked of that one.
    void ask_all_again();
    // And the one that was asked has died. Returns what several have died of now; whoever does not
    // answer() it has it asked again too.
    std::vector<Fatal> rewrite_died(uint8_t deaths_of_suspect);

    // What is known may be so no more: each is asked for again at its next recipient.
    void expire_all();

    // An answer came. `waiters` receives those it is for; those it is not for (of the same domain)
    // are in `others` and must be looked up again. False: nobody asked that.
    bool answer(uint64_t cookie, bool per_domain, uint32_t ttl_s, int64_t now_us, Route route,
                std::vector<ResolveWaiter>& waiters, std::vector<ResolveWaiter>& others);

    uint32_t size() const noexcept { return entries_.in_use(); }

 private:
    enum class State : uint8_t { unused, asking, known, by_address };

    struct Waiting {
        ResolveWaiter waiter;
        bool same_recipient = false;  // the one that the question names
    };

    struct Entry {
        std::string key;
        std::string question;
        uint64_t hash = 0;
        uint32_t serial = 0;
        State state = State::unused;
        bool asked = false;  // of the rewrite that is alive
        uint8_t deaths = 0;  // of rewrites that were asked
        int64_t expires_us = 0;
        Route route;
        std::vector<Waiting> waiting;
        Links links;  // answered ones, oldest first
    };

    static std::string_view domain_key(std::string_view recipient) noexcept;

    uint64_t cookie_of(uint32_t index) const noexcept {
        return uint64_t{entries_[index].serial} << 32 | index;
    }

    template <class Ask>
    bool asked(uint32_t index, Ask&& ask) {
        Entry& entry = entries_[index];
        if (entry.state != State::asking) return true;
        entry.asked = ask(cookie_of(index), entry.question);
        return entry.asked;
    }

    uint32_t find(std::string_view key) const noexcept;
    Lookup wait_new(std::string_view key, std::string_view recipient, const ResolveWaiter& waiter);
    Lookup wait_at(uint32_t index, std::string_view recipient, const ResolveWaiter& waiter);
    void ask_again(uint32_t index, std::string_view recipient);
    void drop(uint32_t index);

    uint64_t seed_;
    uint32_t entries_max_;
    Slab<Entry, 256> entries_;
    FlatIndex index_;
    IndexList<Entry, &Entry::links> answered_;
    std::deque<uint32_t> unasked_;
    std::deque<uint32_t> suspects_;  // the same, of which rewrites have died
    uint32_t suspect_asked_ = kNone;
};

}  // namespace posthaste
