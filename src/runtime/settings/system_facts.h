// runtime/settings/system_facts.h: what the machine says about itself. Asked by master and the
// commands at start and reload, never by a service.
#pragma once

#include <string>

#include "runtime/settings/main_cf.h"

namespace posthaste {

// Host name, and the networks of the interfaces that are up. The directories are left to the
// caller.
SystemFacts read_system_facts();

// The directory of the running program, "" when the kernel does not tell.
std::string own_directory();

}  // namespace posthaste
