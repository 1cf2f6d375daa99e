#include "walls/layers.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace posthaste::walls {
namespace {

// From now on this process is refused the call.
void refuse(int call, std::initializer_list<scmp_arg_cmp> when = {}, int os_errno = EPERM) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    // Root needs no promise of no new privileges, and that promise is a layer itself.
    if (filter == nullptr || seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) != 0 ||
        seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(static_cast<uint32_t>(os_errno)), call,
                               static_cast<unsigned>(when.size()), when.begin()) != 0 ||
        seccomp_load(filter) != 0) {
        std::fputs("walls: a layer could not be taken away\n", stderr);
        std::_Exit(2);
    }
    seccomp_release(filter);
}

void refuse_prctl(int option) {
    refuse(SCMP_SYS(prctl), {SCMP_A0_64(SCMP_CMP_EQ, static_cast<uint64_t>(option), 0)});
}

constexpr Layer kLayers[] = {
    {"chroot", "the host's files", [] { refuse(SCMP_SYS(chroot)); }},
    {"network namespace", "the host's network (not from `smtp` and `trivial-rewrite`)",
     [] { refuse(SCMP_SYS(unshare), {SCMP_A0_64(SCMP_CMP_EQ, CLONE_NEWNET, 0)}); }},
    {"IPC and UTS namespaces", "System V objects and message queues of others",
     [] {
         refuse(SCMP_SYS(unshare), {SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_NEWIPC, CLONE_NEWIPC)});
     }},
    {"capability bounding set", "every capability that a program could bring back",
     [] { refuse_prctl(PR_CAPBSET_DROP); }},
    {"secure bits", "the meaning of user 0", [] { refuse_prctl(PR_SET_SECUREBITS); }},
    {"capabilities", "every capability", [] { refuse(SCMP_SYS(capset)); }},
    {"ambient capabilities", "those that would outlive an exec",
     [] { refuse_prctl(PR_CAP_AMBIENT); }},
    {"no core dumps", "a copy of its memory on disk",
     [] { refuse(SCMP_SYS(prlimit64), {SCMP_A1_64(SCMP_CMP_EQ, RLIMIT_CORE, 0)}); }},
    {"not dumpable", "its memory from others of its user", [] { refuse_prctl(PR_SET_DUMPABLE); }},
    {"no new privileges", "what set-user-id programs give",
     [] { refuse_prctl(PR_SET_NO_NEW_PRIVS); }},
    {"landlock", "files and TCP ports by any way, `io_uring` included; signals to others",
     [] { refuse(SCMP_SYS(landlock_restrict_self), {}, EOPNOTSUPP); }},
    {"seccomp", "every system call that its role does not need",
     [] { refuse(SCMP_SYS(seccomp), {}, ENOSYS); }},
};

}  // namespace

std::span<const Layer> layers() { return kLayers; }

}  // namespace posthaste::walls
