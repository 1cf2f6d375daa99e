#include "cleanup/rewrite/rewrite_service.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace posthaste::rewrite {
namespace {

enum CounterIndex : size_t { kRequests, kCacheHits, kSearches, kFailures, kClientNames };

constexpr CounterRow kCounterRows[] = {
    {"resolve_requests", "requests", "Recipients that somebody asked the way of."},
    {"resolve_cache_hits", "requests", "Of these, those whose hosts were known already."},
    {"host_searches", "searches", "Next hops that the DNS was asked for."},
    {"host_search_failures", "searches", "Of these, those that found no host."},
    {"client_name_requests", "requests", "Clients whose name was asked for."},
};

// What follows from settings alone is good until they change; askers are told to come again now and
// then.
constexpr uint32_t kTableTtl_s = 300;
constexpr uint32_t kTableFailureTtl_s = 30;
constexpr uint32_t kCrowdedNameTtl_s = 5;

// The bounds of ResolveReply; a longer text would not be read.
constexpr size_t kTransportBytesMax = 64;
constexpr size_t kNextHopBytesMax = 300;
constexpr size_t kTextBytesMax = 1024;

// Relay's hosts are inside: the fallback is for mail to the world, as in Postfix's master.cf.
bool takes_fallback(const Route& route) noexcept { return route.transport != "relay"; }

std::string cache_key(const Route& route) {
    std::string out = lowered(route.next_hop);
    if (!takes_fallback(route)) out += "\n";
    return out;
}

std::string address_key(const IpAddress& address) {
    std::string out(1, address.v6 ? '6' : '4');
    out.append(address.bytes.begin(), address.bytes.end());
    return out;
}

}  // namespace

HostPolicy read_host_policy(const Settings& settings, std::vector<IpAddress> own_addresses) {
    HostPolicy out;
    const auto protocols = settings.list("inet_protocols");
    const auto names = [](const std::vector<std::string>& list, const char* name) {
        return std::find(list.begin(), list.end(), name) != list.end();
    };
    out.v4 = names(protocols, "all") || names(protocols, "ipv4");
    out.v6 = names(protocols, "all") || names(protocols, "ipv6");
    const std::string& preference = settings.text("smtp_address_preference");
    out.preference = preference == "ipv4"   ? FamilyPreference::v4
                     : preference == "ipv6" ? FamilyPreference::v6
                                            : FamilyPreference::any;
    out.randomize = settings.boolean("smtp_randomize_addresses");
    out.balance = settings.boolean("smtp_balance_inet_protocols");
    out.addresses_max = static_cast<size_t>(
        std::clamp<int64_t>(settings.integer("smtp_mx_address_limit"), 0, wire::kHostsMax));
    out.look_up_dns = !settings.boolean("disable_dns_lookups");
    out.use_hosts_file = names(settings.list("smtp_host_lookup"), "native");
    out.ignore_mx_failure = settings.boolean("ignore_mx_lookup_error");
    out.defer_if_no_address = settings.boolean("smtp_defer_if_no_mx_address_found");
    out.roll_up = settings.text("destination_rollup") == "mx";
    out.port_default = static_cast<uint16_t>(settings.integer("smtp_tcp_port"));
    out.fallback = settings.text("smtp_fallback_relay");
    out.own_addresses = std::move(own_addresses);
    return out;
}

RewriteService::RewriteService(World& world, RewriteParts parts)
    : loop_(world.loop),
      log_(world.log),
      counters_(world.counter_page, kCounterRows),
      routing_(std::move(parts.routing)),
      hosts_file_(std::move(parts.hosts_file)),
      own_addresses_(std::move(parts.own_addresses)),
      resolver_(std::move(parts.resolver)),
      host_questions_(loop_, *resolver_, kHostQuestionsMax),
      name_questions_(loop_, *resolver_, kNameQuestionsMax),
      finder_(loop_, host_questions_, hosts_file_),
      namer_(loop_, name_questions_, hosts_file_) {
    finder_.set_policy(read_host_policy(world.settings, own_addresses_));
}

RewriteService::~RewriteService() = default;

void RewriteService::on_settings(const Settings& settings) {
    // What the DNS said is as good as before, unless it would have been asked otherwise.
    HostPolicy policy = read_host_policy(settings, own_addresses_);
    if (policy != finder_.policy()) hosts_cache_.clear();
    finder_.set_policy(std::move(policy));
    OpenReport report;
    if (!routing_.open(settings, own_addresses_, report)) {
        log_.warning("keeping the routes from before, restart to read tables anew: " +
                     report.error);
    }
    for (const std::string& warning : report.warnings) log_.warning(warning);
}

