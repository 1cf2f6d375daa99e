// runtime/loop.h: a process's only door to clock, network and waiting. UringLoop is the kernel's,
// SimLoop the simulation's; services see this interface alone, so that the same inputs give the
// same run.
//
// One thread. Callbacks run from the loop, never from inside the call that started an operation, so
// starting one can not re-enter its owner.
//
// A turn:
//   completions' callbacks → due timers → turn listeners (publish rings, flush sends)
//   → sleep until the next completion or timer.
// One system call a turn.
//
// Completion is caller-owned memory, one for each operation under way:
//   idle ──start──► in flight ──last callback──► idle
// It must stay alive and unmoved while in_flight(). cancel() asks for an early end; the last
// callback still comes (with -ECANCELED, or with what had already happened). An owner that wants to
// go waits for that.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <sys/uio.h>

#include "base/ip_address.h"

#include "runtime/timer_wheel.h"

namespace posthaste {

// A socket as this loop knows it: a descriptor in UringLoop, a number in SimLoop.
enum class Socket : int32_t { none = -1 };

// What came of an operation.
struct Event {
    int32_t result = 0;     // ≥ 0 as documented for the operation, or -errno
    bool last = true;       // no further callback for this start: the completion is idle again
    std::string_view data;  // receive: the bytes, valid during the callback only
};

class Completion {
 public:
    using Run = void (*)(void* owner, const Event& event);

    Completion(Run run, void* owner) noexcept : run_(run), owner_(owner) {}

    Completion(const Completion&) = delete;
    Completion& operator=(const Completion&) = delete;
    ~Completion();  // ASSERTs that nothing is in flight

    bool in_flight() const noexcept { return in_flight_; }

    // For loops only. abandon(): the loop is gone, no callback will come.
    void begin() noexcept;
    void deliver(const Event& event);

    void abandon() noexcept { in_flight_ = false; }

    uint64_t loop_private = 0;

 private:
    Run run_;
    void* owner_;
    bool in_flight_ = false;
};

// Completion done_{runner_of<&Connection::on_receive, Connection>(), this};
template <auto Method, class Owner>
Completion::Run runner_of() noexcept {
    return [](void* self, const Event& event) { (static_cast<Owner*>(self)->*Method)(event); };
}

class TurnListener {
 public:
    // After the callbacks and timers of a turn, before sleeping. May start operations. Those
    // registered with add_listener() are asked again in the same turn when a one-shot request ran
    // after them, so that nothing they must publish is left behind.
    virtual void on_turn_end() = 0;

    // Last look before the loop sleeps: true = there is work, do not sleep (rings: raise the sleep
    // count, look again).
    virtual bool before_sleep() { return false; }

    // The loop woke: undo what before_sleep() announced.
    virtual void after_sleep() {}

 protected:
    ~TurnListener() = default;

 private:
    friend class TurnListeners;
    bool turn_end_requested_ = false;
};

enum class FileSync : uint8_t {
    none,
    // All the file's pages begin to go to the disk; nobody waits, and whether they arrive is not
    // told. Left to itself the kernel saves them up for half a minute, and then keeps the disk from
    // everybody's syncs.
    begin,
    durable,  // fdatasync
};

class Loop {
 public:
    virtual ~Loop() = default;

    // Cached once a turn. now_us never goes backwards; wall_us may step.
    virtual int64_t now_us() const noexcept = 0;
    virtual int64_t wall_us() const noexcept = 0;

    // Not cached: later than whatever had happened in another process when it was asked for.
    virtual int64_t fresh_wall_us() const noexcept { return wall_us(); }

    virtual uint64_t random() noexcept = 0;

    // Timer deadlines are in now_us terms; see runtime/timer_wheel.h. They fire late by up to a
    // tick, never early.
    virtual TimerWheel& timers() noexcept = 0;

    // Multishot. result = the new Socket (no Nagle, as with connect()). last = true needs a new
    // start (out of descriptors, listener closed). The listener is O_NONBLOCK and may be shared with
    // other processes: who was waiting at it when cancel() took effect comes before the last event.
    virtual void accept(Completion& done, Socket listener) = 0;
    // result = the connected Socket. `from` may be null; bounded by the caller's timer and
    // cancel().
    virtual void connect(Completion& done, const Endpoint& to, const IpAddress* from) = 0;
    // Multishot. result = bytes in event.data; 0 = end of stream (last); < 0 = failure (last). Out
    // of buffers is handled inside: the loop re-arms by itself.
    virtual void receive(Completion& done, Socket socket) = 0;
    // Sends everything or fails; short sends are continued inside. result = total bytes. At most
    // one in flight a socket. `pieces` and the bytes they point at must live until the callback.
    // piece_count ≤ kSendPiecesMax.
    virtual void send(Completion& done, Socket socket, std::span<const iovec> pieces) = 0;
    // A descriptor becomes readable (event doorbells, control sockets, pipes). Multishot, edge:
    // result = poll mask.
    virtual void watch(Completion& done, int descriptor) = 0;
    // Writes at `offset` and does with the pages what `sync` says, as one submission. result =
    // bytes.
    virtual void write_file(Completion& done, int descriptor, std::span<const iovec> pieces,
                            uint64_t offset, FileSync sync) = 0;
    virtual void cancel(Completion& done) = 0;
    // After every completion on it is idle. Flushes what the kernel holds; never blocks.
    virtual void close(Socket socket) = 0;
    virtual void shutdown_send(Socket socket) = 0;
    virtual Endpoint peer_of(Socket socket) = 0;
    virtual Endpoint local_of(Socket socket) = 0;
    // Bytes have come that nobody has received. Only while no receive() is under way or has been
    // submitted before this turn.
    virtual bool has_input(Socket socket) = 0;
    // Rings the doorbell of a peer's channel (an eventfd; in the simulation a number): batched with
    // the turn's submissions, so it costs no system call of its own. The eventfd must be
    // EFD_NONBLOCK, else the kernel hands the write to a worker thread, and stay open until the
    // turn has ended.
    virtual void ring_doorbell(int doorbell) = 0;

    // Asked every turn; for the few. remove_listener() forgets a request_turn_end() too.
    virtual void add_listener(TurnListener& listener) = 0;
    virtual void remove_listener(TurnListener& listener) = 0;
    // on_turn_end() once, at the end of this turn (asked at any time before the sleep); asking
    // twice is asking once. For the many (connections): who has nothing to do costs nothing.
    virtual void request_turn_end(TurnListener& listener) = 0;

    // Returns after stop(), at the end of a turn.
    virtual void run() = 0;
    virtual void stop() noexcept = 0;

    static constexpr size_t kSendPiecesMax = 512;
};

}  // namespace posthaste
