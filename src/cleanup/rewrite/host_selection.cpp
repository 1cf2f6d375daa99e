#include "cleanup/rewrite/host_selection.h"

#include <algorithm>
#include <cstdio>
#include <xxhash.h>

#include "base/assert.h"

#include "mail/wire/host.h"

namespace posthaste::rewrite {
namespace {

// Not asked again sooner, nor believed longer.
constexpr uint32_t kTtlMin_s = 5;
constexpr uint32_t kTtlMax_s = 24 * 3600;
constexpr uint32_t kAbsenceTtlMax_s = 900;  // a domain that was forgotten and is back
constexpr uint32_t kFailureTtl_s = 20;
constexpr size_t kSiteBytesMax = 180;

std::string service_error(const std::string& name, const char* type, const char* why) {
    return "Host or domain name not found. Name service error for name=" + name + " type=" + type +
           ": " + why;
}

const char* text_of(DnsStatus status) noexcept {
    switch (status) {
        case DnsStatus::ok:
        case DnsStatus::no_data:
            return "Host found but no data record of requested type";
        case DnsStatus::no_such_name:
            return "Host not found";
        case DnsStatus::failed:
            break;
    }
    return "Host not found, try again";
}

uint32_t bounded_ttl(uint32_t ttl_s) noexcept { return std::clamp(ttl_s, kTtlMin_s, kTtlMax_s); }

uint32_t absence_ttl(uint32_t ttl_s) noexcept {
    return std::clamp(ttl_s, kTtlMin_s, kAbsenceTtlMax_s);
}

bool is_own(const IpAddress& address, const HostPolicy& policy) noexcept {
    const IpAddress plain = address.unmapped();
    return std::find(policy.own_addresses.begin(), policy.own_addresses.end(), plain) !=
           policy.own_addresses.end();
}

void add_addresses(const HostAnswers& answers, uint16_t port, std::vector<FoundHost>& out) {
    for (const AddressAnswer* family : {&answers.v6, &answers.v4}) {
        if (family->status != DnsStatus::ok) continue;
        for (const IpAddress& address : family->addresses) {
            if (out.size() >= wire::kHostsMax) return;
            out.push_back({answers.mx.host, answers.mx.preference, address, port, 0});
        }
    }
}

uint32_t ttl_of(const HostAnswers& answers, uint32_t ttl_s) noexcept {
    for (const AddressAnswer* family : {&answers.v4, &answers.v6}) {
        if (family->status == DnsStatus::ok) ttl_s = std::min(ttl_s, family->ttl_s);
    }
    return ttl_s;
}

// Neither family gave an address: is it for good, and what is said of it?
FoundHosts without_address(const HostAnswers& answers, const HostPolicy& policy) {
    const bool v6_last = policy.v6;
    const AddressAnswer& last = v6_last ? answers.v6 : answers.v4;
    const AddressAnswer& first = v6_last && policy.v4 ? answers.v4 : last;
    const bool first_failed = first.status == DnsStatus::failed;
    const bool failed = first_failed || last.status == DnsStatus::failed;
    const AddressAnswer& told = first_failed ? first : last;
    const char* const type = &told == &answers.v6 ? "AAAA" : "A";
    const std::string text = service_error(answers.mx.host, type, text_of(told.status));
    return failed ? refused_hosts(wire::ResolveOutcome::deferred, "4.4.3", text, kFailureTtl_s)
                  : refused_hosts(wire::ResolveOutcome::bounced, "5.4.4", text,
                                  absence_ttl(told.ttl_s));
}

}  // namespace

FoundHosts refused_hosts(wire::ResolveOutcome outcome, std::string dsn, std::string text,
                         uint32_t ttl_s) {
    FoundHosts out;
    out.outcome = outcome;
    out.dsn = std::move(dsn);
    out.text = std::move(text);
    out.ttl_s = ttl_s;
    return out;
}

std::vector<MxRecord> usable_mx(const MxAnswer& answer) {
    std::vector<MxRecord> out;
    for (const MxRecord& record : answer.records) {
        if (!record.host.empty()) out.push_back(record);
    }
    std::stable_sort(out.begin(), out.end(), [](const MxRecord& a, const MxRecord& b) {
        return a.preference < b.preference;
    });
    // A host that stands there twice counts where it is better.
    std::vector<MxRecord> unique;
    for (MxRecord& record : out) {
        const auto same = [&](const MxRecord& other) { return other.host == record.host; };
        if (std::none_of(unique.begin(), unique.end(), same)) unique.push_back(std::move(record));
    }
    if (unique.size() > kRecordsMax) unique.resize(kRecordsMax);
    return unique;
}

FoundHosts no_hosts(const std::string& domain, const MxAnswer& answer) {
    if (answer.status == DnsStatus::failed) {
        return refused_hosts(wire::ResolveOutcome::deferred, "4.4.3",
                             service_error(domain, "MX", text_of(answer.status)), kFailureTtl_s);
    }
    if (answer.status == DnsStatus::no_such_name) {
        return refused_hosts(wire::ResolveOutcome::bounced, "5.4.4",
                             service_error(domain, "MX", text_of(answer.status)),
                             absence_ttl(answer.ttl_s));
    }
    if (answer.unusable != 0) {
        return refused_hosts(
            wire::ResolveOutcome::bounced, "5.4.4",
            "Name service error for " + domain + ": invalid host or domain name in MX record",
            absence_ttl(answer.ttl_s));
    }
    return refused_hosts(wire::ResolveOutcome::bounced, "5.1.0",
                         "Domain " + domain + " does not accept mail (nullMX)",
                         bounded_ttl(answer.ttl_s));
}

FoundHosts hosts_of_host(const HostAnswers& answers, uint16_t port, const HostPolicy& policy) {
    FoundHosts out;
    add_addresses(answers, port, out.hosts);
    if (out.hosts.empty()) return without_address(answers, policy);
    out.ttl_s = bounded_ttl(ttl_of(answers, kTtlMax_s));
    // On another port somebody else answers: a filter on this machine, say.
    const auto own = [&](const FoundHost& host) { return is_own(host.address, policy); };
    if (port == 25 && std::any_of(out.hosts.begin(), out.hosts.end(), own)) {
        return refused_hosts(wire::ResolveOutcome::bounced, "5.4.6",
                             "mail for " + answers.mx.host + " loops back to myself", out.ttl_s);
    }
    out.outcome = wire::ResolveOutcome::ok;
    return out;
}

FoundHosts hosts_of_mx(const std::string& domain, const MxAnswer& mx,
                       std::vector<HostAnswers> answers, uint16_t port, const HostPolicy& policy) {
    FoundHosts out;
    out.ttl_s = mx.ttl_s;
    FoundHosts refusal;
    for (const HostAnswers& each : answers) {
        const size_t before = out.hosts.size();
        add_addresses(each, port, out.hosts);
        out.ttl_s = ttl_of(each, out.ttl_s);
        if (out.hosts.size() != before || out.hosts.size() == wire::kHostsMax) continue;
        FoundHosts without = without_address(each, policy);
        const bool better =
            refusal.dsn.empty() || without.outcome == wire::ResolveOutcome::deferred;
        if (better) refusal = std::move(without);
    }
    out.ttl_s = bounded_ttl(out.ttl_s);
    if (out.hosts.empty()) {
        if (refusal.dsn.empty()) refusal = no_hosts(domain, mx);
        if (policy.defer_if_no_address && refusal.outcome == wire::ResolveOutcome::bounced) {
            refusal.outcome = wire::ResolveOutcome::deferred;
            refusal.dsn.front() = '4';
        }
        return refusal;
    }
    const auto own = [&](const FoundHost& host) {
        return port == 25 && is_own(host.address, policy);
    };
    const auto self = std::find_if(out.hosts.begin(), out.hosts.end(), own);
    if (self != out.hosts.end()) {
        // Only better hosts than ourselves: the mail would come back from any other.
        const uint16_t preference = self->preference;
        std::erase_if(out.hosts,
                      [&](const FoundHost& host) { return host.preference >= preference; });
        out.we_are_mx = true;
        if (out.hosts.empty()) {
            const bool best = answers.front().mx.preference == preference;
            FoundHosts loop = refused_hosts(wire::ResolveOutcome::bounced, "5.4.6",
                                            best ? "mail for " + domain + " loops back to myself"
                                                 : "unable to find primary relay for " + domain,
                                            out.ttl_s);
            loop.we_are_mx = true;
            return loop;
        }
    }
    out.outcome = wire::ResolveOutcome::ok;
    if (policy.roll_up) {
        std::vector<MxRecord> records;
        for (HostAnswers& each : answers) records.push_back(std::move(each.mx));
        out.site = site_of_mx(records, port);
    }
    return out;
}

std::vector<FoundHost> order_hosts(const std::vector<FoundHost>& hosts, const HostPolicy& policy,
                                   const std::function<uint64_t()>& random) {
    std::vector<FoundHost> all = hosts;
    if (policy.randomize) {
        for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random() % i]);
    }
    std::stable_sort(all.begin(), all.end(), [&](const FoundHost& a, const FoundHost& b) {
        if (a.hop != b.hop) return a.hop < b.hop;
        if (a.preference != b.preference) return a.preference < b.preference;
        if (policy.preference == FamilyPreference::any || a.address.v6 == b.address.v6)
            return false;
        return a.address.v6 == (policy.preference == FamilyPreference::v6);
    });
    const size_t limit = policy.addresses_max == 0 ? wire::kHostsMax : policy.addresses_max;
    if (all.size() <= limit) return all;
    if (!policy.balance || limit < 2) {
        all.resize(limit);
        return all;
    }
    // Each family gets half of the places, and what the other does not need.
    const auto is_v6 = [](const FoundHost& host) { return host.address.v6; };
    const auto v6_count = static_cast<size_t>(std::count_if(all.begin(), all.end(), is_v6));
    const size_t v4_count = all.size() - v6_count;
    const size_t half = limit / 2;
    const size_t v4_least = std::min(v4_count, half);
    const size_t v6_least = std::min(v6_count, half);
    size_t v4_room = limit - v6_least;
    size_t v6_room = limit - v4_least;
    std::vector<FoundHost> out;
    for (FoundHost& host : all) {
        size_t& room = host.address.v6 ? v6_room : v4_room;
        if (room == 0 || out.size() == limit) continue;
        --room;
        out.push_back(std::move(host));
    }
    return out;
}

