// runtime/control.h: what master and a child say to each other. One AF_UNIX SOCK_SEQPACKET pair per
// child, made by master before it forks; the child finds its end as descriptor 3. Its end of file
// is the sign of life of both: master reads EOF = the child is gone; a child reads EOF = master is
// gone: it drains and exits.
//
//   master                                           child
//   Start {+ snapshot, counter page, listeners} ─►   opens what it needs, drops its privileges
//                                        ◄─ Ready    its loop runs; or Failed, and it exits
//                                        ◄─ Judged   instead, when it is asked for its judgement only
//   Introduce {+ one end of a socketpair} ─►         shakes hands over it (introduction.h)
//   Reload {+ snapshot}, Wakeup, Forget, Drain ─►
//                                        ◄─ PeerMisbehaved, Drained
//
// A message: {u16 type, u16 version = 1} + the record as base/codec.h writes it; descriptors ride
// along (SCM_RIGHTS). Master's words are trusted by the child, the child's by nobody: both
// directions go through the same bounded reader. Runtime's own handshake between two peers uses the
// same framing.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"
#include "base/fd.h"
#include "base/result.h"

#include "runtime/role.h"

namespace posthaste {

inline constexpr int kControlDescriptor = 3;  // where a child finds its end
inline constexpr size_t kControlBytesMax = 48 * 1024;
inline constexpr size_t kControlFdsMax = 128;
inline constexpr size_t kListenersMax = 64;

enum class SandboxMode : uint8_t {
    best = 0,    // a layer that the kernel or a container refuses is logged
    strict = 1,  // it ends the start-up
};

namespace control {

struct ListenerName {
    std::string_view name;  // as in master.cf: "2525", "127.0.0.1:smtp", "public/showq"

    template <class Codec>
    void visit(Codec& codec) {
        codec.text(name, 512);
    }
};

// Descriptors: settings snapshot (memfd, sealed, read only), counter page (memfd of
// sizeof(CounterPage), sealed SHRINK|GROW; runtime/counters.h create_counter_page), then one
// listening socket for each of `listeners`.
struct Start {
    static constexpr uint16_t kType = 1;
    static constexpr size_t kFixedFds = 2;
    Role role = Role::master;
    std::string_view service_name;  // master.cf's first column
    uint16_t instance = 0;
    uint32_t incarnation = 0;  // given out by master, never twice
    uint32_t user_id = 0;
    uint32_t group_id = 0;
    std::string_view chroot_dir;  // absolute, exists; empty: none
    bool network = false;         // false: an own, empty network namespace
    SandboxMode sandbox = SandboxMode::best;
    uint64_t arena_bytes = 0;  // 0: this role has none
    uint32_t stop_after = 0;   // bit of each role that a stop ends before this one
    bool judge_only = false;   // say what is wrong with the settings, and go
    std::vector<ListenerName> listeners;

    template <class Codec>
    void visit(Codec& codec) {
        codec(role);
        codec.text(service_name, 256);
        codec(instance);
        codec(incarnation);
        codec(user_id);
        codec(group_id);
        codec.text(chroot_dir, 4096);
        codec(network);
        codec(sandbox);
        codec(arena_bytes);
        codec(stop_after);
        codec(judge_only);
        codec.list(listeners, kListenersMax);
    }
};

// Descriptor: one end of a SOCK_SEQPACKET pair whose other end went to the peer with the mirrored
// message. Sent only after both have said Ready. Ring sizes are powers of two; both 0: a link for
// arenas only.
struct Introduce {
    static constexpr uint16_t kType = 2;
    static constexpr size_t kLogTagBytesMax = 128;
    Role peer_role = Role::master;
    uint16_t peer_instance = 0;
    uint32_t peer_incarnation = 0;
    uint32_t own_ring_bytes = 0;  // what you write; 0 beside a peer's ring: you only listen
    uint32_t peer_ring_bytes = 0;
    bool we_lend_arena = false;  // the peer may map yours
    bool we_read_arena = false;  // you may map the peer's
    // For the log: whose lines they are is master's knowledge.
    uint32_t peer_pid = 0;
    std::string_view peer_log_tag;  // "postfix/smtpd"

    template <class Codec>
    void visit(Codec& codec) {
        codec(peer_role);
        codec(peer_instance);
        codec(peer_incarnation);
        codec(own_ring_bytes);
        codec(peer_ring_bytes);
        codec(we_lend_arena);
        codec(we_read_arena);
        codec(peer_pid);
        codec.text(peer_log_tag, kLogTagBytesMax);
    }
};

// Descriptor: the new settings snapshot.
struct Reload {
    static constexpr uint16_t kType = 3;

