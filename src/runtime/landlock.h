// runtime/landlock.h: the kernel's own refusal of files and TCP ports, for every path of code there
// is, io_uring included. By system call number: Debian 12's headers know version 2, kernels may
// know more.
#pragma once

namespace posthaste {

struct LandlockRules {
    bool below_root = false;  // everything below "/" of this process; false: no file at all
    bool tcp = false;         // may bind and connect TCP sockets (kernels from 6.7 on ask)
};

// 0, or the errno. Needs no_new_privs; holds for this thread and those it starts from now on.
int apply_landlock(const LandlockRules& rules) noexcept;

}  // namespace posthaste
