// What the DNS may answer: choices (policy, how each question fares), then {u16 length, bytes} for
// each record's data. Names that come out are host names and nothing else; what is made of them
// for a destination is bounded, fits the record that qmgr gets, and leads to no host that is us.
#include <algorithm>

#include "base/codec.h"
#include "base/strings.h"

#include "mail/wire/resolve.h"

#include "cleanup/rewrite/dns_data.h"
#include "cleanup/rewrite/host_selection.h"
#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

std::string_view take_record(std::string_view& input) {
    const size_t high = fuzz::take_choice(input);
    const size_t low = fuzz::take_choice(input);
    return fuzz::take_bytes(input, (high << 8 | low) % 600);
}

void check_name(std::string_view name) {
    ASSERT(name.size() <= 253 && !name.starts_with('.') && !name.ends_with('.'));
    for (const char c : name) ASSERT(is_alnum(c) || c == '-' || c == '_' || c == '.');
    ASSERT(name == lowered(name));
}

// As it lies on the wire.
std::string written(std::string_view name) {
    std::string out;
    for (const std::string_view label : split(name, ".")) {
        out += static_cast<char>(label.size());
        out += label;
    }
    return out + '\0';
}

void check_record(std::string_view data) {
    std::string_view rest;
    if (const auto name = rewrite::read_dns_name(data, rest)) {
        check_name(*name);
        ASSERT(fuzz::is_inside(rest, data));
        const std::string again = written(*name);
        ASSERT(again.size() + rest.size() == data.size());
        std::string_view nothing;
        ASSERT(rewrite::read_dns_name(again, nothing) == *name && nothing.empty());
    }
    if (const auto mx = rewrite::read_mx(data)) {
        check_name(mx->host);
        ASSERT(mx->host.empty() || rewrite::is_host_name(mx->host));
    }
    for (const bool v6 : {false, true}) {
        const auto address = rewrite::read_address(data, v6);
        ASSERT(address.has_value() == (data.size() == (v6 ? 16U : 4U)));
        if (address) check_name(rewrite::reverse_name(*address));
    }
}

rewrite::DnsStatus status_of(uint8_t choice) {
    return choice % 8 >= 4 ? rewrite::DnsStatus::ok : static_cast<rewrite::DnsStatus>(choice % 8);
}

rewrite::HostPolicy policy_of(uint8_t choice) {
    rewrite::HostPolicy policy;
    policy.v4 = (choice & 3) != 3;
    policy.v6 = (choice & 3) != 2;
    policy.preference = static_cast<rewrite::FamilyPreference>(choice / 4 % 3);
    policy.randomize = (choice & 32) != 0;
    policy.balance = (choice & 64) != 0;
    policy.addresses_max = choice % 7;
    policy.roll_up = (choice & 16) != 0;
    policy.defer_if_no_address = (choice & 128) != 0;
    policy.own_addresses = {IpAddress::v4(192, 0, 2, 99), *IpAddress::parse("2001:db8::99")};
    return policy;
}

void check_hosts(const rewrite::FoundHosts& found, const rewrite::HostPolicy& policy,
                 uint16_t port) {
    ASSERT(found.hosts.empty() == (found.outcome != wire::ResolveOutcome::ok));
    ASSERT(found.hosts.size() <= wire::kHostsMax && found.ttl_s >= 1);
    if (found.hosts.empty()) {
        ASSERT(found.dsn.size() == 5);
        ASSERT(found.dsn[0] == (found.outcome == wire::ResolveOutcome::deferred ? '4' : '5'));
    }
    uint64_t number = 0;
    const auto ordered = rewrite::order_hosts(found.hosts, policy, [&] { return number += 7; });
    ASSERT(ordered.empty() == found.hosts.empty());
    if (policy.addresses_max != 0) ASSERT(ordered.size() <= policy.addresses_max);

    wire::ResolveReply reply;
    reply.outcome = found.outcome;
    reply.ttl_s = found.ttl_s;
    reply.dsn = found.dsn;
    reply.text = found.text;
    reply.transport = "smtp";
    reply.nexthop = "dest.example";
    reply.site = found.site.empty() ? reply.nexthop : std::string_view(found.site);
    for (const rewrite::FoundHost& host : ordered) {
        if (port == 25)
            ASSERT(std::find(policy.own_addresses.begin(), policy.own_addresses.end(),
                             host.address.unmapped()) == policy.own_addresses.end());
        reply.hosts.push_back(
            {host.name, host.preference, host.address.v6, host.address.bytes, host.port});
    }
    std::string bytes;
    wire::encode(reply, bytes);
    wire::ResolveReply heard;
    ASSERT(wire::decode(bytes, heard) && heard.hosts.size() == ordered.size());
    ASSERT(reply.site.size() < 200 && !fuzz::has_control(reply.site));
    ASSERT(!fuzz::has_control(reply.text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view input = fuzz::text_of(data, size);
    const rewrite::HostPolicy policy = policy_of(fuzz::take_choice(input));
    const uint8_t how = fuzz::take_choice(input);
    const uint16_t port = (how & 8) != 0 ? 2525 : 25;

    rewrite::MxAnswer mx{status_of(how), how * 7U, {}, 0};
    std::vector<std::string_view> rest;
    while (!input.empty()) {
        const std::string_view record = take_record(input);
        check_record(record);
        if (mx.status == rewrite::DnsStatus::ok && mx.records.size() < rewrite::kRecordsMax) {
            if (auto each = rewrite::read_mx(record)) {
                mx.records.push_back(std::move(*each));
                continue;
            }
            ++mx.unusable;
        }
        rest.push_back(record);
    }

    // The records that are no MX are the hosts' addresses, one after the other.
    const auto usable = rewrite::usable_mx(mx);
    ASSERT(usable.size() <= mx.records.size());
    std::vector<rewrite::HostAnswers> answers;
    for (const rewrite::MxRecord& record : usable) answers.push_back({record, {}, {}});
    for (size_t i = 0; i < rest.size() && !answers.empty(); ++i) {
        rewrite::HostAnswers& host = answers[i % answers.size()];
        for (const bool v6 : {false, true}) {
            rewrite::AddressAnswer& family = v6 ? host.v6 : host.v4;
            const auto address = rewrite::read_address(rest[i], v6);
            if (!address) {
                if (family.addresses.empty())
                    family.status = static_cast<rewrite::DnsStatus>(1 + rest[i].size() % 3);
                continue;
            }
            if (!(v6 ? policy.v6 : policy.v4)) continue;
            family.status = rewrite::DnsStatus::ok;
            if (family.addresses.size() < rewrite::kRecordsMax)
                family.addresses.push_back(*address);
        }
    }
    if (answers.empty()) {
        check_hosts(rewrite::no_hosts("dest.example", mx), policy, port);
        return 0;
    }
    check_hosts(rewrite::hosts_of_host(answers.front(), port, policy), policy, port);
    check_hosts(rewrite::hosts_of_mx("dest.example", mx, answers, port, policy), policy, port);
    return 0;
}
