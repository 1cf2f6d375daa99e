#include "runtime/role.h"

namespace posthaste {
namespace {

constexpr std::string_view kNames[kRoles] = {
    "master",          "smtpd", "pickup",   "cleanup", "store",    "qmgr",
    "trivial-rewrite", "smtp",  "postlogd", "local",   "virtual",  "pipe",
    "bounce",          "error", "discard",  "anvil",   "tlsproxy", "proxymap"};

}  // namespace

std::string_view name_of(Role role) noexcept {
    const auto number = static_cast<unsigned>(role);
    return number < kRoles ? kNames[number] : "unknown";
}

std::optional<Role> role_of_program(std::string_view program) noexcept {
    // Master is nobody's child.
    for (unsigned number = 1; number < kRoles; ++number) {
        if (kNames[number] == program) return static_cast<Role>(number);
    }
    // One program each here as there; Postfix has more names than programs for some.
    if (program == "rewrite") return Role::rewrite;
    if (program == "lmtp") return Role::smtp;
    return std::nullopt;
}

}  // namespace posthaste
