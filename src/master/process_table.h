// master/process_table.h: what each kind of process is given, and who may speak to whom. The
// supervisor, the simulation and the tests read this one table; a pair that is not in it can never
// map each other's memory.
//
//   smtpd ──► cleanup ──► store ◄──► qmgr ◄──► smtp        everybody ──► postlogd
//     │                                │
//     └────────► rewrite ◄─────────────┘          arenas only: store reads smtpd's, smtp reads the store's
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "runtime/role.h"

namespace posthaste {

// Which listening sockets a process of this kind serves.
enum class Listens : uint8_t {
    nothing,  // its socket in master.cf is a name only
    own,      // that of its master.cf line
    showq,    // public/showq, whatever its line is called
};

struct RoleRow {
    Role role;
    std::string_view user_parameter;  // the user it becomes
    std::string_view root_directory;  // what it sees as "/", below queue_directory
    bool many;  // "-" for maxproc means worker_processes; else there is exactly one
    std::string_view arena_parameter;  // size of its own arena; empty: it has none
    Listens listens;
    uint8_t stop_stage;  // a graceful stop waits for a stage to end before it begins the next
};

inline constexpr uint8_t kStopStages = 5;

struct Wire {
    Role from;
    Role to;
    uint32_t ring_bytes;  // each way; 0: arenas only
    bool two_way;         // false: `to` only listens
    bool to_reads_arena;  // `to` may map the arena of `from`
    std::string_view carries;
};

std::span<const RoleRow> role_rows() noexcept;
// role_bit()s of those whose stage ends before this row's begins.
uint32_t roles_that_stop_before(const RoleRow& row) noexcept;
// Null: no service of that kind exists yet.
const RoleRow* row_of(Role role) noexcept;

std::span<const Wire> wires() noexcept;
const Wire* wire_between(Role a, Role b) noexcept;

// What either end of a wire is told about it.
struct WireEnd {
    uint32_t own_ring_bytes;
    uint32_t peer_ring_bytes;
    bool we_lend_arena;
    bool we_read_arena;
};

WireEnd end_of(const Wire& wire, Role role) noexcept;

// What others lend it, it names to a third who reads the lender's arena: cleanup, qmgr. When it dies
// the lender takes nothing back before that third has spoken (runtime/arena.h, quarantine).
bool lends_on(Role role) noexcept;

}  // namespace posthaste
