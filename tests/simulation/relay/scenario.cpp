#include "simulation/relay/scenario.h"

#include <map>
#include <memory>
#include <set>

#include "base/strings.h"

#include "simulation/relay/house.h"
#include "tests/support/sink_session.h"
#include "tests/support/source_session.h"

namespace posthaste::simulation {

namespace {

constexpr unsigned kDestinations = 3;
constexpr int64_t kChaosUs = 60 * kSecondUs;
constexpr uint64_t kStepsMax = 20'000'000;

IpAddress address_of_destination(unsigned number) {
    return IpAddress::v4(10, 0, 9, static_cast<uint8_t>(number + 1));
}

// A server that clients of the relay's smtp connect to; its manners may change while it runs.
class Destination {
 public:
    Destination(SimWorld& world, unsigned number, std::function<void(std::string_view tag)> on_tag)
        : loop_(world.make_loop("destination" + std::to_string(number))),
          accepted_(runner_of<&Destination::on_accept, Destination>(), this),
          listener_(world.network().listen({address_of_destination(number), 25})) {
        options.on_message = [this, on_tag = std::move(on_tag)](std::string_view tag, uint32_t,
                                                                uint64_t) { on_tag(tag); };
        loop_.accept(accepted_, listener_);
    }

    SimLoop& loop() noexcept { return loop_; }

    support::SinkOptions options;

 private:
    void on_accept(const Event& event) {
        if (event.result >= 0) {
            sessions_.push_back(std::make_unique<support::SinkSession>(
                loop_, Socket{event.result}, options, counts_, [](support::SinkSession&) {}));
        }
        if (event.last) loop_.accept(accepted_, listener_);
    }

    SimLoop& loop_;
    Completion accepted_;
    Socket listener_;
    support::SinkCounts counts_;
    std::vector<std::unique_ptr<support::SinkSession>>
        sessions_;  // to the end of the run: it is short
};

class Scenario {
 public:
    Scenario(uint64_t seed, bool trace) : world_(seed), house_(world_, house_options()) {
        if (trace) world_.set_trace([this](std::string_view line) { trace_.emplace_back(line); });
    }

    ~Scenario() {
        // What stands on the loops goes after them.
        world_.kill(*client_loop_);
        for (auto& destination : destinations_) world_.kill(destination->loop());
    }

    Verdict run() {
        plan();
        house_.start();
        for (auto& source : sources_) source->start();
        world_.run_for(kChaosUs, kStepsMax);
        clear_up();
        world_.run_until([this] { return came_home(); }, kStepsMax);
        // Whatever is still on its way back (blocks, forgotten peers) has a moment.
        world_.run_for(20 * kSecondUs, kStepsMax);
        return judge();
    }

 private:
    static HouseOptions house_options() {
        HouseOptions options;
        std::string transports;
        for (unsigned i = 0; i < kDestinations; ++i) {
            transports += " {d" + std::to_string(i) + ".dest.test = smtp:[" +
                          address_of_destination(i).text() + "]:25},";
        }
        transports.pop_back();
        options.settings =
            "myhostname = relay.test\nmydestination =\nmynetworks = 10.0.0.0/8\n"
            "transport_maps = inline:{" +
            transports +
            " }\n"
            "smtpd_client_connection_count_limit = 0\nsmtpd_peername_lookup = no\n";
        return options;
    }

