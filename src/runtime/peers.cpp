#include "runtime/peers.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace posthaste {
std::string Peer::name() const {
    std::string out(name_of(role_));
    out += '/';
    out += std::to_string(instance_);
    return out;
}

bool Peer::send_bytes(uint16_t type, std::string_view body) {
    ASSERT(channel_.has_value());
    return !condemned_ && channel_->send(type, body);
}

bool Peer::has_room(size_t body_bytes) {
    return channel_ && !condemned_ && channel_->has_room(body_bytes);
}

Peers::Peers(Loop& loop, PeerListener& listener)
    : loop_(loop),
      listener_(listener),
      linger_timer_(timer_calls<&Peers::on_linger_over, Peers>(), this) {
    loop_.add_listener(*this);
}

Peers::~Peers() { loop_.remove_listener(*this); }

Peer& Peers::add(PeerParts parts) {
    ASSERT(find(parts.incarnation) == nullptr);
    expect_no_more(parts.incarnation);
    auto peer = std::make_unique<Peer>();
    peer->role_ = parts.role;
    peer->instance_ = parts.instance;
    peer->incarnation_ = parts.incarnation;
    peer->channel_ = std::move(parts.channel);
    peer->arena_ = std::move(parts.arena);
    peer->doorbell_ = parts.doorbell;
    peer->pid_ = parts.pid;
    peer->log_tag_ = std::move(parts.log_tag);
    peers_.push_back(std::move(peer));
    Peer& added = *peers_.back();
    listener_.on_peer_up(added);
    return added;
}

void Peers::remove(uint32_t incarnation) {
    Peer* const peer = find(incarnation);
    if (peer == nullptr) return;
    if (!in_turn_) return remove_now(*peer);
    peer->doomed_ = true;
    some_doomed_ = true;
}

void Peers::misbehaved(Peer& peer, std::string_view what) {
    if (std::exchange(peer.condemned_, true)) return;
    if (hooks_.on_misbehaved != nullptr) hooks_.on_misbehaved(hooks_.owner, peer, what);
}

Peer* Peers::find(Role role, uint16_t instance) noexcept {
    for (auto& peer : peers_) {
        if (peer->role_ == role && peer->instance_ == instance) return peer.get();
    }
    return nullptr;
}

Peer* Peers::find(uint32_t incarnation) noexcept {
    for (auto& peer : peers_) {
        if (peer->incarnation_ == incarnation) return peer.get();
    }
    return nullptr;
}

bool Peers::has_any(uint32_t roles) const noexcept {
    return std::any_of(peers_.begin(), peers_.end(),
                       [roles](const auto& peer) { return (role_bit(peer->role()) & roles) != 0; });
}

void Peers::expect_no_more(uint32_t incarnation) noexcept {
    std::erase_if(expected_, [&](const Expected& each) { return each.incarnation == incarnation; });
}

bool Peers::expects_any(uint32_t roles) const noexcept {
    return std::any_of(expected_.begin(), expected_.end(), [roles](const Expected& each) {
        return (role_bit(each.role) & roles) != 0;
    });
}

std::vector<Peer*> Peers::all(Role role) {
    std::vector<Peer*> out;
    for (auto& peer : peers_) {
        if (peer->role_ == role) out.push_back(peer.get());
    }
    std::sort(out.begin(), out.end(),
              [](const Peer* a, const Peer* b) { return a->instance_ < b->instance_; });
    return out;
}

std::optional<std::string_view> Peers::bytes(uint32_t incarnation, uint32_t first_block,
                                             uint32_t offset, uint32_t length) const noexcept {
    for (const auto& peer : peers_) {
        if (peer->incarnation_ != incarnation) continue;
        return peer->arena_ ? peer->arena_->bytes(first_block, offset, length) : std::nullopt;
    }
    return std::nullopt;
}

void Peers::forgotten(uint32_t reader_incarnation, uint32_t incarnation) {
    Peer* const reader = find(reader_incarnation);
    if (reader == nullptr || reader->condemned_) return;
    if (find(incarnation) == nullptr) return listener_.on_forgotten(*reader, incarnation);
    for (const auto& early : early_forgotten_) {
        if (early.reader_incarnation == reader_incarnation && early.incarnation == incarnation)
            return;
    }
    early_forgotten_.push_back({reader_incarnation, incarnation});
}

