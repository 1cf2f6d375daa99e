#include "cleanup/rewrite/host_finder.h"

#include <algorithm>
#include <utility>

#include "mail/wire/host.h"

namespace posthaste::rewrite {
namespace {

constexpr uint32_t kLiteralTtl_s = 3600;
constexpr uint32_t kTimeoutTtl_s = 20;

FoundHosts invalid_hop(const std::string& text) {
    return refused_hosts(wire::ResolveOutcome::bounced, "5.4.4",
                         "Name service error for " + text + ": invalid host or domain name",
                         kLiteralTtl_s);
}

}  // namespace

HostFinder::Search::Search(HostFinder& owner, uint64_t search_number)
    : finder(owner),
      number(search_number),
      timer(timer_calls<&Search::on_timeout, Search>(), this) {}

HostFinder::HostFinder(Loop& loop, Resolver& resolver, const HostsFile& hosts_file)
    : loop_(loop), resolver_(resolver), hosts_file_(hosts_file) {}

HostFinder::~HostFinder() = default;

void HostFinder::find(const std::string& next_hop, bool with_fallback, Done done) {
    auto hops = parse_next_hops(next_hop, policy_.port_default);
    if (!hops) return done(invalid_hop(next_hop));
    const uint64_t number = next_number_++;
    auto& search =
        *searches_.emplace(number, std::make_unique<Search>(*this, number)).first->second;
    search.hops = std::move(*hops);
    search.fallback_begin = search.hops.size();
    if (with_fallback && !policy_.fallback.empty()) {
        if (auto fallback = parse_next_hops(policy_.fallback, policy_.port_default)) {
            search.hops.insert(search.hops.end(), fallback->begin(), fallback->end());
        }
    }
    search.found.ttl_s = UINT32_MAX;
    search.done = std::move(done);
    loop_.timers().set(search.timer, loop_.now_us() + kSearchTimeoutUs);
    step(search);
}

HostFinder::Search* HostFinder::find_search(const Ticket& ticket) {
    const auto found = searches_.find(ticket.search);
    if (found == searches_.end() || found->second->hop != ticket.hop) return nullptr;
    return found->second.get();
}

// Starts on the present hop; `search` may be gone afterwards.
void HostFinder::step(Search& search) {
    if (search.hop == search.hops.size()) return finish(search);
    const NextHop& hop = search.hops[search.hop];
    if (hop.address) {
        HostAnswers answers;
        answers.mx.host = hop.host;
        AddressAnswer& family = hop.address->v6 ? answers.v6 : answers.v4;
        family = {DnsStatus::ok, kLiteralTtl_s, {*hop.address}};
        return conclude_hop(search, hosts_of_host(answers, hop.port, policy_));
    }
    const bool in_file = policy_.use_hosts_file && hosts_file_.knows(hop.host);
    if (!hop.look_up_mx || !policy_.look_up_dns || in_file)
        return ask_addresses(search, {{0, hop.host}});
    const Ticket ticket{search.number, search.hop, 0};
    search.questions.push_back(resolver_.mx(
        hop.host, [this, ticket](MxAnswer answer) { on_mx(ticket, std::move(answer)); }));
}

void HostFinder::on_mx(const Ticket& ticket, MxAnswer answer) {
    Search* const search = find_search(ticket);
    if (search == nullptr) return;
    const NextHop& hop = search->hops[search->hop];
    search->mx = std::move(answer);
    const bool none = search->mx.status == DnsStatus::no_data ||
                      (search->mx.status == DnsStatus::failed && policy_.ignore_mx_failure);
    if (none) {
        search->mx.records.clear();
        return ask_addresses(*search, {{0, hop.host}});
    }
    auto hosts = usable_mx(search->mx);
    if (search->mx.status != DnsStatus::ok || hosts.empty()) {
        return conclude_hop(*search, no_hosts(hop.host, search->mx));
    }
    ask_addresses(*search, std::move(hosts));
}

void HostFinder::ask_addresses(Search& search, std::vector<MxRecord> hosts) {
    search.answers.clear();
    for (MxRecord& host : hosts) {
        HostAnswers& answers = search.answers.emplace_back();
        answers.mx = std::move(host);
    }
    // One more than is asked, so that none of the answers is the last before all are asked.
    search.outstanding = 1;
    for (size_t i = 0; i < search.answers.size(); ++i) {
        if (policy_.v4) ask_family(search, i, false);
        if (policy_.v6) ask_family(search, i, true);
    }
    if (--search.outstanding == 0) conclude_addresses(search);
}

void HostFinder::ask_family(Search& search, size_t answer, bool v6) {
    HostAnswers& answers = search.answers[answer];
    AddressAnswer& family = v6 ? answers.v6 : answers.v4;
    const std::string& host = answers.mx.host;
    if (policy_.use_hosts_file || !policy_.look_up_dns) {
        const bool known = hosts_file_.knows(host);
        if (known || !policy_.look_up_dns) {
            auto addresses = hosts_file_.addresses_of(host, v6);
            const auto missing = known ? DnsStatus::no_data : DnsStatus::no_such_name;
            family = {addresses.empty() ? missing : DnsStatus::ok, kLiteralTtl_s,
                      std::move(addresses)};
            return;
        }
    }
    ++search.outstanding;
    const Ticket ticket{search.number, search.hop, answer};
    search.questions.push_back(resolver_.addresses(host, v6, [this, ticket, v6](AddressAnswer got) {
        on_addresses(ticket, v6, std::move(got));
    }));
}

void HostFinder::on_addresses(const Ticket& ticket, bool v6, AddressAnswer answer) {
    Search* const search = find_search(ticket);
    if (search == nullptr || ticket.answer >= search->answers.size() || search->outstanding == 0)
        return;
    (v6 ? search->answers[ticket.answer].v6 : search->answers[ticket.answer].v4) =
        std::move(answer);
    if (--search->outstanding == 0) conclude_addresses(*search);
}

void HostFinder::conclude_addresses(Search& search) {
    const NextHop& hop = search.hops[search.hop];
    if (search.mx.records.empty()) {
        return conclude_hop(search, hosts_of_host(search.answers.front(), hop.port, policy_));
    }
    conclude_hop(search,
                 hosts_of_mx(hop.host, search.mx, std::move(search.answers), hop.port, policy_));
}

void HostFinder::conclude_hop(Search& search, FoundHosts found) {
    search.found.ttl_s = std::min(search.found.ttl_s, found.ttl_s);
    if (found.we_are_mx) search.hops.resize(std::max(search.hop + 1, search.fallback_begin));
    if (found.outcome == wire::ResolveOutcome::ok) {
        if (search.found.hosts.empty()) search.found.site = found.site;
        for (FoundHost& host : found.hosts) {
            if (search.found.hosts.size() >= wire::kHostsMax) break;
            host.hop = static_cast<uint8_t>(search.hop);
            search.found.hosts.push_back(std::move(host));
        }
    } else if (search.refusal.dsn.empty() || found.outcome == wire::ResolveOutcome::deferred) {
        search.refusal = std::move(found);
    }
    ++search.hop;
    search.mx = {};
    search.answers.clear();
    search.questions.clear();
    step(search);
}

void HostFinder::Search::on_timeout() {
    if (refusal.dsn.empty() || refusal.outcome == wire::ResolveOutcome::bounced) {
        refusal = refused_hosts(wire::ResolveOutcome::deferred, "4.4.3",
                                "Host or domain name not found. Name service error for name=" +
                                    hops[hop].host + " type=MX: Host not found, try again",
                                kTimeoutTtl_s);
    }
    found.ttl_s = std::min(found.ttl_s, kTimeoutTtl_s);
    finder.finish(*this);
}

void HostFinder::finish(Search& search) {
    FoundHosts out = std::move(search.found);
    if (out.hosts.empty()) {
        out = std::move(search.refusal);
    } else {
        out.outcome = wire::ResolveOutcome::ok;
    }
    const Done done = std::move(search.done);
    for (const uint64_t question : search.questions) resolver_.forget(question);
    searches_.erase(search.number);
    done(std::move(out));
}

}  // namespace posthaste::rewrite
