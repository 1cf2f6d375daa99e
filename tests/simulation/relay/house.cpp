#include "simulation/relay/house.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"

#include "simulation/relay/make_service.h"

namespace posthaste::simulation {

namespace {

// How fast the simulated master and kernel are.
constexpr int64_t kSpawnUsMin = 2 * kMsUs;
constexpr int64_t kSpawnUsMax = 300 * kMsUs;
constexpr int64_t kNoticeUsMin = 10;
constexpr int64_t kNoticeUsMax = 2 * kMsUs;
constexpr uint32_t kListenerOnlyRingBytes = 4096;

// Small rings, so that full ones happen.
constexpr uint32_t kRingBytesMax = 256 * 1024;

uint32_t ring_bytes(uint32_t table_bytes) {
    return table_bytes == 0 ? kListenerOnlyRingBytes : std::min(table_bytes, kRingBytesMax);
}

bool is_simulated(Role role) { return role != Role::postlogd; }

bool has_arena(Role role) {
    const RoleRow* const row = row_of(role);
    return row != nullptr && !row->arena_parameter.empty();
}

}  // namespace

// ---- one process

SimProcess::SimProcess(House& house, Role role, uint16_t instance, uint32_t incarnation)
    : house_(house),
      role_(role),
      instance_(instance),
      incarnation_(incarnation),
      loop_(house.world().make_loop(name())),
      service_name_(name_of(role)),
      settings_(Settings::initial(house.options().settings)),
      counter_page_(std::make_unique<CounterPage>()) {
    if (has_arena(role)) arena_ = Arena::create_private(incarnation, house.options().arena_bytes);
    world_.emplace(World{loop_, *this, *counter_page_, settings_, arena_ ? &*arena_ : nullptr,
                         instance_, incarnation_, service_name_});
}

SimProcess::~SimProcess() = default;

std::string SimProcess::name() const {
    return std::string(name_of(role_)) + "/" + std::to_string(instance_) + "#" +
           std::to_string(incarnation_);
}

void SimProcess::line(wire::Severity severity, std::string_view text) {
    if (severity != wire::Severity::info) ++house_.warnings_;
    house_.keep_line(std::to_string(house_.world().now_us()) + " " + name() + ": " +
                     std::string(text));
}

void SimProcess::make_service() {
    service_ = simulation::make_service(
        role_, *world_, house_.disk(),
        [this] {
            house_.world().after(0, [&house = house_, incarnation = incarnation_] {
                SimProcess* const here = house.by_incarnation(incarnation);
                if (here != nullptr) house.kill(here->role_, here->instance_);
            });
        },
        why_not_);
    if (service_ == nullptr) return;
    peers_ = std::make_unique<Peers>(loop_, *service_);
    peers_->set_hooks({this,
                       [](void* self, uint32_t incarnation) {
                           auto& process = *static_cast<SimProcess*>(self);
                           process.house_.on_removed(process, incarnation);
                       },
                       [](void* self, Peer& peer, std::string_view what) {
                           auto& process = *static_cast<SimProcess*>(self);
                           process.line(wire::Severity::error,
                                        peer.name() + " misbehaved: " + std::string(what));
                       }});
    service_->attach(*peers_);
    if (role_ == Role::smtpd) {
        service_->on_listener("25", house_.world().network().listen(house_.options().listen));
    }
}

// ---- the house

House::House(SimWorld& world, HouseOptions options) : world_(world), options_(std::move(options)) {}

House::~House() {
    while (!living_.empty()) {
        world_.kill(living_.back()->loop_);
        bury(*living_.back());
    }
}

void House::keep_line(std::string line) {
    log_.push_back(std::move(line));
    if (log_.size() > kLogLinesMax) log_.pop_front();
}

void House::start() {
    for (const RoleRow& row : role_rows()) {
        if (!is_simulated(row.role)) continue;
        for (uint16_t instance = 0; instance < (row.many ? options_.workers : 1); ++instance)
            spawn(row.role, instance);
    }
}

SimProcess* House::find(Role role, uint16_t instance) noexcept {
    for (const auto& process : living_) {
        if (process->role_ == role && process->instance_ == instance) return process.get();
    }
    return nullptr;
}

SimProcess* House::by_incarnation(uint32_t incarnation) noexcept {
    for (const auto& process : living_) {
        if (process->incarnation_ == incarnation) return process.get();
    }
    return nullptr;
}

std::vector<SimProcess*> House::alive() {
    std::vector<SimProcess*> out;
    for (const auto& process : living_) out.push_back(process.get());
    return out;
}

void House::spawn(Role role, uint16_t instance) {
    living_.push_back(std::make_unique<SimProcess>(*this, role, instance, next_incarnation_++));
    SimProcess& process = *living_.back();
    process.make_service();
    if (process.service_ == nullptr) {
        keep_line(process.name() + " could not start: " + process.why_not_);
        ++warnings_;
        world_.kill(process.loop_);
        bury(process);
        return respawn_later(role, instance);
    }
    for (size_t i = 0; i < living_.size(); ++i) {
        if (living_[i].get() != &process) introduce(*living_[i], process);
    }
}

void House::respawn_later(Role role, uint16_t instance) {
    world_.after(world_.between(kSpawnUsMin, kSpawnUsMax), [this, role, instance] {
        if (find(role, instance) == nullptr) spawn(role, instance);
    });
}

void House::introduce(SimProcess& a, SimProcess& b) {
    const Wire* const wire = wire_between(a.role_, b.role_);
    if (wire == nullptr) return;
    const WireEnd end_a = end_of(*wire, a.role_);
    const WireEnd end_b = end_of(*wire, b.role_);
    if (end_a.own_ring_bytes == 0 && end_b.own_ring_bytes == 0) {
        connect_one_way(a, b, end_a, std::nullopt, std::nullopt, -1, -1);
        connect_one_way(b, a, end_b, std::nullopt, std::nullopt, -1, -1);
        return;
    }
    Segment of_a = Segment::create_private(ring_bytes(end_a.own_ring_bytes));
    Segment of_b = Segment::create_private(ring_bytes(end_b.own_ring_bytes));
    Segment seen_by_b = Segment::alias(of_a);
    Segment seen_by_a = Segment::alias(of_b);
    const int bell_a = world_.make_doorbell(a.loop_);
    const int bell_b = world_.make_doorbell(b.loop_);
    connect_one_way(a, b, end_a, std::move(of_a), std::move(seen_by_a), bell_a, bell_b);
    connect_one_way(b, a, end_b, std::move(of_b), std::move(seen_by_b), bell_b, bell_a);
}

void House::connect_one_way(SimProcess& self, SimProcess& peer, const WireEnd& end,
                            std::optional<Segment> own, std::optional<Segment> theirs,
                            int own_doorbell, int peer_doorbell) {
    PeerParts parts;
    parts.role = peer.role_;
    parts.instance = peer.instance_;
    parts.incarnation = peer.incarnation_;
    if (own) parts.channel.emplace(std::move(*own), std::move(*theirs));
    if (end.we_read_arena) parts.arena = ArenaView::of(*peer.arena_);
    parts.doorbell = peer_doorbell;
    SimProcess::Link link{peer.incarnation_, end.we_read_arena, end.we_lend_arena, nullptr};
    if (own_doorbell >= 0) {
        link.doorbell_rung =
            std::make_unique<Completion>(runner_of<&SimProcess::on_doorbell, SimProcess>(), &self);
        self.loop_.watch(*link.doorbell_rung, own_doorbell);
    }
    self.links_.push_back(std::move(link));
    // The handshake is done at some moment; a peer that died meanwhile is heard of right behind it.
    auto shared = std::make_shared<PeerParts>(std::move(parts));
    const uint32_t self_incarnation = self.incarnation_;
    world_.after(
        world_.between(kNoticeUsMin, kNoticeUsMax), [this, shared, self_incarnation, own_doorbell] {
            SimProcess* const here = by_incarnation(self_incarnation);
            if (here == nullptr || by_incarnation(shared->incarnation) == nullptr) {
                unmet_.push_back(shared);  // the other side may have mapped our segment already
                return;
            }
            here->peers_->add(std::move(*shared));
            if (own_doorbell >= 0) world_.ring(own_doorbell);  // a turn, to look at the new ring
        });
}

bool House::kill(Role role, uint16_t instance) {
    SimProcess* const process = find(role, instance);
    if (process == nullptr) return false;
    ++deaths_;
    keep_line(std::to_string(world_.now_us()) + " KILL " + process->name());
    world_.kill(process->loop_);
    bury(*process);
    respawn_later(role, instance);
    return true;
}

void House::power_cut() {
    keep_line(std::to_string(world_.now_us()) + " POWER CUT");
    ++deaths_;
    std::vector<std::pair<Role, uint16_t>> who;
    for (const auto& process : living_) who.emplace_back(process->role_, process->instance_);
    while (!living_.empty()) {
        world_.kill(living_.back()->loop_);
        bury(*living_.back());
    }
    // Behind the store's last breath: closing the database syncs nothing of its log, and a RocksDB
    // whose disk fails while it closes stops the whole program.
    const std::function<uint64_t()> random = [this] { return world_.random(); };
    disk_.power_cut(&random);
    for (const auto& [role, instance] : who) respawn_later(role, instance);
}

// The dead process's loop is dead. Its service goes (the store's database must be closed before the
// next opens); rings and arena stay for those who map them.
void House::bury(SimProcess& process) {
    process.dead_ = true;
    const auto at = std::find_if(living_.begin(), living_.end(),
                                 [&](const auto& p) { return p.get() == &process; });
    ASSERT(at != living_.end());
    dead_.push_back(std::move(*at));
    living_.erase(at);
    const uint32_t incarnation = process.incarnation_;
    for (const auto& other : living_) {
        const uint32_t other_incarnation = other->incarnation_;
        world_.after(
            world_.between(kNoticeUsMin, kNoticeUsMax), [this, other_incarnation, incarnation] {
                SimProcess* const here = by_incarnation(other_incarnation);
                if (here == nullptr) return;
                if (here->peers_->find(incarnation) != nullptr)
                    return here->peers_->remove(incarnation);
                on_removed(*here, incarnation);  // never met it: nothing of it is held here
            });
    }
    process.service_.reset();
}

// What runtime/introduction.h does: readers tell owners that nothing of the dead is left with them.
void House::on_removed(SimProcess& process, uint32_t incarnation) {
    for (const SimProcess::Link& link : process.links_) {
        if (!link.we_read_arena || link.peer_incarnation == incarnation) continue;
        const uint32_t owner = link.peer_incarnation;
        const uint32_t reader = process.incarnation_;
        world_.after(world_.between(kNoticeUsMin, kNoticeUsMax),
                     [this, owner, reader, incarnation] {
                         SimProcess* const here = by_incarnation(owner);
                         if (here != nullptr) here->peers_->forgotten(reader, incarnation);
                     });
    }
}

std::optional<size_t> House::queued() {
    SimProcess* const store = find(Role::store, 0);
    if (store == nullptr) return std::nullopt;
    return queued_in(*store->service_);
}

}  // namespace posthaste::simulation
