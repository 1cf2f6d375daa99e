// cleanup/cleanup/cleanup_service.h: the process between those who take mail in and the store.
//
//   smtpd ── SubmitMessage ──► [envelope completed, header section written anew] ── CommitRequest ──► store
//   smtpd ◄── SubmitResult ─── [our blocks freed] ◄───────────────────────────────── CommitResult ─── store
//
// Promises   250 is passed on, never made here: it comes from the store's `durable`. Every SubmitMessage is answered
//            once, as long as its sender lives. The body is passed on by name; its bytes are never read.
// Bounds     Transactions::kTransactionsMax messages and the arena's blocks. At a bound, or when the store's ring is
//            full, nothing more is taken from the submitters; their rings fill and push back.
// Deaths     The store's: what is in flight is answered 451, lease questions are asked again at the next one. While
//            there is none, at our start as well, nothing is taken for kStorePatienceUs; then mail is answered 451.
//            A submitter's: what it had in flight is finished at the store, the answers are dropped.
// Its end    Submitters are asked to give no more, and it is idle when each has said so: nothing that was given it
//            meets its end.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "mail/wire/commit_request.h"
#include "mail/wire/submitted_message.h"
#include "runtime/answer_queue.h"
#include "runtime/service.h"

#include "cleanup/cleanup/header_pass.h"
#include "cleanup/cleanup/lease_relay.h"
#include "cleanup/cleanup/policy.h"
#include "cleanup/cleanup/transactions.h"

namespace posthaste::cleanup {

struct LocalTime {
    int32_t utc_offset_s = 0;
    std::string zone_name;
};

// The world's time zone is given, as the clock is.
using LocalTimeAt = LocalTime (*)(int64_t unix_s);

struct CleanupParts {
    CleanupPolicy policy;
    std::vector<IpAddress> own_addresses;  // to read the policy again at a reload
    LocalTimeAt local_time_at;
};

class CleanupService final : public Service {
 public:
    static constexpr int64_t kStorePatienceUs = 10 * kSecondUs;

    // world.arena is ours.
    CleanupService(World& world, CleanupParts parts);
    ~CleanupService() override;

    void attach(Peers& peers) override { peers_ = &peers; }

    void on_settings(const Settings& settings) override;

    void on_drain() override;

    bool is_idle() const override;

    void on_peer_up(Peer& peer) override;
    void on_peer_down(Peer& peer) override;
    void on_record(Peer& peer, uint16_t type, std::string_view body) override;
    void on_room(Peer& peer) override;

    static std::span<const CounterRow> counter_rows() noexcept;

 private:
    struct StalledRequest {
        uint64_t cookie = 0;
        std::string body;
    };

    AnswerQueue* submitter(uint32_t incarnation) noexcept;
    void on_submit(AnswerQueue& from, std::string_view body);
    void on_commit_result(std::string_view body);
    void on_lease_request(AnswerQueue& from, std::string_view body);
    void on_lease_grant(std::string_view body);
    void ask_for_leases();

    void refuse(AnswerQueue& to, uint64_t cookie, uint16_t code, std::string_view dsn,
                std::string_view text);
    void finish(Transaction& transaction, wire::CommitOutcome outcome);
    bool place_header(Transaction& transaction, std::vector<wire::Extent>& content);
    void commit(Transaction& transaction, Envelope& envelope);
    void drop_stalled_of(uint32_t incarnation);
    void ask_for_no_more(AnswerQueue& submitter);
    void await_store();
    void update_pauses();
    HeaderPass::Times times_of(int64_t wall_us);
    void log_message_id(MessageId id, const HeaderPass::Outcome& outcome);

    Loop& loop_;
    Log& log_;
    Arena& arena_;
    Peers* peers_ = nullptr;
    Counters counters_;
    CleanupPolicy policy_;
    std::vector<IpAddress> own_addresses_;
    LocalTimeAt local_time_at_;

    Peer* store_ = nullptr;
    Timer store_patience_;  // set: we wait for one
    std::map<uint32_t, std::unique_ptr<AnswerQueue>> submitters_;
    bool leaving_ = false;
    std::set<uint32_t> still_giving_;  // submitters; while we are leaving
    Transactions transactions_;
    LeaseRelay leases_;
    std::vector<StalledRequest>
        stalled_;  // found no room in the store's ring; at most one a submitter

    // Kept from message to message for their memory.
    HeaderPass header_pass_;
    wire::SubmitMessage submitted_;
    wire::CommitRequest request_;
    std::string beginning_;
    std::string header_;
    std::string envelope_bytes_;
    std::string line_;
    int64_t times_second_ = -1;
    std::string date_;
};

}  // namespace posthaste::cleanup