    void plan() {
        source_options_.server = house_.options().listen;
        source_options_.messages = static_cast<uint64_t>(world_.between(20, 80));
        source_options_.recipients = static_cast<uint32_t>(world_.between(1, 3));
        source_options_.domains = kDestinations;
        source_options_.size_bytes = static_cast<uint64_t>(
            world_.chance(1, 4) ? world_.between(20'000, 60'000) : world_.between(300, 5'000));
        source_options_.pipelining = world_.chance(1, 2);
        source_options_.on_acked = [this](std::string_view tag, std::string_view reply) {
            on_acked(tag, reply);
        };
        while (run_.filler.size() < source_options_.size_bytes)
            run_.filler += ".a line of a body\r\n..and another\r\n";

        client_loop_ = &world_.make_loop("clients");
        for (int64_t i = world_.between(1, 8); i > 0; --i) {
            sources_.push_back(
                std::make_unique<support::SourceSession>(*client_loop_, source_options_, run_));
        }
        for (unsigned i = 0; i < kDestinations; ++i) {
            destinations_.push_back(std::make_unique<Destination>(
                world_, i, [this](std::string_view tag) { ++delivered_[std::string(tag)]; }));
            give_manners(*destinations_.back());
        }
        if (world_.chance(1, 5)) return;  // a quiet day
        if (world_.chance(1, 2)) plan_weather();
        plan_deaths();
    }

    void give_manners(Destination& destination) {
        destination.options.pipelining = world_.chance(3, 4);
        destination.options.chunking = world_.chance(1, 3);
        if (world_.chance(1, 4)) destination.options.final_delay_ms = world_.between(1, 2'000);
    }

    void plan_weather() {
        auto& weather = world_.network().conditions;
        if (world_.chance(1, 3)) {
            weather.reset_permille = static_cast<unsigned>(world_.between(1, 10));
            replies_may_be_lost_ = true;
        }
        if (world_.chance(1, 3))
            weather.stall_permille = static_cast<unsigned>(world_.between(1, 10));
        if (world_.chance(1, 3))
            weather.refuse_permille = static_cast<unsigned>(world_.between(1, 300));
        for (auto& destination : destinations_) {
            if (world_.chance(1, 4)) destination->options.rcpt_reply = "450 4.2.1 come again";
            if (world_.chance(1, 6)) destination->options.final_reply = "451 4.3.0 not now";
            if (world_.chance(1, 4)) {
                destination->options.disconnect_every = static_cast<uint64_t>(world_.between(2, 9));
                replies_may_be_lost_ = true;
            }
        }
    }

    void plan_deaths() {
        static constexpr Role kMortal[] = {Role::smtpd, Role::cleanup, Role::store,
                                           Role::qmgr,  Role::smtp,    Role::rewrite};
        // One kind of process again and again, or any: a fault of one shows best when nothing else
        // is to blame.
        const Role unlucky = kMortal[world_.random() % std::size(kMortal)];
        const bool any = world_.chance(1, 2);
        for (int64_t i = world_.between(0, 5); i > 0; --i) {
            const Role role = any ? kMortal[world_.random() % std::size(kMortal)] : unlucky;
            const auto instance = static_cast<uint16_t>(
                row_of(role)->many ? world_.between(0, house_.options().workers - 1) : 0);
            // Most while there is work: the first moments.
            const int64_t at_us = world_.between(0, world_.chance(1, 2)   ? kSecondUs / 2
                                                    : world_.chance(1, 2) ? 3 * kSecondUs
                                                                          : kChaosUs);
            world_.after(at_us, [this, role, instance] {
                if (house_.kill(role, instance)) dead_.insert(role);
            });
        }
        if (any && world_.chance(1, 3)) {
            world_.after(world_.between(0, 5 * kSecondUs), [this] {
                replies_may_be_lost_ = true;
                house_.power_cut();
            });
        }
        if (world_.chance(1, 10)) {
            const int64_t step_us = world_.between(-kHourUs, kHourUs);
            world_.after(world_.between(0, kChaosUs),
                         [this, step_us] { world_.step_wall_clock(step_us); });
        }
    }

    void clear_up() {
        auto& weather = world_.network().conditions;
        weather.reset_permille = weather.stall_permille = weather.refuse_permille = 0;
        for (auto& destination : destinations_) {
            destination->options.rcpt_reply.clear();
            destination->options.final_reply.clear();
            destination->options.disconnect_every = 0;
        }
    }

    void on_acked(std::string_view tag, std::string_view reply) {
        acked_.insert(std::string(tag));
        const size_t at = reply.rfind(' ');
        const std::string id(reply.substr(at == std::string_view::npos ? 0 : at + 1));
        if (!ids_.insert(id).second) repeated_id_ = id;
    }

    bool all_sent() const { return run_.acked + run_.refused >= source_options_.messages; }

    // A server's answer died on the way, or with the agent that heard it. qmgr alone loses nothing
    // (agents keep their reports), nor does the store alone (qmgr keeps its outcomes); together
    // they may.
    bool may_come_twice() const {
        return replies_may_be_lost_ || dead_.count(Role::smtp) > 0 ||
               (dead_.count(Role::qmgr) > 0 && dead_.count(Role::store) > 0);
    }

    bool came_home() {
        if (!all_sent()) return false;
        for (const std::string& tag : acked_) {
            if (delivered_.count(tag) == 0) return false;
        }
        // Asking the store is not free: now and then is enough.
        if (world_.steps() < next_look_) return false;
        next_look_ = world_.steps() + 2'000;
        const auto queued = house_.queued();
        return queued && *queued == 0;
    }

    Verdict judge() {
        Verdict verdict;
        verdict.acked = acked_.size();
        verdict.deaths = house_.deaths();
        verdict.steps = world_.steps();
        verdict.virtual_us = world_.now_us();
        verdict.trace_hash = world_.trace_hash();
        const auto fail = [&](std::string why) {
            verdict.ok = false;
            verdict.why += (verdict.why.empty() ? "" : "; ") + why;
        };
        for (const auto& [tag, times] : delivered_) {
            verdict.delivered += times;
            verdict.duplicates += times - 1;
        }
        if (!all_sent())
            fail("clients could send only " + std::to_string(run_.acked + run_.refused) +
                 " messages");
        for (const std::string& tag : acked_) {
            if (delivered_.count(tag) == 0) fail(tag + " was answered 250 and never arrived");
        }
        const size_t queued = house_.queued().value_or(SIZE_MAX);
        if (queued != 0)
            fail("the queue did not become empty: " + std::to_string(queued) + " messages");
        if (verdict.duplicates > 0 && !may_come_twice()) {
            fail(std::to_string(verdict.duplicates) +
                 " duplicates, though no reply and no report was lost");
        }
        if (!repeated_id_.empty()) fail("queue id " + repeated_id_ + " was given out twice");
        for (SimProcess* process : house_.alive()) {
            const Arena* const arena = process->arena();
            if (queued == 0 && arena != nullptr && arena->blocks_free() != arena->blocks_total()) {
                fail(process->name() + " misses " +
                     std::to_string(arena->blocks_total() - arena->blocks_free()) + " blocks");
            }
        }
        if (!verdict.ok) verdict.story.assign(house_.log().begin(), house_.log().end());
        verdict.story.insert(verdict.story.end(), trace_.begin(), trace_.end());
        return verdict;
    }

    SimWorld world_;
    House house_;
    bool replies_may_be_lost_ = false;
    std::set<Role> dead_;
    support::SourceOptions source_options_;
    support::SourceRun run_;
    SimLoop* client_loop_ = nullptr;
    std::vector<std::unique_ptr<support::SourceSession>> sources_;
    std::vector<std::unique_ptr<Destination>> destinations_;
    std::set<std::string> acked_;
    std::set<std::string> ids_;
    std::string repeated_id_;
    std::map<std::string, uint64_t> delivered_;
    uint64_t next_look_ = 0;
    std::vector<std::string> trace_;
};

}  // namespace

Verdict run_scenario(uint64_t seed, bool trace) { return Scenario(seed, trace).run(); }

}  // namespace posthaste::simulation
