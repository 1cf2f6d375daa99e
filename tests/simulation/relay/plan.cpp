#include "simulation/relay/plan.h"

#include <algorithm>
#include <initializer_list>

namespace posthaste::simulation {

namespace {

constexpr Role kMortal[] = {Role::smtpd, Role::cleanup, Role::store,
                            Role::qmgr,  Role::smtp,    Role::rewrite};
constexpr const char* kKindNames[] = {"kill",
                                      "kill both",
                                      "kill near one that hangs",
                                      "kill twice",
                                      "kill store and its recovery",
                                      "power cut",
                                      "power cut in a turn",
                                      "stop",
                                      "hang",
                                      "replace",
                                      "reload",
                                      "restart all",
                                      "disk EIO",
                                      "disk ENOSPC",
                                      "space low",
                                      "clock step",
                                      "cut off",
                                      "reset all"};
constexpr const char* kMomentNames[] = {"time",     "message acked", "message taken",
                                        "deferral", "store sync",    "start"};
static_assert(std::size(kKindNames) == static_cast<size_t>(Blow::Kind::reset_all) + 1);

class Drawing {
 public:
    explicit Drawing(SimWorld& world) : world_(world) {}

    Plan draw() {
        plan_.kind = world_.chance(1, 8)   ? Plan::Kind::calm
                     : world_.chance(1, 4) ? Plan::Kind::siege
                                           : Plan::Kind::storm;
        draw_mail();
        draw_settings();
        for (unsigned i = 0; i < Plan::kDestinations; ++i) draw_manners(i);
        if (plan_.kind == Plan::Kind::calm) return std::move(plan_);
        if (world_.chance(1, 2)) draw_weather();
        if (world_.chance(1, 6)) plan_.sync_us_max = world_.between(1, 200) * kMsUs;
        draw_blows();
        forgo_the_unknowable();
        return std::move(plan_);
    }

 private:
    template <class Value>
    Value one_of(std::initializer_list<Value> values) {
        return *(values.begin() + world_.random() % values.size());
    }

    unsigned permille(int64_t most) { return static_cast<unsigned>(world_.between(1, most)); }

    void draw_mail();
    void draw_settings();
    void draw_manners(unsigned number);
    void draw_weather();
    void draw_blows();
    Blow draw_blow();
    void aim(Blow& blow);
    void forgo_the_unknowable();