void Peers::consume(Peer& peer) {
    Channel& channel = *peer.channel_;
    Channel::Record record;
    size_t count = 0;
    while (count < kRecordsATurn && !peer.paused_ && !peer.condemned_ && channel.receive(record)) {
        listener_.on_record(peer, record.type, record.body);
        ++count;
    }
    if (count == kRecordsATurn) backlog_ = true;
    if (count != 0) handled_ = true;
    if (channel.release()) loop_.ring_doorbell(peer.doorbell_);
    if (channel.broken()) misbehaved(peer, channel.why_broken());
}

void Peers::on_turn_end() {
    wake_all();
    in_turn_ = true;
    backlog_ = false;
    for (size_t i = 0; i < peers_.size(); ++i) {
        Peer& peer = *peers_[i];
        if (!peer.channel_ || peer.condemned_) continue;
        if (peer.channel_->room_came()) listener_.on_room(peer);
        consume(peer);
    }
    in_turn_ = false;
    remove_doomed();
    publish_all();
}

void Peers::publish(Peer& peer) {
    if (peer.condemned_) return;
    const bool ring_owed = std::exchange(peer.ring_owed_, false);
    if (peer.channel_->publish() || ring_owed) loop_.ring_doorbell(peer.doorbell_);
}

void Peers::publish_all() {
    for (auto& peer : peers_) {
        if (peer->channel_) publish(*peer);
    }
}

bool Peers::all_consumed() noexcept {
    return std::all_of(peers_.begin(), peers_.end(), [](auto& peer) {
        return !peer->channel_ || peer->condemned_ || peer->channel_->all_consumed();
    });
}

void Peers::remove_doomed() {
    // A removal may doom the next one.
    while (std::exchange(some_doomed_, false)) {
        for (size_t i = 0; i < peers_.size();) {
            if (peers_[i]->doomed_) {
                remove_now(*peers_[i]);
            } else {
                ++i;
            }
        }
    }
}

// What it published while it lived; a ring of it at most, also when it lives still and goes on
// writing: nothing is released.
void Peers::read_last_records(Peer& peer) {
    Channel::Record record;
    while (!peer.condemned_ && peer.channel_->receive(record)) {
        if (peer.paused_ && !listener_.wants_last(peer, record.type)) continue;
        listener_.on_record(peer, record.type, record.body);
    }
}

void Peers::remove_now(Peer& peer) {
    const uint32_t incarnation = peer.incarnation_;
    if (peer.channel_) read_last_records(peer);
    listener_.on_peer_down(peer);
    std::erase_if(peers_, [&](const auto& candidate) { return candidate.get() == &peer; });

    std::vector<EarlyForgotten> told;
    std::erase_if(early_forgotten_, [&](const EarlyForgotten& early) {
        if (early.incarnation == incarnation) told.push_back(early);
        return early.incarnation == incarnation || early.reader_incarnation == incarnation;
    });
    for (const auto& early : told) {
        if (Peer* const reader = find(early.reader_incarnation))
            listener_.on_forgotten(*reader, incarnation);
    }
    if (hooks_.on_removed != nullptr) hooks_.on_removed(hooks_.owner, incarnation);
}

// A sleep count that stayed odd over a turn would not be rung for again: raised and lowered once
// for each sleep.
void Peers::wake_all() noexcept {
    if (!std::exchange(asleep_, false)) return;
    for (auto& peer : peers_) {
        if (peer->channel_) peer->channel_->wake();
    }
}

bool Peers::announce_sleep() noexcept {
    bool safe = true;
    asleep_ = true;
    for (auto& peer : peers_) {
        // What a paused peer writes waits for resume(), which happens in a turn: it need not wake
        // us.
        if (!peer->channel_ || peer->condemned_ || peer->paused_) continue;
        if (!peer->channel_->prepare_sleep()) safe = false;
    }
    if (!safe) wake_all();
    return safe;
}

// True while producers are to find us awake although we wait for the timer.
bool Peers::linger() {
    if (linger_us_ == 0) return false;
    if (linger_timer_.is_set()) return true;
    lingering_ = std::exchange(handled_, false);
    if (lingering_) loop_.timers().set(linger_timer_, loop_.now_us() + linger_us_);
    return lingering_;
}

bool Peers::before_sleep() {
    wake_all();
    publish_all();
    // Anything doomed since the turn ended (by another listener) goes in the next one.
    if (some_doomed_) return true;
    if (linger()) return backlog_;
    return !announce_sleep();
}

void Peers::after_sleep() { wake_all(); }

}  // namespace posthaste
