// runtime/uring_loop.h: the loop over io_uring: one ring a process, one io_uring_enter a turn.
//
// Create it in the thread that runs it, after privileges were dropped and before seccomp forbids
// io_uring_setup and io_uring_register. After creation it makes these system calls and no others:
// io_uring_enter, close, shutdown, getpeername, getsockname, setsockopt (first accept of a
// listener, connect), accept4 (end of an accept), clock_gettime where the vDSO has none; with
// options.connect also socket and bind.
//
// An operation is a slot in a table; its completion entries carry slot, part and generation, so
// that one that arrives late, for a slot that has gone on, means nobody. Entries are collected
// first and called back from that queue: no callback runs inside the start of another operation.
//
//   idle ──start──► in kernel ──final entry──► callback(last), idle
//                    │    ▲ short send, multishot ended, buffers back
//                    └────┘
//
// Sockets may be blocking or O_NONBLOCK; the ring waits for readiness either way. Listeners are
// O_NONBLOCK.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "base/result.h"

#include "runtime/loop.h"
#include "runtime/random.h"
#include "runtime/turn_listeners.h"

namespace posthaste {

class UringRing;

// What the ring may ever be asked to do; anything else is refused by the kernel (-EACCES to the
// callback). Waiting (watch), doorbells and cancel are always allowed.
struct UringOptions {
    unsigned entries = 512;          // submissions collected before an extra system call
    unsigned receive_buffers = 128;  // shared by all sockets; rounded up to a power of two
    unsigned receive_buffer_bytes = 16 * 1024;
    bool accept = false;
    bool connect = false;
    bool receive = false;
    bool send = false;
    bool files = false;
};

// What whoever runs the machine can do about a ring that was refused; one line.
std::string uring_remedy(const Error& error);

class UringLoop final : public Loop {
 public:
    static Result<std::unique_ptr<UringLoop>> create(const UringOptions& options);
    UringLoop(const UringLoop&) = delete;
    UringLoop& operator=(const UringLoop&) = delete;
    ~UringLoop() override;

    int64_t now_us() const noexcept override { return now_us_; }

    int64_t wall_us() const noexcept override { return wall_us_; }

    int64_t fresh_wall_us() const noexcept override;

    uint64_t random() noexcept override { return random_.next(); }

    TimerWheel& timers() noexcept override { return timers_; }

    void accept(Completion& done, Socket listener) override;
    void connect(Completion& done, const Endpoint& to, const IpAddress* from) override;
    void receive(Completion& done, Socket socket) override;
    void send(Completion& done, Socket socket, std::span<const iovec> pieces) override;
    void watch(Completion& done, int descriptor) override;
    void write_file(Completion& done, int descriptor, std::span<const iovec> pieces,
                    uint64_t offset, FileSync sync) override;
    // A file write under way is not called back: it completes as if cancel() had not been asked.
    void cancel(Completion& done) override;
    void close(Socket socket) override;
    void shutdown_send(Socket socket) override;
    Endpoint peer_of(Socket socket) override;
    bool has_input(Socket socket) override;
    Endpoint local_of(Socket socket) override;
    void ring_doorbell(int doorbell) override;

    void add_listener(TurnListener& listener) override { listeners_.add(listener); }

    void remove_listener(TurnListener& listener) override { listeners_.remove(listener); }

    void request_turn_end(TurnListener& listener) override { listeners_.request(listener); }

    // Nothing thrown leaves it: a stray exception ends the process here.
    void run() noexcept override;

    void stop() noexcept override { stopped_ = true; }

    // One turn: sleeps at most wait_us_max, and not at all if there is work; then works. What run()
    // repeats.
    void turn(int64_t wait_us_max);

    uint64_t turns() const noexcept { return turns_; }

    // Before the owners of completions go at the end of a process: marks them idle, nobody is
    // called back. Also done by the destructor.
    void abandon_all() noexcept;

 private:
    enum class Kind : uint8_t { free, accept, connect, receive, send, watch, write_file };

    struct Slot {
        Completion* completion = nullptr;
        uint32_t generation = 1;
        int fd = -1;
        Kind kind = Kind::free;
        bool in_kernel = false;
        bool cancelled = false;
        FileSync sync = FileSync::none;
        uint8_t parts_in_kernel = 0;  // write_file: write, sync
        int32_t write_result = 0;
        int32_t sync_result = 0;
        uint64_t done_bytes = 0;
        uint64_t total_bytes = 0;
        uint64_t offset = 0;
        msghdr message{};               // send, write_file: what is still to go
        std::unique_ptr<iovec[]> rest;  // after a short write: a copy of the pieces that may be cut
        sockaddr_in6 address{};         // connect: large enough for both families
    };

    explicit UringLoop(std::unique_ptr<UringRing> ring);

    Slot& begin(Completion& done, Kind kind, int fd);
    Slot* find(uint64_t key) noexcept;
    void finish(uint64_t key, Slot& slot, const Event& event);
    static void accept_the_rest(Slot& slot);
    void fail_later(uint64_t key, int32_t result);
    void start(uint64_t key, Slot& slot);
    void start_again(uint64_t key);
    void start_connect(uint64_t key, Slot& slot, const IpAddress* from);
    static void set_pieces(Slot& slot, std::span<const iovec> pieces);
    static void cut_pieces(Slot& slot, size_t sent_bytes);

    void work();
    void sleep(int64_t wait_us_max);
    void read_clocks() noexcept;
    void dispatch();
    void on_multishot(uint64_t key, Slot& slot, const Event& event, bool more);
    void on_send(uint64_t key, Slot& slot, int32_t result);
    void on_connect(uint64_t key, Slot& slot, int32_t result);
    void on_write_file(uint64_t key, Slot& slot, unsigned part, int32_t result);

    std::unique_ptr<UringRing> ring_;
    Random random_;
    int64_t now_us_ = 0;
    int64_t wall_us_ = 0;
    TimerWheel timers_;
    TurnListeners listeners_;
    std::deque<Slot> slots_;  // addresses stay: the kernel reads message and address
    std::vector<uint32_t> free_slots_;
    std::vector<uint64_t>
        again_;  // ended by the kernel, wanted by the owner: started after the callbacks
    bool stopped_ = false;
    uint64_t turns_ = 0;
};

}  // namespace posthaste
