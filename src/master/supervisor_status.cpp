#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/units.h"

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

nlohmann::json described(const Child& child, int64_t now_us) {
    nlohmann::json counters = nlohmann::json::array();
    for (const CounterValue& counter : child.counters())
        counters.push_back(
            {{"name", counter.name}, {"unit", counter.unit}, {"value", counter.value}});
    return {{"process", child.name()},
            {"service", child.identity().service_key},
            {"pid", child.pid()},
            {"state", name_of(child.state)},
            {"seconds", (now_us - child.started_us) / kSecondUs},
            {"missing_layers", child.missing_layers},
            {"counters", std::move(counters)}};
}

}  // namespace

std::string Supervisor::status_text() {
    const int64_t now_us = steady_us();
    nlohmann::json processes = nlohmann::json::array();
    for_each_child([&](const Child& child) { processes.push_back(described(child, now_us)); });
    nlohmann::json waiting = nlohmann::json::array();
    for (const Slot& slot : slots_)
        if (!slot.child) waiting.push_back(slot.service_key);
    const nlohmann::json status = {{"version", plan_.settings.text("mail_version")},
                                   {"configuration", plan_.config_directory},
                                   {"queue_directory", plan_.settings.text("queue_directory")},
                                   {"pid", ::getpid()},
                                   {"seconds", (now_us - started_us_) / kSecondUs},
                                   {"phase", phase_ == Phase::starting  ? "starting"
                                             : phase_ == Phase::running ? "running"
                                                                        : "stopping"},
                                   {"processes", std::move(processes)},
                                   {"waiting", std::move(waiting)}};
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
