// runtime/role.h: the kinds of process. Who may talk to whom is master/process_table.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace posthaste {

enum class Role : uint8_t {
    master = 0,
    smtpd = 1,
    pickup = 2,
    cleanup = 3,
    store = 4,
    qmgr = 5,
    rewrite = 6,
    smtp = 7,
    postlogd = 8,
    local = 9,
    virtual_ = 10,  // NOLINT(readability-identifier-naming): a keyword
    pipe = 11,
    bounce = 12,
    error = 13,
    discard = 14,
    anvil = 15,
    tlsproxy = 16,
    proxymap = 17,
};
inline constexpr unsigned kRoles = 18;

// A set of roles.
constexpr uint32_t role_bit(Role role) noexcept { return 1U << static_cast<unsigned>(role); }

static_assert(kRoles <= 32);

// As in logs: "smtpd", "qmgr", "trivial-rewrite" …
std::string_view name_of(Role role) noexcept;
// The program named in master.cf's last column.
std::optional<Role> role_of_program(std::string_view program) noexcept;

}  // namespace posthaste
