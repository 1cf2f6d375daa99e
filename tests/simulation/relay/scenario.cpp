#include "simulation/relay/scenario.h"

#include <algorithm>
#include <memory>

#include "scheduler/qmgr_service.h"
#include "simulation/relay/destination.h"
#include "simulation/relay/ledger.h"
#include "simulation/relay/plan.h"
#include "tests/support/source_session.h"

namespace posthaste::simulation {

namespace {

constexpr int64_t kOverlapUs = 2 * kSecondUs;
constexpr uint64_t kStepsMax = 5'000'000;
constexpr int64_t kHealthyWaitUsMax = 2 * kMinuteUs;
// Attempts end with the lifetime; then there is nothing left that could move.
constexpr int64_t kPatienceUs = 8 * kDayUs;
constexpr size_t kStoryLinesMax = 2'000'000;

// A story from its beginning, however long it gets.
HouseOptions with_story(HouseOptions options, bool story) {
    if (story) options.log_lines_max = kStoryLinesMax;
    return options;
}

class Scenario final : private HouseWatcher, private Destination::Watcher {
 public:
    Scenario(uint64_t seed, bool story, bool trace)
        : story_(story),
          world_(seed),
          plan_(Plan::draw(world_)),
          house_(world_, with_story(plan_.house, story), static_cast<HouseWatcher&>(*this)),
          ledger_(house_,
                  {plan_.minimal_backoff_us, 13 * plan_.minimal_backoff_us, plan_.lifetime_us}) {
        if (trace)
            world_.set_trace(
                [this](std::string_view line) { house_.keep_line(std::string(line)); });
    }

    ~Scenario() {
        // What stands on the loops goes after them.
        world_.kill(*client_loop_);
        for (auto& destination : destinations_) world_.kill(destination->loop());
    }

    Verdict run() {
        set_up();
        house_.start();
        for (auto& source : sources_) source->start();
        const int64_t began_us = world_.now_us();
        world_.run_for(plan_.chaos_us, kStepsMax);
        clear_up();
        world_.run_until([&] { return came_home() || world_.now_us() > began_us + kPatienceUs; },
                         kStepsMax);
        // Whatever is still on its way back (blocks, forgotten peers, late answers) has a moment.
        world_.run_for(30 * kMinuteUs, kStepsMax);
        return judge();
    }

 private:
    void set_up();
    void clear_up();
    bool came_home();
    Verdict judge();
    std::string state_of_qmgr();
    void judge_memory(const std::function<void(std::string)>& fail);
    void judge_calm(const std::function<void(std::string)>& fail);

    // Something happens; what was aimed at it falls.
    void on(Moment moment);
    void fall(const Blow& blow);
    void break_disk(const Blow& blow);
    void check_bounds();
    void check_connections(bool again);
    std::string crowd_at_a_destination();  // where there is none: empty

    // HouseWatcher
    void on_started(SimProcess& process) override;

    void on_ending(SimProcess& process, bool crashed) override {
        ledger_.on_ending(process, crashed);
    }

    void on_store_synced() override { on(Moment::synced); }

    // Destination::Watcher
    void on_taken() override {
        check_bounds();
        on(Moment::taken);
    }

    void on_deferred() override { on(Moment::deferred); }

    bool all_sent() const { return run_.acked + run_.refused >= plan_.messages; }

    uint64_t draw_for(uint64_t message, uint64_t what) const {
        return Random(world_.seed() ^ (message * 1000003 + what)).next();
    }

