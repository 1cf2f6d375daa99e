// Lies of a delivery agent: of jobs that are another's, or nobody's, and of what became of them.
#include "mail/wire/delivery_job.h"
#include "mail/wire/delivery_report.h"

#include "hostile/attacks.h"

namespace posthaste::hostile {
namespace {

constexpr uint64_t kEntries = 64;
constexpr uint64_t kSerials = 64;
constexpr uint32_t kLanes = 8;

// As an agent that holds nothing begins.
Link* ready_link(Puppet& puppet) {
    Link* const link = puppet.established_link(Role::qmgr);
    if (link == nullptr || !link->send(wire::JobsHeld{})) return nullptr;
    return link;
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

// Every job that may be on its way by another agent: delivered, says this one.
std::string claim_others(Puppet& puppet) {
    Link* const link = ready_link(puppet);
    if (link == nullptr) return "no link";
    uint64_t sequence = 1;
    for (uint32_t lane = 1; lane <= kLanes; ++lane) {
        for (uint64_t serial = 0; serial < kSerials; ++serial) {
            for (uint64_t entry = 0; entry < kEntries; ++entry) {
                wire::DeliveryReport report = all_is_sent(sequence++);
                report.lane = lane;
                report.job = serial << 32 | entry;
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
    uint64_t sequence = 1;
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
            report.sequence = sequence++;
            if (!link->send(report)) return verdict(*link, true);
        }
    }
    return verdict(*link, false);
}

std::string skip_sequence(Puppet& puppet) {
    Link* const link = ready_link(puppet);
    if (link == nullptr) return "no link";
    for (const uint64_t sequence : {1, 2, 4}) {
        wire::DeliveryReport report = all_is_sent(sequence);
        report.job = ~0ULL;
        if (!link->send(report)) break;
    }
    return verdict(*link, true);
}

std::string report_of_former_life(Puppet& puppet) {
    Link* const link = ready_link(puppet);
    if (link == nullptr) return "no link";
    wire::DeliveryReport report = all_is_sent(1);
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
    {"claim_others", claim_others},       {"misreport_own", misreport_own},
    {"skip_sequence", skip_sequence},     {"report_of_former_life", report_of_former_life},
    {"list_held_twice", list_held_twice}, {"hold_without_end", hold_without_end},
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
