#include "master/judgement.h"

#include <algorithm>
#include <signal.h>
#include <sys/wait.h>

#include "base/strings.h"
#include "base/units.h"

#include "runtime/settings/expand.h"

#include "master/supervisor.h"

namespace posthaste {

namespace {

constexpr unsigned kReferencesMax = 8;

std::string_view first_name(std::string_view text) {
    size_t length = 0;
    while (length < text.size() && (is_alnum(text[length]) || text[length] == '_')) ++length;
    return text.substr(0, length);
}

const MainCfEntry* written(const Plan& plan, const PlannedService& service, std::string_view name) {
    const auto& own = service.entry.overrides;
    const auto found = std::find_if(own.rbegin(), own.rend(),
                                    [&](const MainCfEntry& entry) { return entry.name == name; });
    return found != own.rend() ? &*found : plan.main_cf.find(name);
}

}  // namespace

Place place_of(const Plan& plan, const PlannedService& service, std::string_view fault) {
    std::string name(first_name(fault));
    if (row_for(name) == nullptr) return service.entry.place;
    // A default that names another parameter ($mynetworks) is as good, or as bad, as that one.
    for (unsigned i = 0; i < kReferencesMax; ++i) {
        if (const auto* const entry = written(plan, service, name)) return entry->place;
        const ParameterRow* const row = row_for(name);
        std::string mentioned;
        if (row != nullptr)
            for_each_name(row->initial, [&](std::string_view other) { mentioned = other; });
        if (mentioned.empty()) break;
        name = std::move(mentioned);
    }
    return {plan.main_cf.path, 0};
}

Judgement::Judgement(const Plan& plan)
    : plan_(plan), deadline_us_(steady_us() + plan.settings.time_us("start_time_limit")) {
    for (const PlannedService& service : plan.services) {
        Child::Identity identity;
        identity.service_key = service.key();
        identity.row = service.row;
        auto process = Child::spawn(service, std::move(identity), {}, Child::Purpose::judge);
        Judge& judge = judges_.emplace_back();
        judge.service = &service;
        if (!process) {
            judge.fault = service.key() + " cannot be started: " + process.error().text();
        } else {
            judge.process = std::move(*process);
        }
    }
}

Judgement::~Judgement() {
    for (Judge& judge : judges_) {
        if (!judge.process) continue;
        judge.process->kill(SIGKILL);
        siginfo_t info{};
        ::waitid(P_PIDFD, static_cast<id_t>(judge.process->pidfd()), &info, WEXITED);
    }
}

void Judgement::add_waits(std::vector<pollfd>& waits) const {
    for (const Judge& judge : judges_)
        if (judge.process) waits.push_back({judge.process->pidfd(), POLLIN, 0});
}

bool Judgement::look() {
    const bool is_late = steady_us() >= deadline_us_;
    bool all = true;
    for (Judge& judge : judges_) {
        if (!judge.process) continue;
        if (judge.process->has_ended()) {
            hear(judge);
            bury(judge);
        } else if (is_late) {
            judge.fault = judge.service->key() +
                          ": no word on its settings within start_time_limit; see whether a file "
                          "or name that they mention can be reached";
        } else {
            all = false;
        }
    }
    return all;
}

void Judgement::hear(Judge& judge) {
    ControlMessage message;
    while (true) {
        const auto got = receive_control(judge.process->control(), message);
        if (!got || !*got) break;
        control::Failed failed;
        control::Judged judged;
        if (message.type == control::Failed::kType && wire::decode(message.body, failed))
            judge.fault = std::string(failed.text);
        if (message.type == control::Judged::kType && wire::decode(message.body, judged)) {
            judge.has_judged = true;
            judge.warnings = std::string(judged.warnings);
        }
    }
    if (judge.has_judged || !judge.fault.empty()) return;
    judge.fault = judge.service->key() + " died over its settings";
    for (const std::string& line : judge.process->take_error_lines()) judge.fault += ": " + line;
}

void Judgement::bury(Judge& judge) {
    siginfo_t info{};
    ::waitid(P_PIDFD, static_cast<id_t>(judge.process->pidfd()), &info, WEXITED | WNOHANG);
    judge.process.reset();
}

void Judgement::tell(Diagnostics& diagnostics) const {
    for (const Judge& judge : judges_) {
        for (const auto warning : split(judge.warnings, "\n"))
            diagnostics.warning(place_of(plan_, *judge.service, warning),
                                without_controls(warning));
        if (judge.fault.empty()) continue;
        diagnostics.error(place_of(plan_, *judge.service, judge.fault),
                          without_controls(judge.fault));
    }
}

void judge(const Plan& plan, Diagnostics& diagnostics) {
    Judgement judgement(plan);
    while (!judgement.look()) {
        std::vector<pollfd> waits;
        judgement.add_waits(waits);
        const int64_t left_us = std::max<int64_t>(judgement.deadline_us() - steady_us(), 0);
        ::poll(waits.data(), waits.size(), static_cast<int>(left_us / kMsUs) + 1);
    }
    judgement.tell(diagnostics);
}

}  // namespace posthaste
