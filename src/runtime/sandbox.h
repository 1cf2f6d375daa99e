// runtime/sandbox.h: gives up, step by step, what this process does not need. Irreversible; one
// thread; once a process.
//
//   enter()   chroot → network, IPC, UTS namespaces → bounding set, secure bits → groups, gid, uid
//             → capabilities → not dumpable, no core → no_new_privs → Landlock
//   …         the service makes its ring, opens its database, starts its threads
//   close()   seccomp, for all threads: an allow list per role. What only an intruder would try
//             kills the process; what a library may probe answers EPERM
//
// Each layer stands alone: one that the kernel or a container refuses is remembered by name, with
// the reason, and the next one is applied all the same. Whether a missing layer is fatal is the
// caller's decision (SandboxMode). Only remaining root when another user was asked for is an error
// here, whatever the mode.
//
// A role that runs other programs as other users (sandbox_profile programs) keeps its user,
// capabilities and system calls; its children are what is confined.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/result.h"

#include "runtime/sandbox_profile.h"

namespace posthaste {

// The first act of a service: nothing inherited by accident. Keeps standard streams and the control
// socket.
void close_inherited_descriptors() noexcept;

struct SandboxOptions {
    SandboxProfile profile;
    uid_t user_id = 0;
    gid_t group_id = 0;
    std::string chroot_dir;  // empty: none
    bool network = false;    // false: an own, empty namespace
};

class Sandbox {
 public:
    explicit Sandbox(SandboxOptions options) : options_(std::move(options)) {}

    Result<void> enter();
    void close();

    // "landlock: Operation not supported", in order of application.
    const std::vector<std::string>& missing() const noexcept { return missing_; }

    std::string missing_text() const;

 private:
    void missed(std::string_view layer, int os_errno);
    void enter_chroot();
    void enter_namespaces();
    void limit_capabilities_to_come();
    Result<void> become_user();
    void drop_capabilities();
    void forbid_dumps();
    void forbid_new_privileges();
    void restrict_with_landlock();

    SandboxOptions options_;
    std::vector<std::string> missing_;
};

}  // namespace posthaste
