#include "simulation/relay/process.h"

#include <utility>

#include "runtime/channel_layout.h"

#include "simulation/relay/house.h"
#include "simulation/relay/make_service.h"

namespace posthaste::simulation {

namespace {

bool has_arena(Role role) {
    const RoleRow* const row = row_of(role);
    return row != nullptr && !row->arena_parameter.empty();
}

}  // namespace

SimProcess::SimProcess(House& house, Role role, uint16_t instance, uint32_t incarnation)
    : house_(house),
      role_(role),
      instance_(instance),
      incarnation_(incarnation),
      loop_(house.world().make_loop(name())),
      service_name_(name_of(role)),
      settings_(Settings::initial(house.options().settings)),
      counter_page_(std::make_unique<CounterPage>()),
      order_bell_(house.world().make_doorbell(loop_)),
      order_came_(runner_of<&SimProcess::on_order, SimProcess>(), this) {
    if (has_arena(role)) arena_ = Arena::create_private(incarnation, house.options().arena_bytes);
    world_.emplace(World{loop_, *this, *counter_page_, settings_, arena_ ? &*arena_ : nullptr,
                         instance_, incarnation_, service_name_});
    loop_.watch(order_came_, order_bell_);
}

SimProcess::~SimProcess() = default;

std::string SimProcess::name() const {
    return std::string(name_of(role_)) + "/" + std::to_string(instance_) + "#" +
           std::to_string(incarnation_);
}

void SimProcess::line(wire::Severity severity, std::string_view text) {
    static constexpr std::string_view kMarks[] = {"", "warning: ", "error: ", "fatal: "};
    const auto rank = static_cast<size_t>(severity);
    house_.keep_line(name() + ": " + std::string(rank < std::size(kMarks) ? kMarks[rank] : "") +
                     std::string(text));
}

// Master's words come as a doorbell and are followed in a turn of the process itself.
void SimProcess::order(std::function<void()> what) {
    orders_.push_back(std::move(what));
    house_.world().ring(order_bell_);
}

void SimProcess::on_order(const Event&) {
    for (const auto& what : std::exchange(orders_, {})) what();
}

void SimProcess::make_service() {
    service_ = simulation::make_service(
        role_, *world_, house_.disk(), [this] { return house_.free_bytes; },
        [this] {
            house_.world().after(0, [&house = house_, incarnation = incarnation_] {
                SimProcess* const here = house.by_incarnation(incarnation);
                if (here != nullptr) house.die(*here);
            });
        },
        why_not_);
    if (service_ == nullptr) return;
    peers_ = std::make_unique<Peers>(loop_, *service_);
    peers_->set_hooks({this, nullptr, [](void* self, Peer& peer, std::string_view what) {
                           auto& process = *static_cast<SimProcess*>(self);
                           process.house_.quarrel_ = process.name() + ": " + peer.name() +
                                                     " misbehaved: " + std::string(what);
                           process.line(wire::Severity::error, process.house_.quarrel_);
                       }});
    service_->attach(*peers_);
    if (role_ == Role::smtpd) {
        service_->on_listener("25", house_.world().network().listen(house_.options().listen));
    }
}

void SimProcess::remember_what_is_seen() {
    seen_.clear();
    for (const Link& link : links_) {
        if (link.own_indices == nullptr) continue;
        const Segment::Header& indices = *link.own_indices;
        seen_.push_back({link.own_indices, indices.tail.load(), indices.head.load(),
                         indices.sleep_count.load(), indices.wants_room.load()});
    }
}

void SimProcess::show_what_was_seen() {
    for (const Seen& seen : seen_) {
        seen.indices->tail.store(seen.tail);
        seen.indices->head.store(seen.head);
        seen.indices->sleep_count.store(seen.sleep_count);
        seen.indices->wants_room.store(seen.wants_room);
    }
}

}  // namespace posthaste::simulation
