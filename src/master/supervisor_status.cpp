#include <algorithm>
#include <nlohmann/json.hpp>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/units.h"

#include "runtime/settings/free_space_floor.h"

#include "master/command_socket.h"
#include "master/supervisor.h"

namespace posthaste {

namespace {

constexpr size_t kAskersMax = 16;

std::string_view name_of(Child::State state) {
    switch (state) {
        case Child::State::starting:
            return "starting";
        case Child::State::ready:
            return "ready";
        case Child::State::retiring:
            return "retiring";
        case Child::State::draining:
            return "draining";
    }
    return "?";
}

nlohmann::json described(const std::vector<CounterValue>& counters) {
    nlohmann::json out = nlohmann::json::array();
    for (const CounterValue& counter : counters)
        out.push_back({{"name", counter.name}, {"unit", counter.unit}, {"value", counter.value}});
    return out;
}

nlohmann::json described(const Child& child, int64_t now_us) {
    return {{"process", child.name()},
            {"service", child.identity().service_key},
            {"pid", child.pid()},
            {"state", name_of(child.state)},
            {"seconds", (now_us - child.started_us) / kSecondUs},
            {"missing_layers", child.missing_layers},
            {"counters", described(child.counters())}};
}

}  // namespace

// Names are the process's own, as many as a page has places: one that changed them at each death
// fills its list and no more.
void Supervisor::keep_counters(const Child& child) {
    auto& kept = former_counters_[std::string(posthaste::name_of(child.role()))];
    for (const CounterValue& counter : child.counters()) {
        if (counter.kind == CounterKind::gauge || counter.value == 0) continue;
        const auto known = std::find_if(kept.begin(), kept.end(), [&](const CounterValue& each) {
            return each.name == counter.name;
        });
        if (known != kept.end()) {
            known->value += counter.value;
        } else if (kept.size() < kCountersMax) {
            kept.push_back(counter);
        }
    }
}

std::string Supervisor::shortage_of_space() const {
    const std::string& queue = plan_.settings.text("queue_directory");
    const auto store = std::find_if(
        plan_.services.begin(), plan_.services.end(),
        [](const PlannedService& service) { return service.row->role == Role::store; });

    struct statvfs disk {};

    if (store == plan_.services.end() || ::statvfs((queue + "/db").c_str(), &disk) != 0) return {};
    const uint64_t free_bytes = disk.f_bavail * disk.f_frsize;
    const uint64_t floor_bytes = free_space_floor(store->settings);
    if (free_bytes >= floor_bytes) return {};
    return "mail is refused (452 4.3.1): " + std::to_string(free_bytes / kMiB) +
           " MiB are free in " + queue + ", less than " + std::to_string(floor_bytes / kMiB) +
           " MiB (store_free_space_floor)";
}

// What an administrator must know first: mail does not move as it should.
std::vector<std::string> Supervisor::faults(int64_t now_us) const {
    std::vector<std::string> out;
    if (std::string shortage = shortage_of_space(); !shortage.empty())
        out.push_back(std::move(shortage));
    if (phase_ != Phase::running)
        out.emplace_back(phase_ == Phase::starting ? "not everything has started yet"
                                                   : "it is stopping");
    for (const Slot& slot : slots_) {
        const bool is_there = slot.child && slot.child->state == Child::State::ready;
        if (is_there || slot.renewed || !slot.wanted) continue;
        const int64_t wait_s = (slot.start_at_us - now_us + kSecondUs - 1) / kSecondUs;
        std::string text = slot.service_key + " is down";
        if (!slot.child && wait_s > 0)
            text += ", started again in " + std::to_string(wait_s) + "s; see the log";
        out.push_back(std::move(text));
    }
    return out;
}

std::string Supervisor::status_text() {
    const int64_t now_us = steady_us();
    nlohmann::json processes = nlohmann::json::array();
    for_each_child([&](const Child& child) { processes.push_back(described(child, now_us)); });
    nlohmann::json waiting = nlohmann::json::array();
    for (const Slot& slot : slots_)
        if (!slot.child) waiting.push_back(slot.service_key);
    nlohmann::json former = nlohmann::json::array();
    for (const auto& [program, counters] : former_counters_)
        former.push_back({{"process", program}, {"counters", described(counters)}});
    const nlohmann::json status = {{"version", plan_.settings.text("mail_version")},
                                   {"configuration", plan_.config_directory},
                                   {"queue_directory", plan_.settings.text("queue_directory")},
                                   {"pid", ::getpid()},
                                   {"seconds", (now_us - started_us_) / kSecondUs},
                                   {"phase", phase_ == Phase::starting  ? "starting"
                                             : phase_ == Phase::running ? "running"
                                                                        : "stopping"},
                                   {"processes", std::move(processes)},
                                   {"waiting", std::move(waiting)},
                                   {"former", std::move(former)},
                                   {"faults", faults(now_us)}};
    return status.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void Supervisor::on_command() {
    Question question = accept_question(command_socket_.get());
    if (question.text == "status") answer(question, status_text());
    if (question.text == "reload") on_reload_asked(std::move(question));
}

// It is answered when the reload is over.
void Supervisor::on_reload_asked(Question question) {
    if (phase_ == Phase::stopping || askers_.size() == kAskersMax)
        return answer(question, phase_ == Phase::stopping ? "refused: the service stops\n"
                                                          : "refused: too many ask for it\n");
    askers_.push_back(std::move(question));
    reload();
}

}  // namespace posthaste
