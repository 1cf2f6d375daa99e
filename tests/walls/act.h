// tests/walls/act.h: what an intruder in a service would try, one act each; what it finds around it; and
// which roles may.
#pragma once

#include <cerrno>
#include <cstdint>
#include <span>
#include <string>
#include <sys/types.h>

#include "runtime/sandbox_profile.h"

namespace posthaste::walls {

// When it is tried. The first shows that the act can succeed at all: what is refused there would
// prove nothing later.
enum class Moment : uint8_t {
    outside,   // as root, before the walls
    entered,   // behind all of them but the system call filter
    finished,  // behind all of them
};

// Laid out by the survey before the process starts.
struct Surroundings {
    Moment moment = Moment::finished;
    std::string root;                 // its directory: a path of the host's outside, "" within
    pid_t twin = 0;                   // another process of the same user, dumpable, that waits
    pid_t stranger = 0;               // one of another role's user
    pid_t master = 0;                 // its parent, root
    uintptr_t twin_address = 0;       // eight bytes there that are the twin's to write
    uint16_t tcp_port = 0;            // listens on 127.0.0.1 in the host's network
    std::string unix_path;            // listens, a path of the host's
    std::string abstract_name;        // listens, in the host's network
    int peer_memory = -1;             // a peer's segment (outside: the same without seals)
    const char* peer_view = nullptr;  // mapped as links map it
    uint64_t peer_bytes = 0;
    int own_memory = -1;  // a segment of ours that a peer has mapped (outside: without seals)
    int listener = -1;    // an inherited listening socket; -1: this role has none
    int other_listener = -1;
};

// 0: it worked; else the errno. kNothingToTry: this role lacks what the act needs.
inline constexpr int kNothingToTry = 255;

struct Act {
    const char* subject;  // a heading; only with the first of its acts
    const char* words;    // "opens a file of the host"
    int (*run)(const Surroundings& around);
    // Whose business it is; null: nobody's.
    bool (*granted)(const SandboxProfile& profile) = nullptr;
    int outside_errno = 0;  // what it comes to as root without walls
};

inline int outcome(long result) noexcept { return result < 0 ? errno : 0; }

std::span<const Act> file_acts();
std::span<const Act> process_acts();
std::span<const Act> network_acts();
std::span<const Act> memory_acts();
std::span<const Act> kernel_acts();
std::span<const Act> ring_acts();

// For roles with threads: one that was started before the filter came, which tries on demand.
void start_early_thread();

// Before the walls: where this kernel keeps a ring's queues.
void learn_ring_layout();

// The operations that the rings of this process accept, by number: "6 13; 23".
std::string listed_operations();

}  // namespace posthaste::walls
