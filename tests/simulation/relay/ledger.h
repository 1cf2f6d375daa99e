// tests/simulation/relay/ledger.h: everything that was promised and everything that happened, for
// each recipient of each message, and what is wrong with it.
//
// A message's recipients name it: <m17-0@d1.dest.test> is recipient 0 of message 17, wherever it is
// seen. Clients tell what was answered 250; destinations tell each attempt and what they made of
// it; the house tells who died. For each attempt the ledger knows
//
//   heard    the answer's bytes were handed to the agent that asked (the network counts them)
//   excused  the agent died before what it had heard was on disk: the disk is looked at in that
//            moment, or as soon as the store is up again. The same if it hung so long that a new
//            qmgr had to begin without its word (QmgrService::kAgentsPatienceUs)
//   stale    whoever sent these words had been given up before they came; or it did not know yet,
//            hung in that way, that its qmgr was dead, and for a while after it does know finishes
//            what it has begun
//
// and from that what may happen next: an attempt whose answer was heard and that is not excused is
// known to the relay for ever. So a second delivery is a fault unless the first one's answer was
// not heard or is excused: a bound of exactly what was in flight.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "simulation/relay/house.h"

namespace posthaste::simulation {

struct Attempt {
    enum class End : uint8_t { open, deferred, refused, taken };

    int64_t at_us = 0;
    int64_t wall_us = 0;
    uint32_t agent = 0;  // incarnation; 0: of nobody who is alive
    End end = End::open;
    std::optional<uint32_t> attempts_before;  // as on disk when it began; nothing: unknown yet
    bool stale = false;
    bool excused = false;
    bool unclear = false;  // to be excused, or not, when the store is up
    std::shared_ptr<const uint64_t> heard_bytes;
    uint64_t mail_mark = UINT64_MAX;  // so many heard: the relay knows that the server spoke
    uint64_t end_mark = UINT64_MAX;   // … and knows the end

    bool spoken() const { return heard_bytes && *heard_bytes >= mail_mark; }

    bool heard() const { return heard_bytes && *heard_bytes >= end_mark; }
};

class Ledger {
 public:
    struct Limits {
        int64_t minimal_backoff_us;
        int64_t maximal_backoff_us;
        int64_t lifetime_us;
    };

    Ledger(House& house, Limits limits) : house_(house), limits_(limits) {}

    // ---- clients
    void will_send(uint64_t message, std::vector<std::string> recipients, uint32_t lines);
    void on_acked(uint64_t message, std::string_view queue_id,
                  const std::vector<uint32_t>& accepted);

    // ---- destinations
    struct Key {
        uint64_t message;
        uint32_t recipient;
        size_t attempt;
    };

    // A connection, as the destination knows it.
    struct Origin {
        IpAddress agent;
        int64_t since_us;
        std::shared_ptr<const uint64_t> heard_bytes;
    };

    // `is_held`: the agent still has the connection. Nothing: not an address of ours, which is a
    // fault.
    std::optional<Key> on_attempt(std::string_view address, const Origin& origin, bool is_held,
                                  uint64_t mail_mark);

    Attempt& at(const Key& key) {
        return rows_[key.message].recipients[key.recipient].attempts[key.attempt];
    }

    // All of the message, without the final dot.
    void on_content(const std::vector<Key>& recipients, std::string_view bytes);

    void note(std::string line) { house_.keep_line(std::move(line)); }

    // ---- the house
    void on_ending(SimProcess& process, bool crashed);
    void on_store_up();
    void on_qmgr_up(const SimProcess& qmgr);

    void before_clock_step(int64_t by_us);

    // ---- the end
    // Everything that was stored is done, or held for good.
    bool all_settled();

    // For what never changes: the first fault noticed, or nothing.
    const std::string& fault() const noexcept { return fault_; }

    void judge(const std::function<void(std::string)>& fail);
    // Longest time from 250 to the first delivery of recipients in `domain`.
    int64_t slowest_us(std::string_view domain) const;
    // Longest time from an attempt that was put off to the next one, of the same.
    int64_t longest_retry_us(std::string_view domain) const;

    uint64_t acked() const noexcept { return acked_; }

    uint64_t taken() const noexcept { return taken_; }

    uint64_t duplicates() const;

    uint64_t held() const noexcept { return held_; }

    uint64_t attempts() const noexcept { return attempts_; }

 private:
    struct Recipient {
        std::string address;
        bool accepted = false;
        std::vector<Attempt> attempts;
        bool refused_once = false;
    };

    struct Row {
        std::vector<Recipient> recipients;
        uint32_t lines = 0;
        MessageId id = kNoMessage;
        bool acked = false;
        int64_t acked_us = 0;
        int64_t arrived_wall_us = 0;
    };

    // The clock was set back, the latest time that mail may be told to wait for then, and what was
    // on disk then, or was on its way there: recipients, and their times.
    struct SetBack {
        int64_t at_us;
        int64_t latest_due_us;
        std::set<std::pair<std::string, uint32_t>> waiting;
        bool all_known;  // the store was up
    };

    // Of an agent: a qmgr began without it; it moved again.
    struct Unheard {
        int64_t begins_us;
        int64_t moves_us;
    };

    void fault(std::string what);
    void learn_ids();
    void learn_id(uint64_t message, MessageId id);
    int64_t longest_wait_us() const;
    void remember_waiting(SetBack& step);
    bool is_of_another_clock(const Recipient& recipient, uint32_t due_s) const;
    bool is_word_of_unheard(SimProcess& agent, const Origin& origin) const;
    void check_time(const Row& row, const Recipient& recipient, const House::Durable* durable);
    bool is_recorded(Row& row, uint32_t number, const Attempt& attempt);
    std::optional<uint32_t> attempts_on_disk(Row& row, uint32_t number);
    void look_for_the_unheard(uint32_t qmgr, int64_t qmgr_up_us);
    void doubt(uint32_t agent);
    const PendingGroup* group_of(const House::Durable& durable, std::string_view address) const;
    void judge_recipient(const Row& row, const Recipient& recipient,
                         const std::map<MessageId, House::Durable>& left,
                         const std::function<void(std::string)>& fail);

    House& house_;
    Limits limits_;
    std::map<uint64_t, Row> rows_;
    std::map<MessageId, uint64_t> message_of_;
    std::map<uint32_t, Unheard> unheard_;  // agents, the last time
    std::string fault_;
    int64_t clock_stepped_us_ = -1;
    int64_t wall_high_us_ = 0;
    std::deque<SetBack> set_back_;
    uint64_t acked_ = 0;
    uint64_t taken_ = 0;
    uint64_t held_ = 0;
    uint64_t attempts_ = 0;
};

// The wire form, dots doubled, and the lines that must arrive: each says whose it is.
std::string text_of_message(uint64_t message, std::string_view tag, uint32_t lines);
std::string address_of(uint64_t message, uint32_t recipient, std::string_view domain);

}  // namespace posthaste::simulation
