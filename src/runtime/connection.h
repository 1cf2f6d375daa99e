// runtime/connection.h: moves the bytes of one TCP (or unix) stream for a protocol that has no
// sockets.
//
// Owned by the session that speaks through it. Back-pressure both ways: what the handler does not
// consume is kept and offered again after resume(); when kReceiveKeptBytesMax are kept, reading
// stops (what the kernel had already handed over still comes: at most the loop's receive buffers).
// Output collects in one buffer and goes out as one send at the end of the turn; at most one send
// is in flight; beyond kOutputBytesMax can_send() is false and the protocol must wait for
// on_sent(). The handler must consume something of kReceiveKeptBytesMax bytes, or nothing more
// arrives.
//
//   open ──close()──► flushing ──all sent, or deadline──► closing
//   open ──abort()──► closing ──completions idle──► closed: on_closed, once
//   open ──peer's end, failure, deadline──► on_end(reason): answered with close() or abort()
//
// on_end(peer_closed) waits until a paused handler has resumed and been offered what was kept; it
// comes once. failed comes at once, and once. A peer that neither reads nor closes is given
// kFlushUs after close(), or the deadline if that is sooner. A Connection that was started must not
// be destroyed before on_closed. on_closed is the last call, made from the end of a turn; the owner
// may delete it in there.
//
// Costs nothing in turns in which nothing happens, and about 500 bytes while idle: buffers come
// when used and go when they have grown large.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

#include "runtime/loop.h"

namespace posthaste {

class Connection final : public TurnListener {
 public:
    enum class End : uint8_t { peer_closed, failed, deadline };

    class Handler {
     public:
        // Returns how many bytes from the front were consumed. Consuming less keeps the rest until
        // resume() or until more arrives, unless paused.
        virtual size_t on_bytes(std::string_view bytes) = 0;
        virtual void on_end(End reason, int os_errno) = 0;

        // Everything handed to send()/send_borrowed() so far has been taken by the kernel.
        virtual void on_sent() {}

        // Some of it: the peer reads, if slowly. At least every kSendBytesMax bytes.
        virtual void on_send_progress() {}

        virtual void on_closed() = 0;

     protected:
        ~Handler() = default;
    };

    static constexpr size_t kReceiveKeptBytesMax = 64 * 1024;
    static constexpr size_t kOutputBytesMax = 256 * 1024;
    static constexpr size_t kSendBytesMax = 256 * 1024;  // in one system call
    static constexpr int64_t kFlushUs = kMinuteUs;

    Connection(Loop& loop, Socket socket, Handler& handler);
    ~Connection();

    void start();                       // begins to receive
    void send(std::string_view bytes);  // copied
    // Not copied: must stay unchanged until on_sent() or on_closed(). For message bytes in an
    // arena.
    void send_borrowed(std::string_view bytes);

    bool can_send() const noexcept { return unsent_bytes_ < kOutputBytesMax; }

    size_t unsent_bytes() const noexcept { return unsent_bytes_; }

    // A place in the output: all that was handed in so far. Taken: the kernel has a copy of it, and
    // what was borrowed up to there may change.
    uint64_t output_mark() const noexcept { return handed_bytes_; }

    bool is_taken(uint64_t mark) const noexcept { return handed_bytes_ - unsent_bytes_ >= mark; }

    void pause() noexcept;  // no on_bytes() until resume()
    void resume();          // offers kept bytes at the end of this turn, paused before or not

    bool paused() const noexcept { return paused_; }

    // Received, not consumed. Inside on_bytes() what it was offered may not be in here: to drop it,
    // consume it.
    std::string_view kept() const noexcept { return std::string_view(kept_).substr(kept_start_); }

    void discard_kept() noexcept;

    // One deadline at a time, for whatever the protocol waits for; kNeverUs for none.
    void set_deadline(int64_t deadline_us);
    void close();  // after what is to be sent was sent
    void abort();  // at once

    Socket socket() const noexcept { return socket_; }

    bool closing() const noexcept { return state_ != State::open; }

    void on_turn_end() override;

 private:
    enum class State : uint8_t { open, flushing, closing, closed };

    // Text copied here and pieces borrowed from elsewhere, in the order they were handed in:
    //   copied up to pieces[0].copied_end, pieces[0].borrowed,
    //   copied up to pieces[1].copied_end, pieces[1].borrowed, … the rest of copied
    struct Piece {
        size_t copied_end;
        std::string_view borrowed;
    };

    struct Output {
        std::string copied;
        std::vector<Piece> pieces;
        // How far it has been handed to the loop.
        size_t copied_taken = 0;
        size_t pieces_taken = 0;

        bool all_taken() const noexcept {
            return copied_taken == copied.size() && pieces_taken == pieces.size();
        }

        void take(std::vector<iovec>& out);
        void clear() noexcept;
    };

    void on_receive(const Event& event);
    void on_send(const Event& event);
    void on_deadline();
    void take_bytes(std::string_view bytes);
    void keep(std::string_view bytes);
    void offer_kept();
    void drop_kept(size_t bytes) noexcept;
    void report_peer_end();
    void report_failure(int os_errno);
    void flush();
    void receive_if_room();
    void begin_closing();
    void finish();

    void wake_at_turn_end() { loop_.request_turn_end(*this); }

    Loop& loop_;
    Handler& handler_;
    Socket socket_;
    State state_ = State::open;
    bool started_ = false;
    bool paused_ = false;
    bool offer_again_ = false;
    bool end_seen_ = false;  // the peer sends no more
    bool end_reported_ = false;
    bool failure_reported_ = false;
    Completion receive_done_;
    Completion send_done_;
    Timer deadline_;
    std::string kept_;
    size_t kept_start_ = 0;       // consumed before it, not yet erased
    Output collecting_;           // this turn's
    Output sending_;              // untouched until its completion
    std::vector<iovec> vectors_;  // of the send in flight
    size_t unsent_bytes_ = 0;
    uint64_t handed_bytes_ = 0;
};

}  // namespace posthaste
