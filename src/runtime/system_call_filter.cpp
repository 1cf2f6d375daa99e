#include "runtime/system_call_filter.h"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <initializer_list>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace posthaste {
namespace {

using Calls = std::initializer_list<int>;

#define CALL(name) SCMP_SYS(name)

// Read as words, not as columns.
// clang-format off

const Calls kKilled = {
    CALL(execve), CALL(execveat), CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev),
    CALL(kcmp), CALL(pidfd_getfd), CALL(io_uring_setup), CALL(mount), CALL(umount2),
    CALL(pivot_root), CALL(chroot), CALL(move_mount), CALL(open_tree), CALL(fsopen),
    CALL(fsmount), CALL(setns), CALL(unshare), CALL(bpf), CALL(keyctl), CALL(add_key),
    CALL(request_key), CALL(init_module), CALL(finit_module), CALL(delete_module),
    CALL(kexec_load), CALL(kexec_file_load), CALL(userfaultfd), CALL(perf_event_open),
    CALL(open_by_handle_at), CALL(name_to_handle_at), CALL(reboot), CALL(swapon), CALL(swapoff),
    CALL(acct), CALL(settimeofday), CALL(clock_settime), CALL(iopl), CALL(ioperm),
    CALL(modify_ldt), CALL(personality), CALL(capset), CALL(setuid), CALL(setgid), CALL(setreuid),
    CALL(setregid), CALL(setresuid), CALL(setresgid), CALL(setgroups), CALL(setfsuid),
    CALL(setfsgid),
};

const Calls kCommon = {
    // the loop
    CALL(io_uring_enter), CALL(clock_gettime), CALL(close), CALL(getpeername),
    CALL(getsockname), CALL(getsockopt), CALL(read), CALL(write), CALL(readv), CALL(writev),
    CALL(accept4),  // of listeners it was given: nobody may listen
    // introductions: rings, arenas, doorbells, reloads
    CALL(recvmsg), CALL(recvfrom), CALL(memfd_create), CALL(ftruncate), CALL(fstat),
    CALL(newfstatat), CALL(fstatfs), CALL(eventfd2), CALL(pread64), CALL(poll), CALL(ppoll),
    CALL(lseek),
    // memory, threads' locks, time, the end
    CALL(munmap), CALL(mremap), CALL(madvise), CALL(brk), CALL(futex), CALL(membarrier),
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack),
    CALL(restart_syscall), CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday), CALL(time),
    CALL(getrandom), CALL(getpid), CALL(gettid), CALL(getppid), CALL(getuid), CALL(geteuid),
    CALL(getgid), CALL(getegid), CALL(exit), CALL(exit_group), CALL(sched_yield),
    CALL(sched_getaffinity), CALL(getcpu), CALL(getrusage), CALL(sysinfo), CALL(uname),
    CALL(getrlimit), CALL(set_robust_list), CALL(rseq),
};

const Calls kConnects = {
    CALL(bind), CALL(connect),
};

const Calls kSockets = {
    CALL(bind), CALL(connect), CALL(recvmmsg), CALL(select), CALL(pselect6),
    CALL(epoll_create1), CALL(epoll_create), CALL(epoll_ctl), CALL(epoll_wait),
    CALL(epoll_pwait), CALL(pipe2), CALL(pipe), CALL(dup), CALL(timerfd_create),
    CALL(timerfd_settime),
};

const Calls kFiles = {
    CALL(openat), CALL(open), CALL(creat), CALL(pwrite64), CALL(pwritev), CALL(pwritev2),
    CALL(preadv), CALL(preadv2), CALL(fdatasync), CALL(fsync), CALL(sync_file_range),
    CALL(syncfs), CALL(fallocate), CALL(truncate), CALL(rename), CALL(renameat), CALL(renameat2),
    CALL(unlink), CALL(unlinkat), CALL(rmdir), CALL(mkdir), CALL(mkdirat), CALL(link),
    CALL(linkat), CALL(symlinkat), CALL(getdents64), CALL(stat), CALL(lstat), CALL(statx),
    CALL(access), CALL(faccessat), CALL(faccessat2), CALL(readlink), CALL(readlinkat),
    CALL(statfs), CALL(flock), CALL(fadvise64), CALL(readahead), CALL(getcwd), CALL(chdir),
    CALL(fchdir), CALL(fchmod), CALL(fchmodat), CALL(chmod), CALL(umask), CALL(utimensat),
    CALL(dup), CALL(copy_file_range), CALL(mincore), CALL(msync), CALL(mlock), CALL(munlock),
};

// Not their priorities: these can be asked for any process of the same user.
const Calls kThreads = {
    CALL(sched_getparam), CALL(sched_getscheduler), CALL(getpriority), CALL(ioprio_get),
    CALL(set_tid_address),
};

// clang-format on
#undef CALL

class Filter {
 public:
    Filter() noexcept : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
        if (context_ == nullptr) failed_ = ENOMEM;
    }

    Filter(const Filter&) = delete;
    Filter& operator=(const Filter&) = delete;

    ~Filter() {
        if (context_ != nullptr) seccomp_release(context_);
    }

    void allow(const Calls& calls) noexcept { all(SCMP_ACT_ALLOW, calls); }

    void kill(const Calls& calls) noexcept { all(SCMP_ACT_KILL_PROCESS, calls); }

    void rule(uint32_t action, int call, std::initializer_list<scmp_arg_cmp> when) noexcept {
        // Calls that this machine has not (negative numbers) need no rule.
        if (failed_ != 0 || call < 0) return;
        const int result = seccomp_rule_add_array(context_, action, call,
                                                  static_cast<unsigned>(when.size()), when.begin());
        // The same call in two lists.
        if (result != 0 && result != -EEXIST) failed_ = -result;
    }

    void attribute(scmp_filter_attr name, uint32_t value) noexcept {
        if (failed_ != 0) return;
        if (const int result = seccomp_attr_set(context_, name, value); result != 0)
            failed_ = -result;
    }

    int load() noexcept {
        if (failed_ != 0) return failed_;
        return -seccomp_load(context_);
    }

 private:
    void all(uint32_t action, const Calls& calls) noexcept {
        for (const int call : calls) rule(action, call, {});
    }

    scmp_filter_ctx context_;
    int failed_ = 0;
};

