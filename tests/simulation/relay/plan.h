// tests/simulation/relay/plan.h: what a seed has in store for the relay: how it is configured, who
// writes what to whom, how the destinations behave, and every blow that falls, all drawn before the
// run begins.
//
//   calm    nobody dies and nothing is lost: nothing may be refused, and nobody waits for others
//   storm   a minute in which processes die, stop and are replaced, the power goes, the disk fails,
//           the network cuts and clocks jump, most of it aimed at the moments that matter
//   siege   days of destinations that do not take their mail, with a blow now and then
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/role.h"

#include "simulation/relay/destination.h"
#include "simulation/relay/house.h"

namespace posthaste::simulation {

// When a blow falls: at a time, or at the count-th time that something happens.
enum class Moment : uint8_t { time, acked, taken, deferred, synced, started };

struct Blow {
    enum class Kind : uint8_t {
        kill,            // after `steps` steps of the victim
        kill_both,       // the same, and `other` with it
        kill_near_hung,  // the same, while `other` hangs for a while
        kill_again,      // and its successor in its first steps
        kill_recovery,   // the store, and the next one in the middle of its opening
        power_cut,       // between turns
        power_cut_step,  // in the middle of a turn of the victim
        stop,            // gracefully; another takes its place
        hang,            // SIGSTOP for a while
        replace,         // as a reload does that needs a new process
        reload,          // of everybody
        restart,         // graceful stop and start of everything
        disk_error,      // EIO for a while, after `steps` writes
        disk_full,       // ENOSPC, the same
        space_low,       // little free space for a while
        clock,           // the wall clock steps by `us`
        cut_off,         // a destination does not answer connects for a while
        reset_all,       // every connection of a destination breaks
    };
    Kind kind = Kind::kill;
    Moment moment = Moment::time;
    int64_t at_us = 0;   // of Moment::time
    uint64_t count = 1;  // of the others
    Role victim = Role::store;
    uint16_t instance = 0;
    Role other = Role::store;
    uint64_t steps = 1;
    int64_t us = 0;

    std::string text() const;
};

struct Plan {
    static constexpr unsigned kDestinations = 3;

    enum class Kind : uint8_t { calm, storm, siege } kind = Kind::storm;
    HouseOptions house;
    uint32_t active_limit = 0;
    uint32_t concurrency_limit = 0;
    int64_t minimal_backoff_us = 0;
    int64_t lifetime_us = 0;
    int64_t chaos_us = 0;
    uint64_t messages = 0;
    unsigned clients = 1;
    uint32_t recipients_max = 1;
    uint32_t lines_max = 1;
    bool pipelining = false;
    bool one_healthy = false;  // destination 0 is well-mannered all the time, but may greylist
    Manners manners[kDestinations];
    Manners later[kDestinations];  // once the chaos is over
    NetworkConditions weather;
    int64_t sync_us_max = 0;
    std::vector<Blow> blows;

    static Plan draw(SimWorld& world);

    // No blow and no weather: whatever goes wrong is the relay's own doing.
    bool nothing_breaks() const;
    std::string text() const;
};

IpAddress address_of_destination(unsigned number);
std::string domain_of_destination(unsigned number);

}  // namespace posthaste::simulation