std::vector<uint8_t> ranks_of(const std::vector<FoundHost>& ordered, const HostPolicy& policy) {
    static_assert(wire::kHostsMax <= UINT8_MAX);
    ASSERT(ordered.size() <= wire::kHostsMax);
    std::vector<uint8_t> ranks;
    uint8_t rank = 0;
    for (size_t i = 0; i < ordered.size(); ++i) {
        const FoundHost& host = ordered[i];
        const bool equal = i > 0 && policy.randomize && host.hop == ordered[i - 1].hop &&
                           host.preference == ordered[i - 1].preference &&
                           (policy.preference == FamilyPreference::any ||
                            host.address.v6 == ordered[i - 1].address.v6);
        if (i > 0 && !equal) ++rank;
        ranks.push_back(rank);
    }
    return ranks;
}

std::string site_of_mx(const std::vector<MxRecord>& records, uint16_t port) {
    // By rank, not by number: "10 a, 20 b" and "1 a, 5 b" are the same set in the same order.
    std::vector<MxRecord> sorted = records;
    std::sort(sorted.begin(), sorted.end(), [](const MxRecord& a, const MxRecord& b) {
        return a.preference != b.preference ? a.preference < b.preference : a.host < b.host;
    });
    std::string names;
    for (size_t i = 0; i < sorted.size(); ++i) {
        if (i > 0) names += sorted[i].preference == sorted[i - 1].preference ? '|' : ',';
        names += sorted[i].host;
    }
    if (names.size() > kSiteBytesMax - 40) {
        const XXH128_hash_t hash = XXH3_128bits(names.data(), names.size());
        char hex[33];
        std::snprintf(hex, sizeof hex, "%016llx%016llx",
                      static_cast<unsigned long long>(hash.high64),
                      static_cast<unsigned long long>(hash.low64));
        names = names.substr(0, 80) + "#" + hex;
    }
    return "mx:" + names + (port == 25 ? "" : ":" + std::to_string(port));
}

}  // namespace posthaste::rewrite