bool RewriteService::is_idle() const {
    const auto waiting = [](const auto& entry) { return entry.second->has_waiting(); };
    return waiters_ == 0 && std::none_of(askers_.begin(), askers_.end(), waiting);
}

// ---- peers

AnswerQueue* RewriteService::asker(uint32_t incarnation) noexcept {
    const auto found = askers_.find(incarnation);
    return found == askers_.end() ? nullptr : found->second.get();
}

void RewriteService::on_peer_up(Peer& peer) {
    auto entry = std::make_unique<AnswerQueue>(peer);
    peer.service_data = entry.get();
    if (paused_ && peer.role() != Role::smtpd) peer.pause();
    askers_[peer.incarnation()] = std::move(entry);
}

void RewriteService::on_peer_down(Peer& peer) { askers_.erase(peer.incarnation()); }

void RewriteService::on_room(Peer& peer) {
    if (AnswerQueue* const to = asker(peer.incarnation())) to->on_room();
    update_pauses();
}

void RewriteService::update_pauses() {
    if (host_waiters_ >= kWaitersMax) paused_ = true;
    if (host_waiters_ < kWaitersMax * 3 / 4) paused_ = false;
    for (const auto& [incarnation, each] : askers_) {
        const bool asks_for_hosts = each->peer().role() != Role::smtpd;
        if ((paused_ && asks_for_hosts) || each->has_waiting()) {
            each->peer().pause();
        } else {
            each->peer().resume();
        }
    }
}

void RewriteService::on_record(Peer& peer, uint16_t type, std::string_view body) {
    AnswerQueue* const from = static_cast<AnswerQueue*>(peer.service_data);
    if (from != nullptr && type == wire::ResolveRequest::kType) {
        on_resolve(*from, body);
    } else if (from != nullptr && type == wire::ClientNameRequest::kType) {
        on_client_name(*from, body);
    } else {
        return peers_->misbehaved(peer, "a record that is not for trivial-rewrite");
    }
    update_pauses();
}

// ---- recipients

void RewriteService::on_resolve(AnswerQueue& from, std::string_view body) {
    wire::ResolveRequest request;
    if (!wire::decode(body, request))
        return peers_->misbehaved(from.peer(), "resolve request does not parse");
    counters_.add(kRequests);
    auto routed = routing_.route(request.recipient);
    if (!routed) {
        log_.warning("table look-up for " + printable(request.recipient, 512) + ": " +
                     routed.error().text());
        const FoundHosts failure =
            refused_hosts(wire::ResolveOutcome::deferred, "4.3.0", "address resolver failure", 0);
        Route nowhere;
        nowhere.per_domain = false;
        return answer(from, request.cookie, nowhere, failure, kTableFailureTtl_s);
    }
    if (!request.with_hosts || !routing_.needs_hosts(routed->transport)) {
        return answer_without_hosts(from, request.cookie, *routed);
    }
    const std::string key = cache_key(*routed);
    if (const auto hit = hosts_cache_.find(key, loop_.now_us()); hit.value != nullptr) {
        counters_.add(kCacheHits);
        return answer(from, request.cookie, *routed, *hit.value, hit.ttl_s);
    }
    ++host_waiters_;
    const std::string next_hop = routed->next_hop;
    const bool with_fallback = takes_fallback(*routed);
    wait(hosts_waiters_, key, {from.peer().incarnation(), request.cookie, std::move(*routed)}, [&] {
        counters_.add(kSearches);
        finder_.find(next_hop, with_fallback,
                     [this, key](FoundHosts found) { on_hosts(key, std::move(found)); });
    });
}

// Joins the search for `key`, or starts it. The waiter stands there before the search begins: it
// may end at once.
void RewriteService::wait(Waiters& all, const std::string& key, Waiter waiter,
                          const std::function<void()>& start) {
    const auto [entry, is_new] = all.try_emplace(key);
    entry->second.push_back(std::move(waiter));
    ++waiters_;
    if (is_new) start();
}

std::vector<RewriteService::Waiter> RewriteService::take_waiters(Waiters& all,
                                                                 const std::string& key) {
    const auto found = all.find(key);
    if (found == all.end()) return {};
    std::vector<Waiter> out = std::move(found->second);
    all.erase(found);
    waiters_ -= out.size();
    return out;
}

