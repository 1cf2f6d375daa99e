// tests/simulation/sim_recorder.h: a completion that writes down its events. For tests.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/loop.h"

namespace posthaste::simulation {

struct Recorder {
    void on_event(const Event& event) {
        results.push_back(event.result);
        bytes.append(event.data);
        if (then) then(event);
    }

    bool idle() const { return !done.in_flight(); }

    std::vector<int32_t> results;
    std::string bytes;
    std::function<void(const Event&)> then;
    Completion done{runner_of<&Recorder::on_event, Recorder>(), this};
};

}  // namespace posthaste::simulation
