// store/store_service.h: the store as a service: takes messages from cleanup and bounce, makes them
// durable, answers, and tells qmgr.
//
// One batch at a time. What arrives while a batch is being synced is the next one: the loop stands
// still meanwhile, which hurts nobody, since the store serves no network.
//
//   collecting ── records of a turn ──► one WriteBatch, one synced write ──► answers ──► collecting
//                                              └─ failed ─► "busy" to all, on_failed()
//
// After the answers nothing more is read until the loop has published them and rung the peers'
// bells: else they would wait for the copying of the next batch, or for its sync.
//
// A store that begins anew reads no cleanup before it has met every smtpd it was introduced to, or
// kOwnersPatienceUs are over: what the former store left in the rings names bytes of theirs.
//
// What qmgr and listings want read comes last: kReadsATurn messages a turn, after what was asked for
// earlier has been committed and answered. A cold read waits for the disk, and so would every 250
// behind it.
//
// Outcomes ride with the next batch; when no message comes, they are written kOutcomeDelayUs later.
// Everything that is written is synced: OutcomeRecorded means on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mail/wire/commit_request.h"
#include "runtime/answer_queue.h"
#include "runtime/service.h"

#include "store/free_space.h"
#include "store/id_book.h"
#include "store/lent_content.h"
#include "store/listing.h"
#include "store/qmgr_link.h"
#include "store/queue_store.h"

namespace posthaste::store {

class StoreService final : public Service, public TurnListener {
 public:
    static constexpr int64_t kOutcomeDelayUs = 4 * kMsUs;
    static constexpr int64_t kOwnersPatienceUs = 1 * kSecondUs;
    static constexpr int64_t kMakeRoomEveryUs = 1 * kSecondUs;
    static constexpr int64_t kCollectEveryUs = 1 * kSecondUs;
    static constexpr int64_t kTellEveryUs = 1 * kMinuteUs;
    static constexpr size_t kBatchBytesMax = 4 * kMiB;
    static constexpr size_t kOutcomesWaitingMax = 1024;
    static constexpr int kReadsATurn = 2;

    struct Parts {
        std::unique_ptr<QueueStore> store;
        FreeSpace::Ask free_bytes;
        // The queue can not be written any more and everybody has been told: end this process, with
        // a failure.
        std::function<void()> on_failed;
    };

    StoreService(World& world, Parts parts);
    ~StoreService();

    void attach(Peers& peers) override { peers_ = &peers; }

    void on_listener(std::string_view name, Socket listener) override;
    void on_settings(const Settings& settings) override;
    void on_drain() override;
    bool is_idle() const override;

    void on_peer_up(Peer& peer) override;
    void on_peer_down(Peer& peer) override;
    void on_record(Peer& peer, uint16_t type, std::string_view body) override;
    void on_room(Peer& peer) override;

    // Outcomes: what else it asked for would be for nobody.
    bool wants_last(const Peer& peer, uint16_t type) override {
        return peer.role() == Role::qmgr && type == wire::RecordOutcome::kType;
    }

    void on_turn_end() override;
    bool before_sleep() override;

    const QueueStore& queue() const noexcept { return *store_; }

 private:
    // A message in the batch, to be answered and announced.
    struct Added {
        uint32_t incarnation;
        uint64_t cookie;
        MessageId id;
        size_t envelope_start;  // in envelopes_
        size_t envelope_bytes;
        Place place;
    };

    struct Lease {
        uint32_t incarnation;
        uint64_t cookie;
        MessageId first;
    };

    void on_commit_request(AnswerQueue& answers, std::string_view body);
    wire::CommitOutcome add(AnswerQueue& answers, const wire::CommitRequest& request);
    bool has_room();
    void make_room();
    void collect_garbage();
    bool gather(const wire::CommitRequest& request, uint64_t size_bytes);
    void on_lease_request(AnswerQueue& answers, std::string_view body);
    void take_back_loans(const Peer* agent_gone);
    void on_qmgr_record(Peer& peer, uint16_t type, std::string_view body);

    void commit();
    void answer_all(wire::CommitOutcome outcome);
    void fail(const char* why);
    void end_batch();
    void read_queue();

    bool reads_wait() const noexcept { return qmgr_.can_read() || listing_.can_read(); }

    void hold_peers();
    void resume_peers();
    bool may_read(const AnswerQueue& answers) const;
    void read_who_may_be();

    void on_outcome_delay() { commit_now_ = true; }

    void on_owners_late() { read_who_may_be(); }

    AnswerQueue* answers_of(uint32_t incarnation);
    bool batch_is_full() const noexcept;

    World& world_;
    Peers* peers_ = nullptr;
    std::unique_ptr<QueueStore> store_;
    FreeSpace free_space_;
    std::function<void()> on_failed_;
    IdBook ids_;
    LentContent content_;
    QmgrLink qmgr_;
    Listing listing_;
    Counters counters_;
    size_t batch_messages_max_;
    std::vector<std::unique_ptr<AnswerQueue>> answers_;

    std::vector<Added> added_;
    std::vector<Lease> leases_;
    std::string envelopes_;
    bool commit_now_ = false;  // outcomes have waited long enough
    Timer outcome_delay_;
    Timer owners_late_;
    int64_t batch_began_us_ = 0;  // the last one, and what it brought
    uint64_t batch_messages_ = 0;

    bool removals_on_disk_ = false;  // since room was made last
    int64_t make_room_again_us_ = 0;
    int64_t collect_again_us_ = 0;
    bool told_short_ = false;  // the log says that mail is refused
    int64_t tell_again_us_ = 0;

    bool held_ = false;  // peers are not read until the answers are published
    bool turn_over_ = false;
    bool failed_ = false;
    bool failure_told_ = false;

    // Reused.
    wire::CommitRequest request_;
    std::vector<std::string_view> pieces_;
    std::string heap_copy_;  // of a message the arena had no room for
};

}  // namespace posthaste::store
