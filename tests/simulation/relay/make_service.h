// tests/simulation/relay/make_service.h: the service class that a role's main.cpp makes, in a
// simulated world.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "runtime/role.h"
#include "runtime/service.h"

#include "support/sim_disk.h"

namespace posthaste::simulation {

// Null: `why_not` says why, as the real process would tell master. `on_failed` is the store's: it
// can not write any more.
std::unique_ptr<Service> make_service(Role role, World& world, SimDisk& disk,
                                      std::function<void()> on_failed, std::string& why_not);

// The messages a store service holds.
size_t queued_in(Service& store_service);

}  // namespace posthaste::simulation
