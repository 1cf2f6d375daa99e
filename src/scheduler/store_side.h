// scheduler/store_side.h: the conversation with the store (mail/wire/queued_message.h): messages
// in, outcomes out, the index page by page.
//
//   store up: outcomes not yet recorded are sent again, then the index is read from its beginning (ids we know are
//   skipped), while new messages are announced. A gap in the announcements is read over again.
//
// What must be said in order is: nothing is loaded while the release of bytes or an outcome waits
// for room; releases and what agents hold do not overtake each other, else the store could give bytes
// away that an agent sends from, or keep them for ever.
#pragma once

#include <deque>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "mail/wire/queued_message.h"
#include "runtime/peers.h"

#include "scheduler/agent_side.h"
#include "scheduler/outcome_log.h"
#include "scheduler/scheduler.h"

namespace posthaste {

class StoreSide {
 public:
    StoreSide(Scheduler& scheduler, AgentSide& agents) : scheduler_(scheduler), agents_(agents) {}

    // The one before it, if we have not heard of its end yet, counts as gone.
    void on_up(Peer& peer);
    void on_down();
    void on_room();
    // False: undecodable.
    bool on_record(uint16_t type, std::string_view body);

    bool load(MessageId id);
    void release(MessageId id);
    uint64_t record(wire::RecordOutcome& outcome, bool final);

    size_t unrecorded() const noexcept { return outcomes_.size(); }

    void scan_from(MessageId after);
    // Agents have said what they hold: when all have, everything else lent to the qmgr before us may
    // go.
    void say_held(std::vector<AgentSide::HeldList> lists);

    bool is_up() const noexcept { return peer_ != nullptr; }

    bool is_with(const Peer& peer) const noexcept { return peer_ == &peer; }

 private:
    bool on_scan_page(std::string_view body);
    bool on_recorded(std::string_view body);
    void send_waiting();
    void send_scan_request();
    void say_of_content();
    bool say_held_part(AgentSide::HeldList& list);

    Scheduler& scheduler_;
    AgentSide& agents_;
    Peer* peer_ = nullptr;
    OutcomeLog outcomes_;
    std::optional<MessageId> scan_wanted_;  // not asked for yet
    bool scanning_ = false;                 // a page is to come
    // What the store is still to be told of the bytes it has lent, in order.
    std::deque<std::variant<MessageId, AgentSide::HeldList>> released_and_held_;
    // Reused memory.
    wire::QueuedMessage queued_;
    wire::ScanPage page_;
};

}  // namespace posthaste
