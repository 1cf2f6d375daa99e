// runtime/system_call_filter.h: seccomp, by libseccomp: which system calls a role may make once it
// serves.
//
// Allowed: a common list, and what the profile's flags add. Killed: what no code of ours or of a
// library ever asks for after the start (new programs, other processes' memory, mounts, namespaces,
// kernel modules, new io_urings): an intruder is at work. Everything else answers EPERM, as
// libraries probe (and as liburing unregisters when a ring goes).
#pragma once

#include "runtime/sandbox_profile.h"

namespace posthaste {

// 0, or the errno. For all threads. Irreversible.
int install_system_call_filter(const SandboxProfile& profile) noexcept;

}  // namespace posthaste
