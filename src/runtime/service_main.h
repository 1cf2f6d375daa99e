// runtime/service_main.h: the life of a service process that master started, from its first
// instruction to its exit.
//
//   Start ─► settings ─► prepare ─► arena ─► sandbox ─► loop ─► make ─► seccomp ─► Ready ─► run
//     └─────────┴──────────┴─────────┴─────────┴─────────┴───────┴─────────┴─► Failed{why}, exit 1
//
//   run ── Drain, or master is gone ─► on_drain ─ is_idle ─► rings are read ─► Drained, exit 0
//
// Asked to judge only (control::Start::judge_only) it goes after the prepare stage: Judged, or
// Failed. So `posthaste check` and reload know what would not start, from who would not.
//
// Master ends what does not finish in time; without master a process gives up after
// stop_time_limit. Master stops the roles in stages; without it each waits until it sees nobody any
// more who stops before it (control::Start::stop_after).
//
// A main.cpp is one call:
//     int main() {
//         return posthaste::run_service(posthaste::Role::cleanup, [](posthaste::World& world) {
//             return std::make_unique<posthaste::Cleanup>(world);
//         });
//     }
//
// A service that needs files gives both stages:
//     prepare  as root, in the host's file system, before anything is dropped: opens table files,
//              reads resolv.conf. Descriptors it opens stay. Reads nothing foreign.
//     make     as the service's own user, in its chroot and network namespace, the loop made,
//              seccomp not yet: opens its database, makes its own io_uring, starts its threads.
//              After it returns: no more rings, no programs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/control.h"
#include "runtime/role.h"
#include "runtime/service.h"

namespace posthaste {

struct ServiceStages {
    // Returns why the service can not start, shown to whoever called `posthaste start`; empty: all
    // is well. It begins with the name of the parameter that is at fault, as warnings do; these are
    // shown and logged. May be null.
    std::function<std::string(const control::Start& start, const Settings& settings,
                              std::vector<std::string>& warnings)>
        prepare;
    // Null with `why_not` filled in: the same.
    std::function<std::unique_ptr<Service>(World& world, std::string& why_not)> make;
};

// The exit status. Control socket: descriptor 3 (runtime/control.h).
int run_service(Role role, const ServiceStages& stages);
int run_service(Role role, const std::function<std::unique_ptr<Service>(World& world)>& make);

}  // namespace posthaste
