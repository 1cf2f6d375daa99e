#include "runtime/sandbox_profile.h"

#include "base/assert.h"

namespace posthaste {
namespace {

constexpr SandboxProfile row(Role role) { return {.role = role}; }

// In the order of Role.
constexpr SandboxProfile kProfiles[kRoles] = {
    {.role = Role::master,
     .network = true,
     .connects = true,
     .sockets = true,
     .files = true,
     .programs = true},
    // Serves inherited sockets: these belong to the host's network wherever smtpd is.
    row(Role::smtpd),
    {.role = Role::pickup, .files = true},
    row(Role::cleanup),
    {.role = Role::store, .files = true, .threads = true},
    row(Role::qmgr),
    {.role = Role::rewrite, .network = true, .sockets = true, .threads = true},  // libunbound
    {.role = Role::smtp, .network = true, .connects = true},
    {.role = Role::postlogd, .files = true},
    {.role = Role::local, .files = true, .programs = true},
    {.role = Role::virtual_,
     .files = true,
     .programs = true},  // one child, with its mailbox's user, per delivery
    {.role = Role::pipe, .files = true, .programs = true},
    row(Role::bounce),
    row(Role::error),
    row(Role::discard),
    row(Role::anvil),
    {.role = Role::tlsproxy, .network = true},
    {.role = Role::proxymap, .network = true, .sockets = true, .files = true, .threads = true},
};

constexpr bool in_order() {
    for (unsigned number = 0; number < kRoles; ++number) {
        if (static_cast<unsigned>(kProfiles[number].role) != number) return false;
    }
    return true;
}

static_assert(in_order());

}  // namespace

const SandboxProfile& sandbox_profile(Role role) noexcept {
    ASSERT(static_cast<unsigned>(role) < kRoles);
    return kProfiles[static_cast<unsigned>(role)];
}

}  // namespace posthaste
