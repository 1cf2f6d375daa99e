// runtime/connection.h: moves the bytes of one TCP (or unix) stream for a protocol that has no sockets.
//
// Owned by the session that speaks through it. Back-pressure both ways: what the handler does not consume is kept and
// offered again after resume(); while bytes are kept no more than receive_kept_bytes_max are read from the kernel.
// Output collects in one buffer and goes out as one send at the end of the turn; at most one send is in flight; beyond
// output_bytes_max can_send() is false and the protocol must wait for on_sent().
//
//   open ──close()──► flushing ──all sent, or deadline──► closing ──completions idle──► closed (on_closed, once)
//   open ──peer's end, failure, deadline──► on_end(reason), the handler answers with close() or abort()
//
// A Connection must not be destroyed before on_closed. on_closed is the last call; the owner may delete it in there.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/loop.h"

namespace posthaste {

class Connection final : public TurnListener {
 public:
    enum class End : uint8_t { peer_closed, failed, deadline };

    class Handler {
     public:
        // Returns how many bytes from the front were consumed. Consuming less keeps the rest until resume() or
        // until more arrives, unless paused.
        virtual size_t on_bytes(std::string_view bytes) = 0;
        virtual void on_end(End reason, int os_errno) = 0;
        // Everything handed to send()/send_borrowed() so far has been taken by the kernel.
        virtual void on_sent() {}
        virtual void on_closed() = 0;

     protected:
        ~Handler() = default;
    };

    static constexpr size_t kReceiveKeptBytesMax = 64 * 1024;
    static constexpr size_t kOutputBytesMax = 256 * 1024;

    Connection(Loop& loop, Socket socket, Handler& handler);
    ~Connection();

    void start();                                       // begins to receive
    void send(std::string_view bytes);                  // copied
    // Not copied: must stay unchanged until on_sent(). For message bytes in an arena.
    void send_borrowed(std::string_view bytes);
    bool can_send() const noexcept { return unsent_bytes_ < kOutputBytesMax; }
    size_t unsent_bytes() const noexcept { return unsent_bytes_; }

    void pause() noexcept;                              // no on_bytes() until resume()
    void resume();                                      // offers kept bytes at the end of this turn
    bool paused() const noexcept { return paused_; }
    std::string_view kept() const noexcept { return kept_; }    // received, not consumed
    void discard_kept() noexcept { kept_.clear(); }

    // One deadline at a time, for whatever the protocol waits for; kNeverUs for none.
    void set_deadline(int64_t deadline_us);
    void close();                                       // after what is to be sent was sent
    void abort();                                       // at once

    Socket socket() const noexcept { return socket_; }
    bool closing() const noexcept { return state_ != State::open; }

    void on_turn_end() override;

 private:
    enum class State : uint8_t { open, flushing, closing, closed };
    void on_receive(const Event& event);
    void on_send(const Event& event);
    void on_deadline();
    void offer(std::string_view bytes);
    void flush();
    void finish();

    Loop& loop_;
    Socket socket_;
    Handler& handler_;
    State state_ = State::open;
    Completion receive_done_;
    Completion send_done_;
    Timer deadline_;
    bool paused_ = false;
    bool offer_again_ = false;
    bool end_seen_ = false;
    std::string kept_;
    // Output: copied text and borrowed pieces in order; what is in flight stays untouched until its completion.
    struct Piece { uint32_t copied_bytes; std::string_view borrowed; };
    std::string copied_;
    std::string copied_in_flight_;
    std::deque<Piece> pieces_;
    std::vector<iovec> vectors_;
    size_t unsent_bytes_ = 0;
};

}  // namespace posthaste
