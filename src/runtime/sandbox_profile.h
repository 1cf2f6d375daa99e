// runtime/sandbox_profile.h: what each role may do to the kernel. One table; the sandbox, master
// (network namespace) and the roles' self-tests read it. Everything not granted here is refused.
#pragma once

#include "runtime/role.h"

namespace posthaste {

struct SandboxProfile {
    Role role = Role::master;
    // The host's network; false: an own, empty network namespace. Inherited listening sockets work
    // in either.
    bool network = false;
    bool connects = false;  // opens connections through the loop
    bool sockets = false;   // a library of it makes sockets and waits for them itself (libunbound)
    bool files = false;     // opens, writes, renames below its root directory
    bool threads = false;
    bool programs = false;  // runs other programs, as other users: keeps its user, no seccomp
};

const SandboxProfile& sandbox_profile(Role role) noexcept;

}  // namespace posthaste
