// Lies of a delivery agent: of jobs that are another's, or nobody's, and of what became of them.
#include "mail/wire/delivery_job.h"
#include "mail/wire/delivery_report.h"

#include "hostile/attacks.h"

namespace posthaste::hostile {
namespace {

constexpr uint64_t kEntries = 16;
constexpr uint64_t kSerials = 32;
constexpr uint32_t kLanes = 8;

// As an agent that holds nothing begins.
Link* ready_link(Puppet& puppet) {
    Link* const link = puppet.established_link(Role::qmgr);
    if (link == nullptr || link->is_ready) return link;
    link->is_ready = link->send(wire::JobsHeld{});
    return link->is_ready ? link : nullptr;
}

wire::DeliveryReport all_is_sent(uint64_t sequence) {
    wire::DeliveryReport out;
    out.sequence = sequence;
    out.lane = 1;
    for (uint32_t number = 0; number < 4; ++number)
        out.results.push_back({number, Outcome::sent, "2.0.0", "250 believe me"});
    return out;
}

std::string verdict(Link& link, bool closes) {
    return link.is_closed(closes ? kAnswerMs : kCalmMs) ? "closed" : "open";
}

// What another agent may have on its way, by the numbers of what this one was given: delivered, it
// says.
std::string claim_others(Puppet& puppet) {
    Link* const link = ready_link(puppet);
    if (link == nullptr) return "no link";
    std::string body;
    wire::DeliveryJob job;
    (void)link->hear(job, body);
    for (uint32_t lane = 1; lane <= kLanes; ++lane) {
        for (uint64_t later = 0; later < kSerials; ++later) {
            for (uint64_t entry = 0; entry < kEntries; ++entry) {
                wire::DeliveryReport report = all_is_sent(++link->sequence);
                report.lane = lane;
                report.job = ((job.job >> 32) + later) << 32 | entry;
                report.id = job.id + later;
                if (!link->send(report)) return verdict(*link, true);
            }
        }
        for (uint32_t other = lane; other < lane + 100; ++other) {
            wire::LaneClosed closed;
            closed.lane = other;
            if (!link->send(closed)) return verdict(*link, true);
        }
    }
    return verdict(*link, false);
}

// What it is given it says to have delivered: to recipients nobody named, twice, and never to those
// who were.
std::string misreport_own(Puppet& puppet) {
    Link* const link = ready_link(puppet);
    if (link == nullptr) return "no link";
    std::string body;
    wire::DeliveryJob job;
    for (unsigned i = 0; i < 3 && link->hear(job, body); ++i) {
        wire::DeliveryReport report = all_is_sent(0);
        report.lane = job.lane;
        report.job = job.job;
        report.id = job.id + 1;
        for (wire::RecipientResult& result : report.results) {
            result.number += 100'000;
            result.outcome = static_cast<Outcome>(250);
        }
        for (unsigned twice = 0; twice < 2; ++twice) {
            report.sequence = ++link->sequence;
            if (!link->send(report)) return verdict(*link, true);
        }
    }
    return verdict(*link, false);
}

std::string skip_sequence(Puppet& puppet) {
    Link* const link = ready_link(puppet);
    if (link == nullptr) return "no link";
    for (const uint64_t step : {1, 1, 2}) {
        wire::DeliveryReport report = all_is_sent(link->sequence += step);
        report.job = ~0ULL;
        if (!link->send(report)) break;
    }
    // With nothing kept meanwhile it is a beginning like any other.
    return verdict(*link, false);
}

std::string report_of_former_life(Puppet& puppet) {
    Link* const link = ready_link(puppet);
    if (link == nullptr) return "no link";
    wire::DeliveryReport report = all_is_sent(++link->sequence);
    report.lane = 0;
    report.job = 1ULL << 32;
    (void)link->send(report);
    return verdict(*link, false);
}

std::string list_held_twice(Puppet& puppet) {
    Link* const link = ready_link(puppet);
    if (link == nullptr) return "no link";
    (void)link->send(wire::JobsHeld{});
    return verdict(*link, true);
}

// So many that nobody could hold them.
std::string hold_without_end(Puppet& puppet) {
    Link* const link = puppet.established_link(Role::qmgr);
    if (link == nullptr) return "no link";
    wire::JobsHeld held;
    held.last = false;
    for (uint64_t i = 0; i < 2'000; ++i) {
        held.jobs.clear();
        for (uint64_t each = 0; each < 200; ++each) {
            wire::HeldJob job;
            job.id = 1'700'000'000'000'000 + i * 1000 + each;
            job.job = i << 32 | each;
            job.recipients = {0, 1, 2, 3};
            held.jobs.push_back(std::move(job));
        }
        if (!link->send(held)) break;
        if (link->is_closed(0)) return "closed";
    }
    return verdict(*link, false);
}

constexpr Named<std::string (*)(Puppet&)> kAttacks[] = {
    // On a link that has not said what it holds: the one before was closed.
    {"hold_without_end", hold_without_end},
    {"claim_others", claim_others},
    {"misreport_own", misreport_own},
    {"skip_sequence", skip_sequence},
    {"report_of_former_life", report_of_former_life},
    {"list_held_twice", list_held_twice},
    {"hold_without_end", hold_without_end},
};

}  // namespace

std::optional<std::string> report_attack(Puppet& puppet, std::string_view name) {
    const auto* const act = find_named<std::string (*)(Puppet&)>(kAttacks, name);
    if (act == nullptr) return std::nullopt;
    return (*act)(puppet);
}

std::string report_attacks() {
    std::string out;
    for (const auto& each : kAttacks) out.append("report/").append(each.name) += ' ';
    return out;
}

}  // namespace posthaste::hostile