// A call of which only some uses are anybody's business.
constexpr uint64_t kSocketTypeMask = 0xf;
constexpr uint64_t kFileRwHint = 1024 + 13;  // F_GET_FILE_RW_HINT, and one more: F_SET_

void allow_descriptor_commands(Filter& filter, bool files) noexcept {
    const auto allow = [&](std::initializer_list<uint64_t> commands) {
        for (const uint64_t command : commands)
            filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(fcntl), {SCMP_A1_64(SCMP_CMP_EQ, command, 0)});
    };
    // Not F_SETOWN: the kernel would signal others on our behalf.
    allow({F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_ADD_SEALS, F_GET_SEALS});
    if (files)
        allow({F_DUPFD, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_GET_RW_HINT,
               F_SET_RW_HINT, kFileRwHint, kFileRwHint + 1});
}

// A listening socket that is shut for reading serves nobody any more, and is one that can connect:
// in the network where it was made, which is not ours. Fast open needs no connect() for that.
void allow_socket_uses(Filter& filter) noexcept {
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(shutdown), {SCMP_A1_64(SCMP_CMP_EQ, SHUT_WR, 0)});
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(sendto),
                {SCMP_A3_64(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0)});
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(sendmsg),
                {SCMP_A2_64(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0)});
}

void allow_new_sockets(Filter& filter, std::initializer_list<uint64_t> types) noexcept {
    for (const uint64_t family : {AF_INET, AF_INET6}) {
        for (const uint64_t type : types)
            filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(socket),
                        {SCMP_A0_64(SCMP_CMP_EQ, family, 0),
                         SCMP_A1_64(SCMP_CMP_MASKED_EQ, kSocketTypeMask, type)});
    }
}

// Never programs: a filter on a socket that others serve as well is theirs too.
void allow_socket_options(Filter& filter, const SandboxProfile& profile) noexcept {
    const auto allow = [&](std::initializer_list<scmp_arg_cmp> when) {
        filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), when);
    };
    if (profile.sockets) {
        // 32 bits: as many as the kernel looks at.
        allow({SCMP_A1_32(SCMP_CMP_NE, SOL_SOCKET, 0)});
        allow(
            {SCMP_A1_64(SCMP_CMP_EQ, SOL_SOCKET, 0), SCMP_A2_64(SCMP_CMP_LT, SO_ATTACH_FILTER, 0)});
        return;
    }
    allow({SCMP_A1_64(SCMP_CMP_EQ, IPPROTO_TCP, 0), SCMP_A2_64(SCMP_CMP_EQ, TCP_NODELAY, 0)});
    if (profile.connects)
        allow({SCMP_A1_64(SCMP_CMP_EQ, IPPROTO_IP, 0),
               SCMP_A2_64(SCMP_CMP_EQ, IP_BIND_ADDRESS_NO_PORT, 0)});
}

}  // namespace

int install_system_call_filter(const SandboxProfile& profile) noexcept {
    Filter filter;
    filter.attribute(SCMP_FLTATR_CTL_TSYNC, 1);
    filter.attribute(SCMP_FLTATR_CTL_OPTIMIZE,
                     2);  // a binary tree: the hot calls should not pay for a long list
    filter.attribute(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    filter.kill(kKilled);
    filter.allow(kCommon);
    allow_descriptor_commands(filter, profile.files);
    allow_socket_uses(filter);
    allow_socket_options(filter, profile);
    if (profile.connects) {
        filter.allow(kConnects);
        allow_new_sockets(filter, {SOCK_STREAM});
    }
    if (profile.sockets) {
        filter.allow(kSockets);
        allow_new_sockets(filter, {SOCK_STREAM, SOCK_DGRAM});
        filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(ioctl), {SCMP_A1_64(SCMP_CMP_EQ, FIONBIO, 0)});
        filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(ioctl), {SCMP_A1_64(SCMP_CMP_EQ, FIONREAD, 0)});
    }
    if (profile.files) filter.allow(kFiles);

    // No memory that can be written becomes code.
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(mmap), {SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)});
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(mprotect), {SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)});
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(prctl), {SCMP_A0_64(SCMP_CMP_EQ, PR_SET_NAME, 0)});
    // abort() signals itself; nobody signals others.
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(tgkill),
                {SCMP_A0_64(SCMP_CMP_EQ, static_cast<uint64_t>(::getpid()), 0)});
    // The allocator reads whether huge pages are on.
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(prctl), {SCMP_A0_64(SCMP_CMP_EQ, PR_GET_THP_DISABLE, 0)});
    if (profile.threads) {
        filter.allow(kThreads);
        // clone3 keeps its flags in memory, where no filter sees them: glibc falls back to clone on
        // ENOSYS.
        filter.rule(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), {});
        filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(clone),
                    {SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)});
    }
    return filter.load();
}

}  // namespace posthaste
