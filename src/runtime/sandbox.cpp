#include "runtime/sandbox.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#include "runtime/control.h"
#include "runtime/landlock.h"
#include "runtime/system_call_filter.h"

namespace posthaste {

void close_inherited_descriptors() noexcept {
    ::syscall(SYS_close_range, kControlDescriptor + 1, ~0U, 0U);
}

void Sandbox::missed(std::string_view layer, int os_errno) {
    missing_.emplace_back(layer);
    missing_.back() += ": ";
    missing_.back() += std::strerror(os_errno);
}

std::string Sandbox::missing_text() const {
    std::string out;
    for (const auto& layer : missing_) {
        if (!out.empty()) out += "; ";
        out += layer;
    }
    return out;
}

Result<void> Sandbox::enter() {
    enter_chroot();
    enter_namespaces();
    if (!options_.profile.programs) {
        limit_capabilities_to_come();
        RETURN_IF_ERROR(become_user());
        drop_capabilities();
        forbid_dumps();
        forbid_new_privileges();
        restrict_with_landlock();
    }
    return {};
}

void Sandbox::close() {
    if (options_.profile.programs) return;
    if (const int failed = install_system_call_filter(options_.profile); failed != 0)
        missed("seccomp", failed);
}

void Sandbox::enter_chroot() {
    if (options_.chroot_dir.empty()) return;
    const Fd directory(::open(options_.chroot_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));

    struct stat status {};

    if (!directory || ::fstat(directory.get(), &status) != 0) return missed("chroot", errno);
    // A directory that a service could fill is no empty room; one that works on files has its own.
    if (!options_.profile.files &&
        (status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)) {
        return missed("chroot", EPERM);
    }
    if (::fchdir(directory.get()) != 0 || ::chroot(".") != 0 || ::chdir("/") != 0)
        missed("chroot", errno);
}

void Sandbox::enter_namespaces() {
    if (!options_.network && ::unshare(CLONE_NEWNET) != 0) missed("network namespace", errno);
    if (::unshare(CLONE_NEWIPC | CLONE_NEWUTS) != 0) missed("IPC and UTS namespaces", errno);
}

// Needs CAP_SETPCAP, so it comes before the user changes.
void Sandbox::limit_capabilities_to_come() {
    for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            return missed("capability bounding set", errno);
    }
    constexpr unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                   SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    if (::prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) != 0) missed("secure bits", errno);
}

Result<void> Sandbox::become_user() {
    const uid_t uid = options_.user_id;
    const gid_t gid = options_.group_id;
    const bool was_root = ::geteuid() == 0;
    if (was_root && (uid == 0 || gid == 0))
        return Error{Errc::invalid_setting, 0, "this service must not run as root"};
    if (::setgroups(0, nullptr) != 0 && was_root) return os_error("setgroups");
    if (::setresgid(gid, gid, gid) != 0 && was_root) return os_error("setresgid");
    if (::setresuid(uid, uid, uid) != 0 && was_root) return os_error("setresuid");
    if (!was_root && (::getuid() != uid || ::getgid() != gid)) missed("own user", EPERM);
    // Believed only when there is no way back.
    if (::setresuid(0, 0, 0) == 0 || ::setresgid(0, 0, 0) == 0 || ::getuid() == 0 ||
        ::geteuid() == 0) {
        return Error{Errc::os, EPERM, "root could be regained"};
    }
    return {};
}

void Sandbox::drop_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    if (::syscall(SYS_capset, &header, none) != 0) missed("capabilities", errno);
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        missed("ambient capabilities", errno);
}

// Its memory holds mail: no core, no ptrace or /proc/PID/mem by another process of the same user.
void Sandbox::forbid_dumps() {
    constexpr rlimit nothing{0, 0};
    if (::setrlimit(RLIMIT_CORE, &nothing) != 0) missed("no core dumps", errno);
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) missed("not dumpable", errno);
}

void Sandbox::forbid_new_privileges() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) missed("no new privileges", errno);
}

void Sandbox::restrict_with_landlock() {
    LandlockRules rules;
    // Files without a chroot: this process's root is the host's, of which Landlock has nothing to
    // take away by place.
    rules.below_root = options_.profile.files;
    if (rules.below_root && options_.chroot_dir.empty()) return;
    rules.tcp = options_.profile.connects || options_.profile.sockets;
    if (const int failed = apply_landlock(rules); failed != 0) missed("landlock", failed);
}

}  // namespace posthaste