    template <class Codec>
    void visit(Codec&) {}
};

// Finish what is held, then exit with 0. Repeating it changes nothing.
struct Drain {
    static constexpr uint16_t kType = 4;
    // A successor is at work: those who are connected may finish in their own time. One without it
    // may follow and means now.
    bool gently = false;

    template <class Codec>
    void visit(Codec& codec) {
        codec(gently);
    }
};

// master.cf's wakeup column, `posthaste flush`.
struct Wakeup {
    static constexpr uint16_t kType = 5;

    template <class Codec>
    void visit(Codec&) {}
};

// That process has been reaped. To every child, whether it was introduced to it or not: of one that
// lent on, the reader of an arena tells the arena's owner that nothing of it is left there, also
// when it never met it (arena.h, quarantine). A new child is told, before anything else, of the last
// kFormerMax such that died before it was born: the word that a dead reader owed is its successor's
// to say.
struct Forget {
    static constexpr size_t kFormerMax = 64;
    static constexpr uint16_t kType = 6;
    uint32_t incarnation = 0;
    bool lent_on = false;  // places in others' arenas, to somebody else who reads those

    template <class Codec>
    void visit(Codec& codec) {
        codec(incarnation);
        codec(lent_on);
    }
};

// Sandbox closed, loop running, listeners taken: may be introduced.
struct Ready {
    static constexpr uint16_t kType = 20;
    std::string_view missing_layers;  // "landlock, network namespace"; empty when all were applied

    template <class Codec>
    void visit(Codec& codec) {
        codec.text(missing_layers, 1024);
    }
};

// The start failed for this reason; exit follows. Shown to whoever called `posthaste start`.
struct Failed {
    static constexpr uint16_t kType = 21;
    std::string_view text;

    template <class Codec>
    void visit(Codec& codec) {
        codec.text(text, 4096);
    }
};

// Asked to judge only: nothing is wrong with the settings; exit 0 follows. Failed: something is.
struct Judged {
    static constexpr uint16_t kType = 24;
    std::string_view warnings;  // one a line

    template <class Codec>
    void visit(Codec& codec) {
        codec.text(warnings, 8192);
    }
};

// This peer broke the rules. A fact told by one of the two, so not a verdict: master logs it and
// introduces the two anew, or restarts one.
struct PeerMisbehaved {
    static constexpr uint16_t kType = 22;
    uint32_t incarnation = 0;
    std::string_view text;
    bool had_met =
        false;  // else the handshake failed, the link is closed, and neither holds a thing

    template <class Codec>
    void visit(Codec& codec) {
        codec(incarnation);
        codec.text(text, 512);
        codec(had_met);
    }
};

// Everything is finished after a Drain; exit 0 follows.
struct Drained {
    static constexpr uint16_t kType = 23;

    template <class Codec>
    void visit(Codec&) {}
};

}  // namespace control

// One message as it came: foreign until decoded (wire::decode into the record of that type; texts
// are views of body).
struct ControlMessage {
    uint16_t type = 0;
    std::string body;
    std::vector<Fd> fds;  // close-on-exec
};

// Never blocks. Errc::closed: nobody is at the other end. Errc::no_space: it does not read.
Result<void> send_control_bytes(int socket, uint16_t type, std::string_view body,
                                std::span<const int> fds);

template <class Record>
Result<void> send_control(int socket, const Record& record, std::span<const int> fds = {}) {
    std::string body;
    wire::encode(record, body);
    return send_control_bytes(socket, Record::kType, body, fds);
}

template <class Record>
Result<void> send_control(int socket, const Record& record, std::initializer_list<int> fds) {
    return send_control(socket, record, std::span<const int>(fds.begin(), fds.size()));
}

// True: one message in `out` (what it held before is gone). False: none is there now. Errc::closed:
// end of file, or reset. Errc::malformed, Errc::too_large: broken framing; close the socket.
enum class ControlWait : uint8_t { no, yes };
Result<bool> receive_control(int socket, ControlMessage& out, ControlWait wait = ControlWait::no);

// Both ends SOCK_SEQPACKET, non-blocking and close-on-exec.
struct SocketPair {
    Fd first;
    Fd second;
};

Result<SocketPair> make_control_pair();

// A sealed memfd that holds `text`, for Start and Reload.
Result<Fd> make_snapshot(std::string_view text);
// Its text; bounded (1 MiB), foreign seals verified.
Result<std::string> read_snapshot(int memfd);

}  // namespace posthaste
