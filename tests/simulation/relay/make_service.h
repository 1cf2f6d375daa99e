// tests/simulation/relay/make_service.h: the service class that a role's main.cpp makes, in a
// simulated world.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "runtime/role.h"
#include "runtime/service.h"

#include "store/queue_store.h"

#include "support/sim_disk.h"

namespace posthaste::simulation {

// Null: `why_not` says why, as the real process would tell master. The store's: `free_bytes` on its
// file system; `on_failed`: it can not write any more.
std::unique_ptr<Service> make_service(Role role, World& world, SimDisk& disk,
                                      std::function<uint64_t()> free_bytes,
                                      std::function<void()> on_failed, std::string& why_not);

// What a store service holds.
store::QueueStore& queue_of(Service& store_service);

}  // namespace posthaste::simulation
