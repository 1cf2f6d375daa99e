// runtime/peers.h: the processes this one has been introduced to, and how their records reach the
// service.
//
// Peers owns every Peer; a Peer lives from on_peer_up() until on_peer_down() returns. Fed by
// introductions (real processes: runtime/introduction.h) or by the simulation; services see only
// this.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/codec.h"

#include "runtime/arena.h"
#include "runtime/channel.h"
#include "runtime/loop.h"
#include "runtime/role.h"

namespace posthaste {

class Peer {
 public:
    Role role() const noexcept { return role_; }

    uint16_t instance() const noexcept { return instance_; }

    uint32_t incarnation() const noexcept { return incarnation_; }

    // "cleanup/1" for logs.
    std::string name() const;

    // By master's word: its process, and how its lines begin in the log ("postfix/cleanup").
    uint32_t pid() const noexcept { return pid_; }

    const std::string& log_tag() const noexcept { return log_tag_; }

    // False: no room. Nothing was sent; the service must stop taking more from its own source and
    // will be told by on_room(). Records go out at the end of the turn.
    template <class Record>
    bool send(const Record& record) {
        wire::encode(record, scratch_);
        return send_bytes(Record::kType, scratch_);
    }

    bool send_bytes(uint16_t type, std::string_view body);
    bool has_room(size_t body_bytes);

    // False: it broke the rules, and waits for its end.
    bool is_heard() const noexcept { return !condemned_; }

    // False: only its arena may be read.
    bool has_channel() const noexcept { return channel_.has_value(); }

    // For the last words of a process that may end in the middle of a turn: visible at once. The
    // peer is woken by that end, or at the end of the turn.
    void publish_now() noexcept {
        if (channel_ && channel_->publish()) ring_owed_ = true;
    }

    // While paused no record of this peer is handed to the service; its ring fills and pushes back.
    void pause() noexcept { paused_ = true; }

    void resume() noexcept { paused_ = false; }

    bool paused() const noexcept { return paused_; }

    // For on_peer_down(): keeps the dead peer's arena mapped, for bytes of it that are still being
    // sent.
    std::optional<ArenaView> take_arena() noexcept { return std::exchange(arena_, std::nullopt); }

    void* service_data = nullptr;  // the service's own

 private:
    friend class Peers;
    Role role_ = Role::master;
    uint16_t instance_ = 0;
    uint32_t incarnation_ = 0;
    uint32_t pid_ = 0;
    std::string log_tag_;
    std::optional<Channel> channel_;  // none: an arena-only link
    std::optional<ArenaView> arena_;
    int doorbell_ = -1;  // the peer's; runtime-private
    bool paused_ = false;
    bool condemned_ = false;  // misbehaved: nothing more is read from it or sent to it
    bool ring_owed_ = false;  // published without ringing
    bool doomed_ = false;     // removed at the end of this turn
    std::string scratch_;
};

// What a service implements. All calls come from the loop.
class PeerListener {
 public:
    virtual void on_peer_up(Peer& peer) = 0;
    // It is dead, or has closed the link by itself: what it had lent is void, what was lent to it
    // is back.
    virtual void on_peer_down(Peer& peer) = 0;
    // `body` is private memory, valid during the call. Undecodable: call Peers::misbehaved(),
    // return.
    virtual void on_record(Peer& peer, uint16_t type, std::string_view body) = 0;

    // A send() that was refused would now fit.
    virtual void on_room(Peer&) {}

    // Its link has ended while it was paused. True: a record of this type that it still said is
    // handed over all the same; others are dropped. A ring of them at most.
    virtual bool wants_last(const Peer&, uint16_t type) {
        (void)type;
        return false;
    }

    // `reader` (who maps our arena) has let go of everything it knew from the dead process
    // `incarnation`.
    virtual void on_forgotten(Peer& reader, uint32_t incarnation) {
        (void)reader;
        (void)incarnation;
    }

