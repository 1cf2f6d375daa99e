// Jobs of the qmgr before us: what agents were delivering when it died, and the reports nobody
// took. A recipient in such a job is not given to a second one; a report is applied as soon as its
// message is loaded.
#include <algorithm>

#include "scheduler/scheduler.h"

namespace posthaste {

void Scheduler::on_job_held(uint32_t incarnation, const wire::HeldJob& job) {
    FormerJob held{incarnation, job.job, job.recipients};
    std::sort(held.recipients.begin(), held.recipients.end());
    const uint32_t node = table_.find(job.id);
    if (node != kNone && table_[node].place == Place::active) {
        outside_.warn(queue_id_text(job.id) +
                      ": already being delivered by an agent that was slow to say so");
        take_up(table_[node].link, held);
    }
    former_[job.id].jobs.push_back(std::move(held));
}

Scheduler::FormerJob* Scheduler::find_former_job(MessageId id, uint32_t agent, uint64_t job) {
    const auto found = former_.find(id);
    if (found == former_.end()) return nullptr;
    auto& jobs = found->second.jobs;
    const auto at = std::find_if(jobs.begin(), jobs.end(), [&](const FormerJob& candidate) {
        return candidate.agent == agent && candidate.job == job;
    });
    return at == jobs.end() ? nullptr : &*at;
}

// Its agent was believed when it listed the job, and is believed of nothing else.
void Scheduler::former_report(uint32_t incarnation, const wire::DeliveryReport& report) {
    const Receipt receipt{incarnation, report.sequence};
    const FormerJob* const job = find_former_job(report.id, incarnation, report.job);
    if (job == nullptr) return outside_.report_covered(receipt, 0);
    const uint32_t node = table_.find(report.id);
    const bool gone = node == kNone ? scan_complete_ : table_[node].place == Place::recording;
    if (gone) {
        outside_.report_covered(receipt, 0);
        auto& jobs = former_[report.id].jobs;
        jobs.erase(jobs.begin() + (job - jobs.data()));
        return former_job_over(report.id);
    }
    FormerReport copy{receipt, report.job, {}};
    for (const wire::RecipientResult& result : report.results) {
        if (!report.attempted) break;
        if (!std::binary_search(job->recipients.begin(), job->recipients.end(), result.number))
            continue;
        copy.results.push_back(
            {result.number, result.outcome, std::string(result.dsn), std::string(result.text)});
    }
    if (node != kNone && table_[node].place == Place::active) {
        const uint32_t index = table_[node].link;
        settle_former(index, copy);
        return route(index);
    }
    former_[report.id].reports.push_back(std::move(copy));
    if (node == kNone || table_[node].place != Place::listed) return;
    table_.unlink(node);
    table_.push_front(incoming_, node);
    outside_.want_dispatch();
}

// The message has just been loaded.
void Scheduler::apply_former(uint32_t index) {
    const auto found = former_.find(messages_[index].envelope.id);
    if (found == former_.end()) return;
    for (FormerJob& job : found->second.jobs) take_up(index, job);
    const auto reports = std::move(found->second.reports);
    found->second.reports.clear();
    for (const FormerReport& report : reports) settle_former(index, report);
}

void Scheduler::take_up(uint32_t index, FormerJob& job) {
    job.taken_up = true;
    ++messages_[index].elsewhere;
    keep_from_others(index, job);
}

void Scheduler::keep_from_others(uint32_t index, const FormerJob& job) {
    Message& message = messages_[index];
    for (const uint32_t number : job.recipients) {
        if (number >= message.recipients.size()) continue;
        Fate& fate = message.recipients[number].fate;
        if (fate == Fate::unsettled || fate == Fate::waiting) fate = Fate::elsewhere;
    }
}

void Scheduler::settle_former(uint32_t index, const FormerReport& report) {
    Message& message = messages_[index];
    message.receipts.push_back(report.receipt);
    const MessageId id = message.envelope.id;
    if (FormerJob* const job = find_former_job(id, report.receipt.agent, report.job)) {
        release_former_job(index, *job);
        auto& jobs = former_[id].jobs;
        jobs.erase(jobs.begin() + (job - jobs.data()));
    }
    const uint64_t random = outside_.random();
    for (const auto& result : report.results) {
        if (result.number >= message.recipients.size()) continue;
        const Fate fate = message.recipients[result.number].fate;
        if (fate != Fate::unsettled && fate != Fate::waiting) continue;
        apply(index, result.number, {result.outcome, result.dsn, result.text, random});
    }
    const auto found = former_.find(id);
    if (found == former_.end()) return;
    // A recipient can be in two: the report of the first attempt was not taken when the second
    // began.
    for (const FormerJob& job : found->second.jobs) keep_from_others(index, job);
    if (found->second.jobs.empty() && found->second.reports.empty()) former_.erase(found);
}

void Scheduler::release_former_job(uint32_t index, const FormerJob& job) {
    if (!job.taken_up) return;
    Message& message = messages_[index];
    --message.elsewhere;
    for (const uint32_t number : job.recipients) {
        if (number >= message.recipients.size()) continue;
        RecipientState& recipient = message.recipients[number];
        if (recipient.fate != Fate::elsewhere) continue;
        // Its time may be to come: somebody else has tried it since.
        recipient.fate = is_time(message.node, recipient.due_s) ? Fate::unsettled : Fate::waiting;
    }
}

void Scheduler::former_agent_down(uint32_t incarnation) {
    std::vector<uint32_t> to_route;
    for (auto it = former_.begin(); it != former_.end();) {
        auto& jobs = it->second.jobs;
        const uint32_t node = table_.find(it->first);
        const bool is_active = node != kNone && table_[node].place == Place::active;
        for (const FormerJob& job : jobs) {
            if (job.agent != incarnation || !is_active) continue;
            release_former_job(table_[node].link, job);
            to_route.push_back(table_[node].link);
        }
        std::erase_if(jobs, [&](const FormerJob& job) { return job.agent == incarnation; });
        const MessageId id = it++->first;
        former_job_over(id);
    }
    std::sort(to_route.begin(), to_route.end());
    to_route.erase(std::unique(to_route.begin(), to_route.end()), to_route.end());
    for (const uint32_t index : to_route) route(index);
}

void Scheduler::former_message_gone(MessageId id) {
    const auto found = former_.find(id);
    if (found == former_.end()) return;
    for (const FormerReport& report : found->second.reports) {
        outside_.report_covered(report.receipt, 0);
        std::erase_if(found->second.jobs, [&](const FormerJob& job) {
            return job.agent == report.receipt.agent && job.job == report.job;
        });
    }
    found->second.reports.clear();
    former_job_over(id);
}

// The bytes of a message that we do not have, or have released, are lent until the last agent that
// sends from them is done: only we know when.
void Scheduler::former_job_over(MessageId id) {
    const auto found = former_.find(id);
    if (found == former_.end() || !found->second.jobs.empty()) return;
    if (found->second.reports.empty()) former_.erase(found);
    const uint32_t node = table_.find(id);
    const bool ours = node != kNone &&
                      (table_[node].place == Place::active || table_[node].place == Place::loading);
    if (!ours) outside_.release_content(id);
}

void Scheduler::on_scan_complete() {
    scan_complete_ = true;
    std::vector<MessageId> gone;
    for (const auto& [id, former] : former_) {
        if (table_.find(id) == kNone) gone.push_back(id);
    }
    for (const MessageId id : gone) former_message_gone(id);
}

}  // namespace posthaste
