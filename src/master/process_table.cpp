#include "master/process_table.h"

#include <algorithm>
#include <iterator>

#include "base/assert.h"
#include "base/units.h"

namespace posthaste {

namespace {

// clang-format off
constexpr RoleRow kRoleRows[] = {
    // role           user            root     many   arena                  listens          stop stage
    {Role::smtpd,     "network_user", "empty", true,  "smtpd_arena_size",    Listens::own,     0},
    {Role::cleanup,   "queue_user",   "empty", true,  "cleanup_arena_size",  Listens::nothing, 1},
    {Role::qmgr,      "queue_user",   "empty", false, "",                    Listens::own,     2},
    {Role::smtp,      "network_user", "empty", true,  "",                    Listens::nothing, 2},
    {Role::rewrite,   "network_user", "empty", false, "",                    Listens::nothing, 3},
    {Role::store,     "store_user",   "db",    false, "store_arena_size",    Listens::showq,   3},
    {Role::postlogd,  "log_user",     "empty", false, "",                    Listens::own,     4},
};

constexpr uint32_t KiB = kKiB;
constexpr uint32_t MiB = kMiB;

// Who may speak to whom. A pair not listed cannot map each other's memory. The largest record is half a ring: an
// envelope of kEnvelopeBytesMax with kExtentsMax extents must fit.
constexpr Wire kWires[] = {
    // from           to              ring bytes  two-way  arena   carries
    {Role::smtpd,     Role::cleanup,  2 * MiB,    true,    true,   "mail/wire/submitted_message.h"},
    {Role::cleanup,   Role::store,    4 * MiB,    true,    true,   "mail/wire/commit_request.h"},
    {Role::smtpd,     Role::store,    0,          false,   true,   "message bodies"},
    {Role::store,     Role::qmgr,     4 * MiB,    true,    false,  "mail/wire/queued_message.h"},
    {Role::qmgr,      Role::smtp,     1 * MiB,    true,    false,  "mail/wire/delivery_job.h, delivery_report.h"},
    {Role::store,     Role::smtp,     0,          false,   true,   "message bodies"},
    {Role::smtpd,     Role::rewrite,  256 * KiB,  true,    false,  "mail/wire/resolve.h"},
    {Role::qmgr,      Role::rewrite,  1 * MiB,    true,    false,  "mail/wire/resolve.h"},
    {Role::smtpd,     Role::postlogd, 512 * KiB,  false,   false,  "runtime/log_line.h"},
    {Role::cleanup,   Role::postlogd, 512 * KiB,  false,   false,  "runtime/log_line.h"},
    {Role::store,     Role::postlogd, 256 * KiB,  false,   false,  "runtime/log_line.h"},
    {Role::qmgr,      Role::postlogd, 512 * KiB,  false,   false,  "runtime/log_line.h"},
    {Role::smtp,      Role::postlogd, 512 * KiB,  false,   false,  "runtime/log_line.h"},
    {Role::rewrite,   Role::postlogd, 256 * KiB,  false,   false,  "runtime/log_line.h"},
};
// clang-format on

}  // namespace

std::span<const RoleRow> role_rows() noexcept { return kRoleRows; }

const RoleRow* row_of(Role role) noexcept {
    for (const RoleRow& row : kRoleRows) {
        if (row.role == role) return &row;
    }
    return nullptr;
}

uint32_t roles_that_stop_before(const RoleRow& row) noexcept {
    uint32_t roles = 0;
    for (const RoleRow& other : kRoleRows) {
        if (other.stop_stage < row.stop_stage) roles |= role_bit(other.role);
    }
    return roles;
}

std::span<const Wire> wires() noexcept { return kWires; }

const Wire* wire_between(Role a, Role b) noexcept {
    for (const Wire& wire : kWires) {
        if ((wire.from == a && wire.to == b) || (wire.from == b && wire.to == a)) return &wire;
    }
    return nullptr;
}

WireEnd end_of(const Wire& wire, Role role) noexcept {
    ASSERT(role == wire.from || role == wire.to);
    const uint32_t back_bytes = wire.two_way ? wire.ring_bytes : 0;
    if (role == wire.from) return {wire.ring_bytes, back_bytes, wire.to_reads_arena, false};
    return {back_bytes, wire.ring_bytes, false, wire.to_reads_arena};
}

bool lends_on(Role role) noexcept {
    const auto writes_to = [](Role from, Role to) {
        const Wire* const wire = wire_between(from, to);
        return wire != nullptr && end_of(*wire, from).own_ring_bytes != 0;
    };
    return std::any_of(std::begin(kWires), std::end(kWires), [&](const Wire& loan) {
        return loan.to_reads_arena && writes_to(loan.from, role) && writes_to(role, loan.to);
    });
}

}  // namespace posthaste
