// tests/simulation/relay/scenario.h: one run of the whole relay from one seed, and what must hold
// at its end.
//
// A handful of clients send tagged messages to a few destinations while, as the seed has it,
// processes are killed, the power is cut, connections are reset and destinations misbehave. Then
// the weather clears and everything must come home:
//   - every message that was answered 250 was taken by its destination
//   - none twice, unless a server's answer or an agent's report was lost in this run
//   - the queue is empty, and all lent memory is back with its owner
//   - no queue id was given out twice
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace posthaste::simulation {

struct Verdict {
    bool ok = true;
    std::string why;
    uint64_t acked = 0;
    uint64_t delivered = 0;
    uint64_t duplicates = 0;
    uint64_t deaths = 0;
    uint64_t steps = 0;
    int64_t virtual_us = 0;
    uint64_t trace_hash = 0;
    std::vector<std::string> story;  // the log, when it failed
};

Verdict run_scenario(uint64_t seed, bool trace);

}  // namespace posthaste::simulation