    const bool story_;
    SimWorld world_;
    Plan plan_;
    House house_;
    Ledger ledger_;
    support::SourceOptions source_options_;
    support::SourceRun run_;
    SimLoop* client_loop_ = nullptr;
    std::vector<std::unique_ptr<support::SourceSession>> sources_;
    std::vector<std::unique_ptr<Destination>> destinations_;
    uint64_t happened_[6] = {};
    Role kill_next_of_ = Role::master;
    uint64_t next_look_ = 0;
    bool looks_again_ = false;
    std::string bound_broken_;
};

void Scenario::set_up() {
    source_options_.server = house_.options().listen;
    source_options_.messages = plan_.messages;
    source_options_.pipelining = plan_.pipelining;
    source_options_.recipients = plan_.recipients_max;
    source_options_.recipient = [this](uint64_t message, uint32_t number) {
        const auto domain = static_cast<unsigned>(draw_for(message, number) % Plan::kDestinations);
        return address_of(message, number, domain_of_destination(domain));
    };
    source_options_.text = [this](uint64_t message, std::string_view tag) {
        const auto lines = static_cast<uint32_t>(1 + draw_for(message, 99) % plan_.lines_max);
        std::vector<std::string> recipients;
        for (uint32_t i = 0; i < plan_.recipients_max; ++i)
            recipients.push_back(source_options_.recipient(message, i));
        ledger_.will_send(message, std::move(recipients), lines);
        return text_of_message(message, tag, lines);
    };
    source_options_.on_acked = [this](std::string_view tag, std::string_view reply,
                                      const std::vector<uint32_t>& accepted) {
        ledger_.on_acked(std::stoull(std::string(tag.substr(2))),
                         reply.substr(reply.rfind(' ') + 1), accepted);
        on(Moment::acked);
    };
    client_loop_ = &world_.make_loop("clients");
    for (unsigned i = 0; i < plan_.clients; ++i) {
        sources_.push_back(
            std::make_unique<support::SourceSession>(*client_loop_, source_options_, run_));
    }
    for (unsigned i = 0; i < Plan::kDestinations; ++i) {
        destinations_.push_back(std::make_unique<Destination>(
            world_, address_of_destination(i), ledger_, static_cast<Destination::Watcher&>(*this)));
        destinations_.back()->manners = plan_.manners[i];
    }
    world_.network().conditions = plan_.weather;
    house_.sync_us_max = plan_.sync_us_max;
    for (const Blow& blow : plan_.blows) {
        if (blow.moment == Moment::time) world_.after(blow.at_us, [this, &blow] { fall(blow); });
    }
}

void Scenario::clear_up() {
    world_.network().conditions = NetworkConditions{};
    house_.sync_us_max = 0;
    house_.free_bytes = 64 * kGiB;
    house_.disk().heal();
    for (unsigned i = 0; i < Plan::kDestinations; ++i) {
        destinations_[i]->manners = plan_.later[i];
        world_.network().set_unanswering(destinations_[i]->address(), false);
    }
}

// ---- blows

void Scenario::on(Moment moment) {
    const uint64_t count = ++happened_[static_cast<size_t>(moment)];
    for (const Blow& blow : plan_.blows) {
        if (blow.moment == moment && blow.count == count) fall(blow);
    }
}

void Scenario::fall(const Blow& blow) {
    using Kind = Blow::Kind;
    const auto instance = [](Role role, uint16_t number) {
        return row_of(role)->many ? number : uint16_t{0};
    };
    const uint16_t victim = instance(blow.victim, blow.instance);
    const auto later = [&](auto what) {
        world_.after(0, [this, &blow, victim, what] { what(*this, blow, victim); });
    };
    house_.keep_line("-- " + blow.text());
    switch (blow.kind) {
        case Kind::kill_both:
            house_.kill_after(blow.other, instance(blow.other, blow.instance), blow.steps);
            house_.kill_after(blow.victim, victim, blow.steps);
            break;
        case Kind::kill_near_hung:
            house_.hang(blow.other, instance(blow.other, blow.instance), blow.us);
            [[fallthrough]];
        case Kind::kill:
            house_.kill_after(blow.victim, victim, blow.steps);
            break;
        case Kind::kill_again:
            kill_next_of_ = blow.victim;
            later([](Scenario& self, const Blow& it, uint16_t number) {
                self.house_.kill(it.victim, number);
            });
            break;
        case Kind::kill_recovery:
            house_.kill_in_recovery(1 + blow.steps % 24);
            house_.kill_after(Role::store, 0, blow.steps);
            break;
        case Kind::power_cut:
            later([](Scenario& self, const Blow&, uint16_t) { self.house_.power_cut(); });
            break;
        case Kind::power_cut_step:
            house_.kill_after(blow.victim, victim, blow.steps, House::Fate::power_cut);
            break;
        case Kind::stop:
            later([](Scenario& self, const Blow& it, uint16_t number) {
                self.house_.stop(it.victim, number);
            });
            break;
        case Kind::hang:
            house_.hang(blow.victim, victim, blow.us);
            break;
        case Kind::replace:
            later([](Scenario& self, const Blow& it, uint16_t number) {
                self.house_.replace(it.victim, number);
            });
            break;
        case Kind::reload:
            later([](Scenario& self, const Blow&, uint16_t) { self.house_.reload(); });
            break;
        case Kind::restart:
            later([](Scenario& self, const Blow&, uint16_t) { self.house_.restart_gracefully(); });
            break;
        case Kind::disk_error:
        case Kind::disk_full:
            break_disk(blow);
            break;
        case Kind::space_low:
            house_.free_bytes = kMiB;
            world_.after(blow.us, [this] { house_.free_bytes = 64 * kGiB; });
            break;
        case Kind::clock:
            ledger_.before_clock_step(blow.us);
            world_.step_wall_clock(blow.us);
            break;
        case Kind::cut_off:
        case Kind::reset_all: {
            const IpAddress address =
                address_of_destination(static_cast<unsigned>(blow.steps % Plan::kDestinations));
            later([](Scenario& self, const Blow& it, uint16_t) {
                self.world_.network().reset_all_of(
                    address_of_destination(static_cast<unsigned>(it.steps % Plan::kDestinations)));
            });
            if (blow.kind == Kind::reset_all) break;
            world_.network().set_unanswering(address, true);
            world_.after(blow.us,
                         [this, address] { world_.network().set_unanswering(address, false); });
            break;
        }
    }
}

void Scenario::break_disk(const Blow& blow) {
    house_.disk().fail_after(
        blow.steps % 20,
        blow.kind == Blow::Kind::disk_full ? SimDisk::Fault::no_space : SimDisk::Fault::io_error,
        blow.steps % 2 == 0 ? ".log" : "");
    world_.after(blow.us, [this] { house_.disk().heal(); });
}

void Scenario::on_started(SimProcess& process) {
    if (process.role() == Role::store) ledger_.on_store_up();
    if (process.role() == Role::qmgr) ledger_.on_qmgr_up(process);
    if (process.role() == kill_next_of_) {
        kill_next_of_ = Role::master;
        house_.kill_after(process.role(), process.instance(), 1 + world_.random() % 150);
    }
    on(Moment::started);
}

// ---- judging

// A connection that says good-bye may overlap with the next one; two seconds later it is gone. Of
// the time in which its agent stood still it knows nothing.
void Scenario::check_connections(bool again) {
    const std::string crowd = crowd_at_a_destination();
    if (crowd.empty()) return;
    if (!again && looks_again_) return;
    const auto agents = house_.alive();
    const bool some_stood_still = std::any_of(agents.begin(), agents.end(), [&](SimProcess* each) {
        return each->role() == Role::smtp &&
               each->loop().still_until_us() > world_.now_us() - kOverlapUs;
    });
    if (!again || some_stood_still) {
        looks_again_ = true;
        return world_.after(kOverlapUs, [this] {
            looks_again_ = false;
            check_connections(true);
        });
    }
    bound_broken_ = crowd;
}

std::string Scenario::crowd_at_a_destination() {
    // Connections of the qmgrs before this one finish what they hold.
    const auto lives = house_.starts_of(Role::qmgr);
    for (const auto& destination : destinations_) {
        size_t open = 0;
        for (SimProcess* process : house_.alive())
            open += world_.network().open_from(process->loop(), destination->address());
        if (open <= plan_.concurrency_limit * lives) continue;
        return std::to_string(open) + " connections to " + destination->address().text() +
               ", the limit is " + std::to_string(plan_.concurrency_limit);
    }
    return {};
}

void Scenario::check_bounds() {
    if (!bound_broken_.empty()) return;
    check_connections(false);
    SimProcess* const process = house_.find(Role::qmgr, 0);
    if (process == nullptr) return;
    const Scheduler& scheduler = static_cast<QmgrService*>(process->service())->scheduler();
    if (scheduler.active() > plan_.active_limit)
        bound_broken_ = std::to_string(scheduler.active()) + " messages are active";
}

bool Scenario::came_home() {
    if (!ledger_.fault().empty()) return true;
    if (!all_sent()) return false;
    // Asking the store is not free: now and then is enough.
    if (world_.steps() < next_look_) return false;
    next_look_ = world_.steps() + 500;
    return ledger_.all_settled();
}

std::string Scenario::state_of_qmgr() {
    SimProcess* const process = house_.find(Role::qmgr, 0);
    if (process == nullptr) return "there is no qmgr";
    const Scheduler& it = static_cast<QmgrService*>(process->service())->scheduler();
    const auto text = [](const char* what, uint64_t count) {
        return std::string(what) + std::to_string(count);
    };
    return text("qmgr knows ", it.messages()) + text(", active ", it.active()) +
           text(", parked ", it.parked()) + text(", jobs ", it.jobs_out()) +
           text(", lanes ", it.lanes()) + text(", destinations ", it.destinations()) +
           text(", dead ", it.dead_destinations()) + (it.is_open() ? "" : ", not open");
}

void Scenario::judge_memory(const std::function<void(std::string)>& fail) {
    for (SimProcess* process : house_.alive()) {
        const Arena* const arena = process->arena();
        if (arena == nullptr || arena->blocks_free() == arena->blocks_total()) continue;
        fail(process->name() + " misses " +
             std::to_string(arena->blocks_total() - arena->blocks_free()) + " blocks");
    }
    SimProcess* const process = house_.find(Role::qmgr, 0);
    if (process == nullptr) return fail("there is no qmgr");
    const Scheduler& scheduler = static_cast<QmgrService*>(process->service())->scheduler();
    if (scheduler.messages() + scheduler.jobs_out() + scheduler.lanes() > 0) {
        fail("qmgr still has " + std::to_string(scheduler.messages()) + " messages, " +
             std::to_string(scheduler.jobs_out()) + " jobs and " +
             std::to_string(scheduler.lanes()) + " lanes");
    }
}

void Scenario::judge_calm(const std::function<void(std::string)>& fail) {
    if (run_.refused > 0)
        fail(std::to_string(run_.refused) + " messages were refused, though nothing broke");
    // Where the slow sites can hold every place of the active queue (each of their connections a job and the
    // next one, each site the share that nobody is refused), the healthy one has to wait for one.
    const unsigned share_min = plan_.active_limit / 50 + 1;
    const unsigned held_max = (Plan::kDestinations - 1) * (2 * plan_.concurrency_limit + share_min);
    if (!plan_.one_healthy || plan_.active_limit <= held_max) return;
    const std::string healthy = domain_of_destination(0);
    if (plan_.manners[0].greylist_us > 0) {
        // The first wait is the minimal one, or an eighth more.
        const int64_t late_us = ledger_.longest_retry_us(healthy) - plan_.minimal_backoff_us -
                                plan_.minimal_backoff_us / 8;
        if (late_us > kHealthyWaitUsMax)
            fail("a recipient whose time had come was tried " + std::to_string(late_us / kMsUs) +
                 " ms later");
        return;
    }
    // A message to several is as slow to leave the active queue as the slowest of them.
    if (plan_.recipients_max > 1) return;
    const int64_t waited_us = ledger_.slowest_us(healthy);
    if (waited_us > kHealthyWaitUsMax)
        fail("mail for a healthy destination waited " + std::to_string(waited_us / kMsUs) + " ms");
}

Verdict Scenario::judge() {
    Verdict verdict;
    const auto fail = [&](const std::string& why) {
        verdict.ok = false;
        if (verdict.why.find(why) != std::string::npos) return;
        verdict.why += (verdict.why.empty() ? "" : "; ") + why;
    };
    if (!all_sent())
        fail("clients could send only " + std::to_string(run_.acked + run_.refused) + " messages");
    if (!house_.store_is_up()) {
        fail("there is no store");
    } else {
        const bool settled = ledger_.all_settled();
        if (!settled)
            fail("the queue did not become empty: " + std::to_string(house_.ids().size()) +
                 " messages; " + state_of_qmgr());
        ledger_.judge(fail);
        if (settled) judge_memory(fail);
        if (house_.quarantined() > 0) fail("something is in quarantine");
    }
    if (plan_.nothing_breaks()) judge_calm(fail);
    if (!bound_broken_.empty()) fail(bound_broken_);
    if (!house_.quarrel().empty()) fail(house_.quarrel());
    verdict.plan = plan_.text();
    verdict.acked = ledger_.acked();
    verdict.taken = ledger_.taken();
    verdict.duplicates = ledger_.duplicates();
    verdict.held = ledger_.held();
    verdict.attempts = ledger_.attempts();
    verdict.deaths = house_.deaths();
    verdict.steps = world_.steps();
    verdict.virtual_us = world_.now_us();
    verdict.trace_hash = world_.trace_hash();
    if (!verdict.ok || story_) verdict.story.assign(house_.log().begin(), house_.log().end());
    return verdict;
}

}  // namespace

Verdict run_scenario(uint64_t seed, bool story, bool trace) {
    return Scenario(seed, story, trace).run();
}

}  // namespace posthaste::simulation