 protected:
    ~PeerListener() = default;
};

// How a Peer comes to be.
struct PeerParts {
    Role role;
    uint16_t instance;
    uint32_t incarnation;
    std::optional<Channel> channel;
    std::optional<ArenaView> arena;  // the peer's, when the process table lets us read it
    int doorbell = -1;               // to ring when it sleeps
    uint32_t pid = 0;
    std::string log_tag = {};
};

class Peers final : public TurnListener {
 public:
    static constexpr size_t kRecordsATurn = 256;  // of one peer, then the next: nobody starves

    Peers(Loop& loop, PeerListener& listener);
    ~Peers();

    Peer& add(PeerParts parts);
    void remove(uint32_t incarnation);
    // It broke the rules of the wire: told to the hook at once; nothing more is read from it or sent
    // to it. It stays, with all that is lent either way, until it is removed: while both processes
    // live, either may still be reading what the other would take back.
    void misbehaved(Peer& peer, std::string_view what);

    Peer* find(Role role, uint16_t instance) noexcept;
    Peer* find(uint32_t incarnation) noexcept;
    bool has_any(uint32_t roles) const noexcept;  // role_bit()s
    // All of a role, by instance.
    std::vector<Peer*> all(Role role);
    // An extent's bytes in whichever peer's arena it names; nothing when unknown or outside.
    std::optional<std::string_view> bytes(uint32_t incarnation, uint32_t first_block,
                                          uint32_t offset, uint32_t length) const noexcept;
    void forgotten(uint32_t reader_incarnation, uint32_t incarnation);

    // Whom master has introduced and we have not met yet. add() ends it.
    void expect(Role role, uint32_t incarnation) { expected_.push_back({role, incarnation}); }

    void expect_no_more(uint32_t incarnation) noexcept;
    bool expects_any(uint32_t roles) const noexcept;

    // Somebody rang. The turn that this wakes looks at every ring, so there is nothing more to do.
    void on_doorbell() noexcept {}

    // Every record sent has been taken by its peer: a process that drains may go.
    bool all_consumed() noexcept;

    // For a consumer that many write to and nobody waits for (postlogd): while records come, it
    // looks at its rings every linger_us instead of raising its sleep counts, so that producers
    // need not wake it for each record. A whole period without a record, and it sleeps as everybody
    // does. 0: off.
    void set_linger_us(int64_t linger_us) noexcept { linger_us_ = linger_us; }

    void on_turn_end() override;
    bool before_sleep() override;
    void after_sleep() override;

    // Runtime-private. on_misbehaved: once for a peer that broke the rules, which may be in the
    // middle of a turn. on_removed: after each removal, to close what belongs to the link.
    struct Hooks {
        void* owner = nullptr;
        void (*on_removed)(void* owner, uint32_t incarnation) = nullptr;
        void (*on_misbehaved)(void* owner, Peer& peer, std::string_view what) = nullptr;
    };

    void set_hooks(Hooks hooks) noexcept { hooks_ = hooks; }

 private:
    void consume(Peer& peer);
    void publish(Peer& peer);
    void publish_all();
    void remove_doomed();
    void remove_now(Peer& peer);
    void read_last_records(Peer& peer);
    void wake_all() noexcept;
    bool announce_sleep() noexcept;
    bool linger();

    void on_linger_over() noexcept {}

    Loop& loop_;
    PeerListener& listener_;
    std::vector<std::unique_ptr<Peer>> peers_;
    bool some_doomed_ = false;

    // Told by a reader before we noticed that death ourselves: passed on after our own
    // on_peer_down().
    struct EarlyForgotten {
        uint32_t reader_incarnation;
        uint32_t incarnation;
    };

    std::vector<EarlyForgotten> early_forgotten_;

    struct Expected {
        Role role;
        uint32_t incarnation;
    };

    std::vector<Expected> expected_;
    bool in_turn_ = false;
    bool asleep_ = false;   // sleep counts are raised
    bool backlog_ = false;  // a peer had more than kRecordsATurn
    int64_t linger_us_ = 0;
    bool lingering_ = false;
    bool handled_ = false;  // a record came in this linger period
    Timer linger_timer_;
    Hooks hooks_;
};

}  // namespace posthaste