void RewriteService::on_hosts(const std::string& key, FoundHosts found) {
    if (found.outcome != wire::ResolveOutcome::ok) counters_.add(kFailures);
    const auto waiters = take_waiters(hosts_waiters_, key);
    host_waiters_ -= waiters.size();
    for (const Waiter& waiter : waiters) {
        if (waiter.route.by_relayhost && found.outcome == wire::ResolveOutcome::bounced) {
            log_.warning("relayhost configuration problem: " + found.text);
            break;
        }
    }
    for (const Waiter& waiter : waiters) {
        AnswerQueue* const to = asker(waiter.incarnation);
        if (to != nullptr) answer(*to, waiter.cookie, waiter.route, found, found.ttl_s);
    }
    const uint32_t ttl_s = found.ttl_s;
    hosts_cache_.put(key, std::move(found), ttl_s, loop_.now_us());
    update_pauses();
}

void RewriteService::answer_without_hosts(AnswerQueue& to, uint64_t cookie, const Route& route) {
    FoundHosts none;
    none.outcome = wire::ResolveOutcome::ok;
    answer(to, cookie, route, none, kTableTtl_s);
}

void RewriteService::answer(AnswerQueue& to, uint64_t cookie, const Route& route,
                            const FoundHosts& found, uint32_t ttl_s) {
    const std::string_view next_hop = std::string_view(route.next_hop).substr(0, kNextHopBytesMax);
    reply_.cookie = cookie;
    reply_.outcome = found.outcome;
    reply_.address_class = route.address_class;
    reply_.per_domain = route.per_domain;
    reply_.ttl_s = ttl_s;
    reply_.dsn = found.dsn;
    reply_.text = std::string_view(found.text).substr(0, kTextBytesMax);
    reply_.transport = std::string_view(route.transport).substr(0, kTransportBytesMax);
    reply_.nexthop = next_hop;
    const std::string plain_site = found.site.empty() ? lowered(next_hop) : std::string();
    reply_.site = found.site.empty() ? plain_site : found.site;
    if (route.by_relayhost && found.outcome == wire::ResolveOutcome::bounced) {
        // What is wrong is our own setting: mail waits until it is put right.
        reply_.outcome = wire::ResolveOutcome::deferred;
        reply_.dsn = "4.3.5";
    }
    const auto hosts =
        order_hosts(found.hosts, finder_.policy(), [this] { return loop_.random(); });
    reply_.hosts.clear();
    const auto ranks = ranks_of(hosts, finder_.policy());
    for (size_t i = 0; i < hosts.size(); ++i) {
        const FoundHost& host = hosts[i];
        reply_.hosts.push_back(
            {host.name, host.preference, host.address.v6, host.address.bytes, host.port, ranks[i]});
    }
    to.answer(reply_);
}

// ---- client names

void RewriteService::on_client_name(AnswerQueue& from, std::string_view body) {
    wire::ClientNameRequest request;
    if (!wire::decode(body, request))
        return peers_->misbehaved(from.peer(), "client name request does not parse");
    counters_.add(kClientNames);
    IpAddress address{request.v6, request.address};
    // Foreign bytes behind an IPv4 address would make it unequal to itself.
    if (!address.v6) std::fill(address.bytes.begin() + 4, address.bytes.end(), uint8_t{0});
    address = address.unmapped();
    const std::string key = address_key(address);
    if (const auto hit = names_cache_.find(key, loop_.now_us()); hit.value != nullptr) {
        return answer_name(from, request.cookie, *hit.value, hit.ttl_s);
    }
    // A client with an unknown name is served; one that waits may be one of very many.
    if (name_waiters_.size() >= kNameSearchesMax || waiters_ - host_waiters_ >= kWaitersMax)
        return answer_name(from, request.cookie, "unknown", kCrowdedNameTtl_s);
    wait(name_waiters_, key, {from.peer().incarnation(), request.cookie, {}}, [&] {
        namer_.find(address, [this, key](ClientName name) { on_name(key, std::move(name)); });
    });
}

void RewriteService::on_name(const std::string& key, ClientName name) {
    for (const Waiter& waiter : take_waiters(name_waiters_, key)) {
        AnswerQueue* const to = asker(waiter.incarnation);
        if (to != nullptr) answer_name(*to, waiter.cookie, name.name, name.ttl_s);
    }
    names_cache_.put(key, std::move(name.name), name.ttl_s, loop_.now_us());
    update_pauses();
}

void RewriteService::answer_name(AnswerQueue& to, uint64_t cookie, const std::string& name,
                                 uint32_t ttl_s) {
    to.answer(wire::ClientNameReply{cookie, ttl_s, name});
}

}  // namespace posthaste::rewrite
