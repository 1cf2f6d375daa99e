// store/qmgr_link.h: the store's side of the wire to qmgr (mail/wire/queued_message.h): announces
// what was committed, answers scans and loads, records outcomes.
//
// Owned by StoreService, which decides when the batch is written. Outcomes are put into the store's
// batch and reported as recorded after the commit that holds them.
//
// What it asks to be read (scans and loads) waits until the service says read_next(): a read may
// cost the disk's time, and whoever waits for a 250 goes first.
//
// Announcements are the one thing that may be dropped: when qmgr's ring is full, AnnounceGap says
// from which id on qmgr must scan. Everything else waits in its AnswerQueue, and qmgr is not read
// meanwhile.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_set>
#include <variant>
#include <vector>

#include "mail/wire/queued_message.h"
#include "runtime/answer_queue.h"
#include "runtime/log.h"
#include "runtime/peers.h"

#include "store/lent_content.h"
#include "store/queue_store.h"

namespace posthaste::store {

class QmgrLink {
 public:
    // Pages of a scan are no longer than this: one page is one turn's work.
    static constexpr uint32_t kScanPageMax = 1024;
    // Reads that wait; qmgr is not heard beyond that.
    static constexpr size_t kReadsWaitingMax = 512;

    QmgrLink(QueueStore& store, LentContent& content, Log& log)
        : store_(store), content_(content), log_(log) {}

    void on_up(AnswerQueue& answers);
    // What was lent stays lent until take_back().
    void on_down();
    // `agents`: those that map our arena. What was lent to an earlier qmgr and nobody holds comes
    // back once each of them that is older than this qmgr has said, through it, what it holds
    // (HeldContent). No time is long enough: an agent may have been stopped. Call it when such a
    // list has come, and when a qmgr came or an agent went.
    void take_back(std::span<const uint32_t> agents);

    // The qmgr that came last is the one that counts.
    bool is_with(const AnswerQueue& answers) const noexcept { return answers_ == &answers; }

    // Of this qmgr. `wrong` says which rule of the wire it broke.
    enum class Handled : uint8_t { ok, wrong, store_failed };
    Handled on_record(uint16_t type, std::string_view body);
    void on_room();

    bool reads_are_full() const noexcept { return reads_.size() >= kReadsWaitingMax; }

    // A read waits, and there is room for its answer.
    bool can_read() const noexcept {
        return answers_ != nullptr && !reads_.empty() && !answers_->has_waiting();
    }

    // Answers what was asked first. Only when can_read().
    Handled read_next();

    // A message just became durable. The place is lent, or given back when it can not be announced.
    void announce(MessageId id, std::string_view envelope, Place place);

    size_t outcomes_waiting() const noexcept { return outcomes_waiting_; }

    // What the batch held is on disk.
    void on_committed();

 private:
    using Read = std::variant<wire::ScanRequest, wire::LoadMessage>;

    template <class Request>
    Handled put_off(std::string_view body);
    Handled scan(const wire::ScanRequest& request);
    Handled load(const wire::LoadMessage& request);
    Handled on_outcome(std::string_view body);
    Handled on_release(std::string_view body);
    Handled on_held(std::string_view body);
    Handled gone(MessageId id, const Error& error);

    uint32_t incarnation() const noexcept { return answers_->peer().incarnation(); }

    QueueStore& store_;
    LentContent& content_;
    Log& log_;
    AnswerQueue* answers_ = nullptr;
    MessageId gap_from_ = kNoMessage;   // not announced from here on, and qmgr does not know yet
    std::optional<uint64_t> recorded_;  // the last sequence in the batch
    size_t outcomes_waiting_ = 0;
    std::deque<Read> reads_;  // at most kReadsWaitingMax, in the order they were asked for
    uint32_t qmgr_ = 0;       // whose lists these are, by incarnation
    std::unordered_set<uint32_t> told_;   // agents whose list is complete
    std::unordered_set<MessageId> held_;  // by any of them
    // Reused, so that a message costs no allocation.
    wire::QueuedMessage message_;
    wire::ScanPage page_;
    wire::RecordOutcome outcome_;
    wire::HeldContent held_part_;
};

}  // namespace posthaste::store
