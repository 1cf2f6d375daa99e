#include "simulation/relay/house.h"

#include <algorithm>

#include "base/assert.h"

#include "mail/envelope.h"
#include "runtime/introduction.h"

#include "simulation/relay/make_service.h"

namespace posthaste::simulation {

namespace {

// How fast the simulated master and kernel are.
constexpr int64_t kSpawnUsMin = 2 * kMsUs;
constexpr int64_t kSpawnUsMax = 300 * kMsUs;
constexpr int64_t kNoticeUsMin = 10;
constexpr int64_t kNoticeUsMax = 2 * kMsUs;
constexpr uint32_t kListenerOnlyRingBytes = 4096;

// As runtime/service_main.cpp and master have them.
constexpr int64_t kDrainLookUs = 5 * kMsUs;
constexpr int64_t kDrainPatienceUs = 2 * kSecondUs;
constexpr int64_t kStopUsMax = 10 * kSecondUs;
constexpr int64_t kRetireUsMax = 10 * kMinuteUs;
constexpr unsigned kStagesMax = 5;

bool is_simulated(Role role) { return role != Role::postlogd; }

void keep_last(std::deque<uint32_t>& incarnations, uint32_t incarnation) {
    incarnations.push_back(incarnation);
    if (incarnations.size() > Introductions::kGoneMax) incarnations.pop_front();
}

}  // namespace

House::House(SimWorld& world, HouseOptions options, HouseWatcher& watcher)
    : world_(world), options_(std::move(options)), watcher_(watcher) {
    world_.set_doom_hooks({[this](SimLoop& loop) { on_doomed(loop); },
                           [this](SimLoop& loop) { on_doomed_turn_over(loop); }});
    disk_.set_on_write([this] { on_disk_write(); });
    disk_.set_on_sync([this](const std::string&) { on_disk_sync(); });
}

House::~House() {
    disk_.set_on_write(nullptr);
    disk_.set_on_sync(nullptr);
    disk_.heal();
    while (!living_.empty()) {
        world_.kill(living_.back()->loop_);
        bury(*living_.back());
    }
}

void House::keep_line(std::string line) {
    const int64_t now_us = world_.now_us();
    char stamp[32];
    std::snprintf(stamp, sizeof stamp, "%10.6f ", static_cast<double>(now_us) / 1e6);
    log_.push_back(stamp + std::move(line));
    if (log_.size() > options_.log_lines_max) log_.pop_front();
}

void House::say(const std::string& what) { keep_line("== " + what); }

void House::start() {
    for (const RoleRow& row : role_rows()) {
        if (!is_simulated(row.role)) continue;
        for (uint16_t instance = 0; instance < (row.many ? options_.workers : 1); ++instance)
            spawn(row.role, instance);
    }
}

SimProcess* House::find(Role role, uint16_t instance) noexcept {
    for (const auto& process : living_) {
        if (process->role_ == role && process->instance_ == instance && !process->leaving_)
            return process.get();
    }
    return nullptr;
}

SimProcess* House::by_incarnation(uint32_t incarnation) noexcept {
    for (const auto& process : living_) {
        if (process->incarnation_ == incarnation) return process.get();
    }
    return nullptr;
}

SimProcess* House::by_loop(const SimLoop& loop) noexcept {
    for (const auto& process : living_) {
        if (&process->loop_ == &loop) return process.get();
    }
    return nullptr;
}

SimProcess* House::at(const IpAddress& address) noexcept {
    for (const auto& process : living_) {
        if (process->loop_.address() == address) return process.get();
    }
    return nullptr;
}

std::vector<SimProcess*> House::alive() {
    std::vector<SimProcess*> out;
    for (const auto& process : living_) out.push_back(process.get());
    return out;
}

// ---- births

void House::spawn(Role role, uint16_t instance) {
    living_.push_back(std::make_unique<SimProcess>(*this, role, instance, next_incarnation_++));
    SimProcess& process = *living_.back();
    process.gone_ = former_;
    opening_store_ = role == Role::store;
    process.make_service();
    opening_store_ = false;
    if (process.service_ == nullptr) {
        say(process.name() + " could not start: " + process.why_not_);
        return end(process, true);
    }
    ++starts_[role];
    if (role == Role::store) {
        power_is_off_ = false;
        if (disk_.is_frozen()) return die(process);  // in the middle of its recovery
    }
    for (size_t i = 0; i < living_.size(); ++i) {
        if (living_[i].get() != &process) introduce(*living_[i], process);
    }
    watcher_.on_started(process);
}

// The last death counts: master has told everybody of it before it starts somebody else.
void House::respawn_later(Role role, uint16_t instance) {
    const uint64_t number = ++respawns_[{role, instance}];
    world_.after(world_.between(kSpawnUsMin, kSpawnUsMax), [this, role, instance, number] {
        if (respawns_[{role, instance}] != number) return;
        if (!stopping_ && find(role, instance) == nullptr) spawn(role, instance);
    });
}

void House::introduce(SimProcess& a, SimProcess& b) {
    const Wire* const wire = wire_between(a.role_, b.role_);
    if (wire == nullptr) return;
    const WireEnd end_a = end_of(*wire, a.role_);
    const WireEnd end_b = end_of(*wire, b.role_);
    if (end_a.own_ring_bytes == 0 && end_b.own_ring_bytes == 0)
        return end_a.we_read_arena ? lend_arena(b, a) : lend_arena(a, b);
    const auto ring_bytes = [&](const WireEnd& end) {
        return end.own_ring_bytes == 0 ? kListenerOnlyRingBytes
                                       : std::min(end.own_ring_bytes, options_.ring_bytes_max);
    };
    // Kept here: either side may close its end while the other still looks at it.
    const auto make = [&](const WireEnd& end) -> Segment& {
        return segments_.emplace_back(Segment::create_private(ring_bytes(end)));
    };
    Segment& of_a = make(end_a);
    Segment& of_b = make(end_b);
    const int bell_a = world_.make_doorbell(a.loop_);
    const int bell_b = world_.make_doorbell(b.loop_);
    auto b_for_a =
        connect_one_way(a, b, end_a, Segment::alias(of_a), Segment::alias(of_b), bell_a, bell_b);
    auto a_for_b =
        connect_one_way(b, a, end_b, Segment::alias(of_b), Segment::alias(of_a), bell_b, bell_a);
    auto at_a = std::make_shared<Handshake>(Handshake{a.incarnation_, std::move(b_for_a)});
    auto at_b = std::make_shared<Handshake>(Handshake{b.incarnation_, std::move(a_for_b)});
    tell_later(a.incarnation_, hears_of(at_a, at_b));
    tell_later(b.incarnation_, hears_of(at_b, at_a));
}

// Each side greets when it hears of the other, and meets it when it has heard its greeting.
std::function<void(SimProcess&)> House::hears_of(std::shared_ptr<Handshake> own,
                                                 std::shared_ptr<Handshake> theirs) {
    return [this, own, theirs](SimProcess& here) {
        own->is_introduced = true;
        here.peers_->expect(own->parts->role, own->parts->incarnation);
        tell_later(theirs->whose, [this, theirs](SimProcess& there) {
            theirs->is_greeted = true;
            if (theirs->is_introduced) meets(theirs->parts)(there);
        });
        if (own->is_greeted) meets(own->parts)(here);
    };
}

// As runtime/introduction.h has it: the owner greets first, and meets the reader when that has mapped
// the arena.
void House::lend_arena(SimProcess& owner, SimProcess& reader) {
    const Wire& wire = *wire_between(owner.role_, reader.role_);
    auto for_owner = connect_one_way(owner, reader, end_of(wire, owner.role_), std::nullopt,
                                     std::nullopt, -1, -1);
    auto for_reader = connect_one_way(reader, owner, end_of(wire, reader.role_), std::nullopt,
                                      std::nullopt, -1, -1);
    const auto both_meet = [this, for_owner, for_reader](SimProcess& here) {
        const uint32_t owner_number = for_reader->incarnation;
        meets(for_reader)(here);
        tell_owner(here, owner_number, meets(for_owner));
        for (const uint32_t gone : here.gone_) tell_forgotten(here, owner_number, gone);
    };
    auto at_reader = std::make_shared<Handshake>(Handshake{reader.incarnation_, for_reader});
    tell_later(reader.incarnation_, [at_reader, both_meet](SimProcess& here) {
        at_reader->is_introduced = true;
        here.peers_->expect(at_reader->parts->role, at_reader->parts->incarnation);
        if (at_reader->is_greeted) both_meet(here);
    });
    tell_later(owner.incarnation_, [this, at_reader, both_meet](SimProcess&) {
        tell_later(at_reader->whose, [at_reader, both_meet](SimProcess& here) {
            at_reader->is_greeted = true;
            if (at_reader->is_introduced) both_meet(here);
        });
    });
}

std::shared_ptr<PeerParts> House::connect_one_way(SimProcess& self, SimProcess& peer,
                                                  const WireEnd& end, std::optional<Segment> own,
                                                  std::optional<Segment> theirs, int own_doorbell,
                                                  int peer_doorbell) {
    auto parts = std::make_shared<PeerParts>();
    parts->role = peer.role_;
    parts->instance = peer.instance_;
    parts->incarnation = peer.incarnation_;
    SimProcess::Link link{peer.incarnation_, end.we_read_arena, end.we_lend_arena,
                          own ? own->header() : nullptr, nullptr};
    if (own) parts->channel.emplace(std::move(*own), std::move(*theirs));
    if (end.we_read_arena) parts->arena = ArenaView::of(*peer.arena_);
    parts->doorbell = peer_doorbell;
    if (own_doorbell >= 0) {
        link.doorbell_rung =
            std::make_unique<Completion>(runner_of<&SimProcess::on_doorbell, SimProcess>(), &self);
        self.loop_.watch(*link.doorbell_rung, own_doorbell);
    }
    self.links_.push_back(std::move(link));
    return parts;
}

// The handshake is done at some moment; a peer that died meanwhile is heard of right behind it.
std::function<void(SimProcess&)> House::meets(std::shared_ptr<PeerParts> parts) {
    return [this, parts = std::move(parts)](SimProcess& here) {
        if (by_incarnation(parts->incarnation) != nullptr) here.peers_->add(std::move(*parts));
    };
}

// What master or a control socket tells a process, some time later, in a turn of its own.
void House::tell_later(uint32_t incarnation, std::function<void(SimProcess&)> what) {
    tell_at(world_.now_us() + world_.between(kNoticeUsMin, kNoticeUsMax), incarnation,
            std::move(what));
}

void House::tell_at(int64_t at_us, uint32_t incarnation, std::function<void(SimProcess&)> what) {
    world_.at(at_us, [this, incarnation, what = std::move(what)] {
        SimProcess* const here = by_incarnation(incarnation);
        if (here == nullptr || here->peers_ == nullptr) return;
        here->order([here, what] { what(*here); });
    });
}

// ---- deaths

bool House::kill(Role role, uint16_t instance) {
    SimProcess* const process = find(role, instance);
    if (process == nullptr) return false;
    die(*process);
    return true;
}

bool House::kill_after(Role role, uint16_t instance, uint64_t steps, Fate instead) {
    SimProcess* const process = find(role, instance);
    if (process == nullptr) return false;
    process->power_cut_ = instead == Fate::power_cut;
    process->loop_.die_after(steps);
    return true;
}

void House::hang(Role role, uint16_t instance, int64_t for_us) {
    SimProcess* const process = find(role, instance);
    if (process != nullptr) process->loop_.hang(for_us);
}

void House::die(SimProcess& process) {
    say("KILL " + process.name() + (process.loop_.is_doomed() ? " in the middle of a turn" : ""));
    ++deaths_;
    end(process, true);
}

void House::end(SimProcess& process, bool crashed) {
    const Role role = process.role_;
    const uint16_t instance = process.instance_;
    const bool is_missed = !process.leaving_ || !row_of(role)->many;
    watcher_.on_ending(process, crashed);
    world_.kill(process.loop_);
    bury(process);
    if (is_missed) respawn_later(role, instance);
}

void House::on_doomed(SimLoop& loop) {
    SimProcess* const process = by_loop(loop);
    if (process == nullptr) return;
    if (process->peers_) process->remember_what_is_seen();
    if (process->role_ == Role::store) disk_.freeze();
}

void House::on_doomed_turn_over(SimLoop& loop) {
    SimProcess* const process = by_loop(loop);
    if (process == nullptr) return world_.kill(loop);
    process->show_what_was_seen();
    process->power_cut_ ? power_cut() : die(*process);
}

void House::power_cut() {
    say("POWER CUT");
    ++deaths_;
    power_is_off_ = true;
    std::vector<std::pair<Role, uint16_t>> who;
    for (const auto& process : living_) {
        if (!process->leaving_ || !row_of(process->role_)->many)
            who.emplace_back(process->role_, process->instance_);
        watcher_.on_ending(*process, true);
    }
    while (!living_.empty()) {
        world_.kill(living_.back()->loop_);
        bury(*living_.back());
    }
    const std::function<uint64_t()> random = [this] { return world_.random(); };
    disk_.power_cut(&random);
    for (const auto& [role, instance] : who) respawn_later(role, instance);
}

// The dead process's loop is dead. Its service goes (the store's database must be closed before the
// next opens; what it writes while it closes is not there); rings and arena stay for those who map
// them.
void House::bury(SimProcess& process) {
    process.dead_ = true;
    const auto at = std::find_if(living_.begin(), living_.end(),
                                 [&](const auto& p) { return p.get() == &process; });
    ASSERT(at != living_.end());
    dead_.push_back(std::move(*at));
    living_.erase(at);
    const uint32_t incarnation = process.incarnation_;
    const bool lent_on = lends_on(process.role_);
    if (lent_on) keep_last(former_, incarnation);
    for (const auto& other : living_) {
        tell_later(other->incarnation_, [this, incarnation, lent_on](SimProcess& here) {
            here.peers_->expect_no_more(incarnation);
            here.peers_->remove(incarnation);
            if (lent_on) tell_owners(here, incarnation);
        });
    }
    if (process.role_ == Role::store) disk_.freeze();
    process.service_.reset();
    if (process.role_ == Role::store) disk_.thaw();
}

// What runtime/introduction.h does: readers tell owners that nothing of the dead is left with them,
// those they meet later too.
void House::tell_owners(SimProcess& process, uint32_t incarnation) {
    keep_last(process.gone_, incarnation);
    for (const SimProcess::Link& link : process.links_) {
        if (!link.we_read_arena || process.peers_->find(link.peer_incarnation) == nullptr) continue;
        tell_forgotten(process, link.peer_incarnation, incarnation);
    }
}

void House::tell_forgotten(SimProcess& reader, uint32_t owner, uint32_t incarnation) {
    tell_owner(reader, owner, [reader = reader.incarnation_, incarnation](SimProcess& here) {
        here.peers_->forgotten(reader, incarnation);
    });
}

// One link brings everything in order.
void House::tell_owner(SimProcess& reader, uint32_t owner, std::function<void(SimProcess&)> what) {
    const auto link =
        std::find_if(reader.links_.begin(), reader.links_.end(),
                     [&](const SimProcess::Link& each) { return each.peer_incarnation == owner; });
    ASSERT(link != reader.links_.end());
    link->told_us =
        std::max(link->told_us + 1, world_.now_us() + world_.between(kNoticeUsMin, kNoticeUsMax));
    tell_at(link->told_us, owner, std::move(what));
}

// ---- the disk

void House::on_disk_write() {
    if (std::this_thread::get_id() != thread_) return;
    if (opening_store_) {
        if (recovery_writes_left_ > 0 && --recovery_writes_left_ == 0) disk_.freeze();
    } else if (SimProcess* const store = find(Role::store, 0)) {
        if (store->loop_.in_turn()) store->loop_.step();
    }
}

void House::on_disk_sync() {
    if (std::this_thread::get_id() != thread_ || opening_store_) return;
    SimProcess* const store = find(Role::store, 0);
    if (store == nullptr || !store->loop_.in_turn()) return;
    if (sync_us_max > 0) store->loop_.stand_still(world_.between(1, sync_us_max));
    store->loop_.step();
    watcher_.on_store_synced();
}

// ---- stopping, as master does

void House::drain(SimProcess& process, bool gently) {
    if (process.draining_ && (gently || !process.gently_)) return;
    process.draining_ = true;
    process.gently_ = gently;
    process.give_up_us_ = world_.now_us() + (gently ? kRetireUsMax : kStopUsMax);
    say((gently ? "retire " : "stop ") + process.name());
    process.order([&process, gently] {
        gently ? process.service_->on_retire() : process.service_->on_drain();
    });
    world_.after(kDrainLookUs,
                 [this, incarnation = process.incarnation_] { look_at_drain(incarnation); });
}

void House::look_at_drain(uint32_t incarnation) {
    SimProcess* const process = by_incarnation(incarnation);
    if (process == nullptr) return;
    const int64_t now_us = world_.now_us();
    if (!process->orders_.empty() || !process->service_->is_idle()) {
        process->idle_since_us_ = -1;
    } else if (process->idle_since_us_ < 0) {
        process->idle_since_us_ = now_us;
    }
    const bool idle = process->idle_since_us_ >= 0;
    if (idle &&
        (process->peers_->all_consumed() || now_us - process->idle_since_us_ > kDrainPatienceUs)) {
        say(process->name() + " has gone");
        return end(*process, false);
    }
    if (now_us >= process->give_up_us_) {
        if (!process->gently_) return die(*process);
        return drain(*process, false);
    }
    world_.after(kDrainLookUs, [this, incarnation] { look_at_drain(incarnation); });
}

void House::stop(Role role, uint16_t instance) {
    if (SimProcess* const process = find(role, instance)) drain(*process, false);
}

void House::replace(Role role, uint16_t instance) {
    SimProcess* const process = find(role, instance);
    if (process == nullptr) return;
    if (!row_of(role)->many) return drain(*process, false);
    process->leaving_ = true;
    spawn(role, instance);
    drain(*process, true);
}

void House::reload() {
    say("reload");
    for (const auto& process : living_) {
        SimProcess* const it = process.get();
        it->order([this, it] {
            it->settings_ = Settings::initial(options_.settings);
            it->service_->on_settings(it->settings_);
        });
    }
}

void House::restart_gracefully() {
    if (std::exchange(stopping_, true)) return;
    say("posthaste stop");
    stop_stage(0);
}

void House::stop_stage(unsigned stage) {
    if (stage == kStagesMax) {
        say("posthaste start");
        stopping_ = false;
        return start();
    }
    bool some = false;
    for (const auto& process : living_) {
        if (row_of(process->role_)->stop_stage != stage) continue;
        some = true;
        drain(*process, false);
    }
    world_.after(kDrainLookUs, [this, stage, some] { stop_stage(some ? stage : stage + 1); });
}

// ---- what is committed

bool House::store_is_up() const noexcept {
    return !power_is_off_ && std::any_of(living_.begin(), living_.end(), [](const auto& process) {
        return process->role_ == Role::store && process->service_ != nullptr &&
               !process->loop_.is_doomed();
    });
}

std::vector<MessageId> House::ids() {
    std::vector<MessageId> out;
    SimProcess* const store = find(Role::store, 0);
    if (store == nullptr || !store_is_up()) return out;
    std::vector<MessageId> page;
    MessageId after = kNoMessage;
    while (queue_of(*store->service_).list_ids(after, 1000, page) && !page.empty()) {
        out.insert(out.end(), page.begin(), page.end());
        after = page.back();
    }
    return out;
}

std::optional<House::Durable> House::durable(MessageId id) {
    SimProcess* const store = find(Role::store, 0);
    if (store == nullptr || !store_is_up()) return std::nullopt;
    const auto stored = queue_of(*store->service_).load(id);
    if (!stored) return std::nullopt;
    Durable out;
    const auto envelope = decode_envelope(stored->envelope);
    if (!envelope) return std::nullopt;
    out.sender = envelope->sender;
    out.arrived_wall_us = envelope->arrived_wall_us;
    for (const Recipient& recipient : envelope->recipients)
        out.recipients.emplace_back(recipient.address);
    if (stored->state.empty()) return out;
    auto state = decode_queue_state(stored->state);
    if (!state) return std::nullopt;
    out.has_state = true;
    out.state = std::move(*state);
    return out;
}

uint64_t House::quarantined() {
    SimProcess* const store = find(Role::store, 0);
    return store == nullptr ? 0 : queue_of(*store->service_).quarantined_total();
}

}  // namespace posthaste::simulation
