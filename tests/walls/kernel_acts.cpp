#include <array>
#include <cstdint>
#include <ctime>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "walls/act.h"

namespace posthaste::walls {
namespace {

int asks_for_all_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> wanted{};
    // Outside, what root has; a bounding set narrower than the kernel's is no refusal of ours.
    constexpr uint32_t kSysAdmin = 1U << CAP_SYS_ADMIN;
    wanted[0] = {kSysAdmin, kSysAdmin, 0};
    return outcome(::syscall(SYS_capset, &header, wanted.data()));
}

int opens_performance_counter() {
    perf_event_attr wanted{};
    wanted.size = sizeof(wanted);
    wanted.type = PERF_TYPE_SOFTWARE;
    wanted.config = PERF_COUNT_SW_PAGE_FAULTS;
    return outcome(::syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0));
}

int makes_kernel_map() {
    bpf_attr wanted{};
    wanted.map_type = BPF_MAP_TYPE_ARRAY;
    wanted.key_size = wanted.value_size = sizeof(uint32_t);
    wanted.max_entries = 1;
    return outcome(::syscall(SYS_bpf, BPF_MAP_CREATE, &wanted, sizeof(wanted)));
}

int raises_core_limit() {
    const rlimit wanted{4096, 4096};
    return outcome(::setrlimit(RLIMIT_CORE, &wanted));
}

constexpr Act kActs[] = {
    {"Rights", "becomes root (setuid)", [](const Surroundings&) { return outcome(::setuid(0)); }},
    {nullptr, "becomes root (setresuid)",
     [](const Surroundings&) { return outcome(::syscall(SYS_setresuid, 0, 0, 0)); }},
    {nullptr, "takes root's group", [](const Surroundings&) { return outcome(::setgid(0)); }},
    {nullptr, "takes more groups",
     [](const Surroundings&) {
         const gid_t group = 0;
         return outcome(::setgroups(1, &group));
     }},
    {nullptr, "asks for a capability",
     [](const Surroundings&) { return asks_for_all_capabilities(); }},
    {nullptr, "lets itself be dumped and traced",
     [](const Surroundings&) { return outcome(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }},
    {nullptr, "permits core dumps", [](const Surroundings&) { return raises_core_limit(); }},
    {nullptr, "changes its secure bits",
     [](const Surroundings&) { return outcome(::prctl(PR_SET_SECUREBITS, 0, 0, 0, 0)); }},
    {nullptr, "makes a user namespace",
     [](const Surroundings&) { return outcome(::unshare(CLONE_NEWUSER)); }},
    {nullptr, "makes a mount namespace",
     [](const Surroundings&) { return outcome(::unshare(CLONE_NEWNS)); }},
    {nullptr, "joins another's namespace",
     [](const Surroundings&) { return outcome(::setns(-1, 0)); }, nullptr, EBADF},

    {"The kernel", "keeps data for programs in it (bpf)",
     [](const Surroundings&) { return makes_kernel_map(); }},
    {nullptr, "adds a key",
     [](const Surroundings&) {
         return outcome(::syscall(SYS_add_key, nullptr, nullptr, nullptr, 0, 0));
     },
     nullptr, EFAULT},
    {nullptr, "asks its key rings (keyctl)",
     [](const Surroundings&) { return outcome(::syscall(SYS_keyctl, 0, -3, 0)); }},
    {nullptr, "counts its events (perf_event_open)",
     [](const Surroundings&) { return opens_performance_counter(); }},
    {nullptr, "handles page faults (userfaultfd)",
     [](const Surroundings&) { return outcome(::syscall(SYS_userfaultfd, 0)); }},
    {nullptr, "loads a module",
     [](const Surroundings&) { return outcome(::syscall(SYS_init_module, nullptr, 0, nullptr)); },
     nullptr, ENOEXEC},
    {nullptr, "reboots",
     [](const Surroundings&) { return outcome(::syscall(SYS_reboot, 0, 0, 0)); }, nullptr, EINVAL},
    {nullptr, "sets the clock",
     [](const Surroundings&) {
         const timespec never{-1, -1};
         return outcome(::syscall(SYS_clock_settime, CLOCK_REALTIME, &never));
     },
     nullptr, EINVAL},
    {nullptr, "changes its segment table (modify_ldt)",
     [](const Surroundings&) {
         std::array<char, 64> table;
         return outcome(::syscall(SYS_modify_ldt, 0, table.data(), table.size()));
     }},
    {nullptr, "makes System V shared memory",
     [](const Surroundings&) { return outcome(::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600)); }},
};

}  // namespace

std::span<const Act> kernel_acts() { return kActs; }

}  // namespace posthaste::walls
