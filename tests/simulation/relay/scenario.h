// tests/simulation/relay/scenario.h: one run of the whole relay from one seed, and what must hold
// at its end.
//
// Clients send messages to a few destinations while everything that the seed's plan (plan.h) has in
// store happens to the relay. Then the weather clears and everything must come home:
//   - every recipient that was answered 250 has his message, or it is held because he was refused
//     or its lifetime is over
//   - nobody has it twice, unless the server's answer to the first one was not heard, or the agent
//     that had heard it died before it was on disk
//   - what arrives is what was sent, to the byte, under one queue id that nothing else has
//   - nothing was attempted before its time or after its lifetime, by the server's clock and by what
//     was on disk
//   - the queue is empty but for what is held, nothing is in quarantine, all lent memory is back
//     with its owner, qmgr has no message, no job and no lane left
//   - the active queue and the connections to each destination kept their bounds all the time
//   - where nothing broke, nothing was refused, and nobody's mail waited for another's server
//   - nobody said of another that it broke the rules of their wire
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace posthaste::simulation {

struct Verdict {
    bool ok = true;
    std::string why;
    std::string plan;
    uint64_t acked = 0;
    uint64_t taken = 0;
    uint64_t duplicates = 0;
    uint64_t held = 0;
    uint64_t attempts = 0;
    uint64_t deaths = 0;
    uint64_t steps = 0;
    int64_t virtual_us = 0;
    uint64_t trace_hash = 0;
    std::vector<std::string> story;  // the log, when it failed or was asked for
};

// story: the log from its beginning, else its last lines. trace: every callback of every process too.
Verdict run_scenario(uint64_t seed, bool story, bool trace);

}  // namespace posthaste::simulation