    SimWorld& world_;
    Plan plan_;
};

void Drawing::draw_mail() {
    plan_.chaos_us = plan_.kind == Plan::Kind::siege ? world_.between(2, 40) * kHourUs : kMinuteUs;
    plan_.messages =
        static_cast<uint64_t>(world_.between(10, plan_.kind == Plan::Kind::siege ? 25 : 60));
    plan_.clients = static_cast<unsigned>(world_.between(1, 8));
    plan_.recipients_max = one_of({1u, 1u, 3u, 6u});
    plan_.lines_max = one_of({4u, 30u, 30u, 400u});
    plan_.pipelining = world_.chance(1, 2);
}

void Drawing::draw_settings() {
    plan_.active_limit = one_of({6u, 20u, 20'000u});
    plan_.concurrency_limit = one_of({1u, 2u, 5u, 20u});
    const bool patient = plan_.kind == Plan::Kind::siege || world_.chance(1, 3);
    plan_.minimal_backoff_us = patient ? 300 * kSecondUs : one_of({5, 20}) * kSecondUs;
    plan_.lifetime_us =
        plan_.kind == Plan::Kind::siege ? one_of({3 * kHourUs, kDayUs, 5 * kDayUs}) : 5 * kDayUs;
    std::string& text = plan_.house.settings;
    const auto set = [&](const std::string& name, const std::string& value) {
        text += name + " = " + value + "\n";
    };
    set("myhostname", "relay.test");
    set("mydestination", "");
    set("mynetworks", "10.0.0.0/8");
    set("smtpd_client_connection_count_limit", "0");
    set("smtpd_peername_lookup", "no");
    std::string transports;
    for (unsigned i = 0; i < Plan::kDestinations; ++i) {
        transports += (i == 0 ? " {" : ", {") + domain_of_destination(i) + " = smtp:[" +
                      address_of_destination(i).text() + "]:25}";
    }
    set("transport_maps", "inline:{" + transports + " }");
    set("qmgr_message_active_limit", std::to_string(plan_.active_limit));
    set("default_destination_concurrency_limit", std::to_string(plan_.concurrency_limit));
    set("initial_destination_concurrency", std::to_string(std::min(plan_.concurrency_limit, 5u)));
    set("minimal_backoff_time", std::to_string(plan_.minimal_backoff_us / kSecondUs) + "s");
    set("maximal_backoff_time", std::to_string(13 * plan_.minimal_backoff_us / kSecondUs) + "s");
    set("maximal_queue_lifetime", std::to_string(plan_.lifetime_us / kSecondUs) + "s");
    set("lane_depth", one_of({"1", "2", "2"}));
    set("default_destination_recipient_limit", one_of({"1", "2", "50", "50"}));
    set("store_batch_limit", one_of({"1", "3", "512", "512"}));
    set("smtp_connection_reuse_count_limit", one_of({"0", "0", "3"}));
    if (world_.chance(1, 10)) set("default_destination_rate_delay", "100ms");
    plan_.house.ring_bytes_max = one_of({16u, 64u, 256u}) * 1024;
    plan_.house.arena_bytes = one_of({1u, 4u}) * kMiB;
}

// A quarter of all servers has nothing to be ashamed of.
void Drawing::draw_manners(unsigned number) {
    Manners& manners = plan_.manners[number];
    Manners& later = plan_.later[number];
    manners.pipelining = world_.chance(3, 4);
    manners.knows_ehlo = world_.chance(9, 10);
    later = manners;
    const bool siege = plan_.kind == Plan::Kind::siege;
    if (number == 0 && world_.chance(1, 2)) {
        plan_.one_healthy = true;
        // Nobody is taken at the first attempt: whose time comes, comes whatever the others do.
        if (plan_.kind == Plan::Kind::calm && world_.chance(1, 2)) manners.greylist_us = kSecondUs;
        return;
    }
    if (world_.chance(1, 4)) return;
    if (world_.chance(1, 3)) {
        manners.slow_permille = permille(300);
        manners.slow_us_max = one_of({kSecondUs, 30 * kSecondUs, 10 * kMinuteUs});
    }
    if (world_.chance(1, 5)) manners.greylist_us = world_.between(1, 30) * kMinuteUs;
    if (world_.chance(1, 5)) manners.session_messages_max = permille(4);
    if (world_.chance(1, 5)) manners.sessions_max = permille(3);
    if (world_.chance(1, 6)) manners.recipients_max = 1;
    if (world_.chance(1, 5)) manners.unknown_permille = permille(300);
    if (world_.chance(1, 6)) manners.unwanted_permille = permille(300);
    if (world_.chance(1, 3)) manners.defer_permille = siege ? 1000 : permille(700);
    if (world_.chance(1, 5)) manners.defer_final_permille = permille(700);
    // What stays that way: days of retry, and mail that is never taken.
    later = manners;
    if (!siege || world_.chance(2, 3)) later.defer_permille = later.defer_final_permille = 0;
    if (plan_.kind == Plan::Kind::calm) return;
    if (world_.chance(1, 4)) manners.vanish_permille = permille(300);
    if (world_.chance(1, 6)) manners.late_permille = permille(300);
    if (world_.chance(1, 8)) manners.silent_permille = permille(300);
    if (world_.chance(1, 8)) manners.gibberish_permille = permille(50);
    if (world_.chance(1, 8)) manners.hurried_permille = permille(300);
    // Nobody can tell what a server means that says some things twice and others not at all.
    if (world_.chance(1, 6)) {
        manners.twice_permille = permille(200);
        manners.echo_us = one_of({int64_t{0}, 200 * kMsUs});
    } else if (world_.chance(1, 8)) {
        manners.unsaid_permille = permille(50);
    }
    if (manners.twice_permille == 0 && manners.unsaid_permille == 0 && world_.chance(1, 6)) {
        manners.proxy_permille = permille(1000);
        manners.unwanted_permille = permille(300);
    }
}

void Drawing::draw_weather() {
    NetworkConditions& weather = plan_.weather;
    if (world_.chance(1, 3)) weather.reset_permille = permille(10);
    if (world_.chance(1, 3)) weather.stall_permille = permille(10);
    if (world_.chance(1, 3)) weather.refuse_permille = permille(300);
    if (world_.chance(1, 4)) weather.unanswered_permille = permille(200);
}

// A connection that breaks between a yes and the refusal behind it, or behind a reply that was not
// said, leaves nobody the wiser: such servers have good connections.
void Drawing::forgo_the_unknowable() {
    const bool breaks =
        plan_.weather.reset_permille > 0 || plan_.weather.stall_permille > 0 ||
        std::any_of(plan_.blows.begin(), plan_.blows.end(), [](const Blow& blow) {
            return blow.kind == Blow::Kind::cut_off || blow.kind == Blow::Kind::reset_all;
        });
    if (!breaks) return;
    for (auto* const all : {&plan_.manners, &plan_.later}) {
        for (Manners& manners : *all) manners.proxy_permille = manners.unsaid_permille = 0;
    }
}

void Drawing::draw_blows() {
    const int64_t most = plan_.kind == Plan::Kind::siege ? 4 : 7;
    for (int64_t i = world_.between(1, most); i > 0; --i) plan_.blows.push_back(draw_blow());
    // A fault of one process shows best when nothing else is to blame.
    if (world_.chance(1, 3)) {
        const Blow first = plan_.blows.front();
        for (Blow& blow : plan_.blows) {
            blow.kind = first.kind;
            blow.victim = first.victim;
            blow.other = first.other;
            blow.us = first.us;
        }
    }
}

Blow Drawing::draw_blow() {
    using Kind = Blow::Kind;
    // What is drawn often stands here often.
    static constexpr Kind kKinds[] = {
        Kind::kill,          Kind::kill,           Kind::kill,           Kind::kill,
        Kind::kill,          Kind::kill,           Kind::kill_both,      Kind::kill_both,
        Kind::kill_both,     Kind::kill_again,     Kind::kill_again,     Kind::kill_again,
        Kind::kill_recovery, Kind::power_cut,      Kind::power_cut_step, Kind::power_cut_step,
        Kind::stop,          Kind::stop,           Kind::stop,           Kind::replace,
        Kind::hang,          Kind::kill_near_hung, Kind::kill_near_hung, Kind::reload,
        Kind::restart,       Kind::disk_error,     Kind::disk_full,      Kind::space_low,
        Kind::clock,         Kind::clock,          Kind::cut_off,        Kind::reset_all,
    };
    Blow blow;
    blow.kind = kKinds[world_.random() % std::size(kKinds)];
    blow.victim = kMortal[world_.random() % std::size(kMortal)];
    blow.other = kMortal[world_.random() % std::size(kMortal)];
    if (blow.kind == Kind::kill_recovery) blow.victim = Role::store;
    blow.instance = static_cast<uint16_t>(world_.between(0, plan_.house.workers - 1));
    blow.steps = static_cast<uint64_t>(world_.chance(1, 4)   ? world_.between(1, 400)
                                       : world_.chance(1, 2) ? world_.between(1, 60)
                                                             : world_.between(1, 12));
    blow.us = world_.between(-6 * kHourUs, 6 * kHourUs);
    if (blow.kind == Kind::cut_off || blow.kind == Kind::space_low)
        blow.us = world_.between(1, 40) * (plan_.kind == Plan::Kind::siege ? kMinuteUs : kSecondUs);
    // The store is started again all the while.
    if (blow.kind == Kind::disk_error || blow.kind == Kind::disk_full)
        blow.us = world_.between(1, 1500) * kMsUs;
    if (blow.kind == Kind::hang || blow.kind == Kind::kill_near_hung)
        blow.us = world_.between(1, world_.chance(1, 2) ? 3000 : 100) * kMsUs;
    // Everybody waits for the store.
    if (blow.kind == Kind::kill_near_hung && world_.chance(1, 2)) blow.other = Role::store;
    aim(blow);
    return blow;
}

// Two of three at something that happens, the others at a time, early ones first.
void Drawing::aim(Blow& blow) {
    if (world_.chance(2, 3)) {
        blow.moment = one_of({Moment::acked, Moment::taken, Moment::taken, Moment::taken,
                              Moment::deferred, Moment::synced, Moment::started});
        const auto most = static_cast<int64_t>(plan_.messages) / 2 + 1;
        blow.count = static_cast<uint64_t>(world_.between(1, most));
        return;
    }
    const int64_t most = world_.chance(1, 2)   ? kSecondUs / 2
                         : world_.chance(1, 2) ? 5 * kSecondUs
                                               : plan_.chaos_us;
    blow.at_us = world_.between(0, most);
}

}  // namespace

Plan Plan::draw(SimWorld& world) { return Drawing(world).draw(); }

bool Plan::nothing_breaks() const { return kind == Kind::calm; }

IpAddress address_of_destination(unsigned number) {
    return IpAddress::v4(10, 9, 9, static_cast<uint8_t>(number + 1));
}

std::string domain_of_destination(unsigned number) {
    return "d" + std::to_string(number) + ".dest.test";
}

std::string Blow::text() const {
    std::string out = kKindNames[static_cast<size_t>(kind)];
    if (kind <= Kind::kill_recovery || kind == Kind::power_cut_step || kind == Kind::stop ||
        kind == Kind::hang || kind == Kind::replace)
        out += " " + std::string(name_of(victim)) + "/" + std::to_string(instance);
    if (kind == Kind::kill_both) out += " and " + std::string(name_of(other));
    if (kind == Kind::kill_near_hung) out += " near " + std::string(name_of(other));
    if (kind == Kind::hang || kind == Kind::kill_near_hung)
        out += " for " + std::to_string(us / kMsUs) + " ms";
    if (kind <= Kind::kill_recovery || kind == Kind::power_cut_step)
        out += " " + std::to_string(steps) + " steps";
    if (kind == Kind::clock) out += " by " + std::to_string(us / kSecondUs) + " s";
    if (moment == Moment::time) return out + " at " + std::to_string(at_us / kMsUs) + " ms";
    return out + (kind <= Kind::kill_recovery ? " behind " : " at ") +
           kMomentNames[static_cast<size_t>(moment)] + " " + std::to_string(count);
}

std::string Plan::text() const {
    static constexpr const char* kKinds[] = {"calm", "storm", "siege"};
    std::string out = std::string(kKinds[static_cast<size_t>(kind)]) + ", " +
                      std::to_string(messages) + " messages from " + std::to_string(clients) +
                      " clients";
    for (const Blow& blow : blows) out += "; " + blow.text();
    return out;
}

}  // namespace posthaste::simulation
