#include "runtime/connection.h"

#include <algorithm>
#include <cerrno>

#include "base/assert.h"

namespace posthaste {
namespace {

// Larger buffers are given back when they have been emptied; smaller ones are kept for the next
// reply.
constexpr size_t kIdleBufferBytes = 512;
constexpr size_t kIdleVectors = 8;
// Below this a copy is cheaper than a vector of its own.
constexpr size_t kBorrowBytesMin = 256;
// So that a send can be cut near kSendBytesMax.
constexpr size_t kPieceBytesMax = 64 * 1024;

void empty(std::string& buffer) noexcept {
    buffer.clear();
    if (buffer.capacity() > kIdleBufferBytes) buffer = std::string();
}

}  // namespace

Connection::Connection(Loop& loop, Socket socket, Handler& handler)
    : loop_(loop),
      handler_(handler),
      socket_(socket),
      receive_done_(runner_of<&Connection::on_receive, Connection>(), this),
      send_done_(runner_of<&Connection::on_send, Connection>(), this),
      deadline_(timer_calls<&Connection::on_deadline, Connection>(), this) {
    static_assert(sizeof(Connection) <= 512, "ten thousand of them idle");
}

Connection::~Connection() {
    loop_.remove_listener(*this);
    if (state_ != State::closed) loop_.close(socket_);
}

// ---- input ----

void Connection::start() {
    ASSERT(!started_);
    started_ = true;
    receive_if_room();
}

void Connection::receive_if_room() {
    if (!started_ || end_seen_ || failure_reported_ || state_ == State::closing) return;
    const bool room = kept().size() < kReceiveKeptBytesMax;
    if (room && !receive_done_.in_flight()) loop_.receive(receive_done_, socket_);
    if (!room && receive_done_.in_flight()) loop_.cancel(receive_done_);
}

void Connection::on_receive(const Event& event) {
    if (event.last) wake_at_turn_end();  // to receive again, or to finish
    if (state_ != State::open) {
        end_seen_ = end_seen_ || (event.last && event.result != -ECANCELED);
        return;
    }
    if (event.result > 0) return take_bytes(event.data);
    if (event.result == -ECANCELED) return;  // we had no room
    end_seen_ = true;
    if (event.result < 0) return report_failure(-event.result);
    if (!paused_) report_peer_end();
}

void Connection::take_bytes(std::string_view bytes) {
    if (paused_) return keep(bytes);
    if (!kept().empty()) {
        keep(bytes);
        return offer_kept();
    }
    const size_t consumed = handler_.on_bytes(bytes);
    ASSERT(consumed <= bytes.size());
    if (state_ == State::open && consumed < bytes.size()) keep(bytes.substr(consumed));
}

void Connection::keep(std::string_view bytes) {
    if (kept_start_ > 0 && kept_start_ >= kept_.size() / 2) {
        kept_.erase(0, kept_start_);
        kept_start_ = 0;
    }
    kept_.append(bytes);
    if (kept().size() >= kReceiveKeptBytesMax) wake_at_turn_end();
}

void Connection::offer_kept() {
    const size_t size_bytes = kept().size();
    const size_t consumed = handler_.on_bytes(kept());
    ASSERT(consumed <= size_bytes);
    drop_kept(std::min(consumed, kept().size()));  // it may have discarded them meanwhile
    if (size_bytes >= kReceiveKeptBytesMax) wake_at_turn_end();
}

void Connection::drop_kept(size_t bytes) noexcept {
    kept_start_ += bytes;
    if (kept_start_ < kept_.size()) return;
    kept_start_ = 0;
    empty(kept_);
}

void Connection::discard_kept() noexcept {
    kept_start_ = 0;
    kept_.clear();  // memory stays: on_bytes() may be looking at it
}

void Connection::pause() noexcept { paused_ = true; }

void Connection::resume() {
    paused_ = false;
    if (kept().empty() && !end_seen_) return;
    offer_again_ = true;
    wake_at_turn_end();
}

void Connection::report_peer_end() {
    if (end_reported_ || failure_reported_) return;
    end_reported_ = true;
    handler_.on_end(End::peer_closed, 0);
}

void Connection::report_failure(int os_errno) {
    if (failure_reported_) return;
    failure_reported_ = true;
    handler_.on_end(End::failed, os_errno);
}

// ---- output ----

void Connection::send(std::string_view bytes) {
    if (state_ != State::open || bytes.empty()) return;
    collecting_.copied.append(bytes);
    unsent_bytes_ += bytes.size();
    handed_bytes_ += bytes.size();
    wake_at_turn_end();
}

void Connection::send_borrowed(std::string_view bytes) {
    if (bytes.size() < kBorrowBytesMin) return send(bytes);
    if (state_ != State::open) return;
    unsent_bytes_ += bytes.size();
    handed_bytes_ += bytes.size();
    while (!bytes.empty()) {
        const std::string_view piece = bytes.substr(0, kPieceBytesMax);
        collecting_.pieces.push_back({collecting_.copied.size(), piece});
        bytes.remove_prefix(piece.size());
    }
    wake_at_turn_end();
}

void Connection::Output::take(std::vector<iovec>& out) {
    out.clear();
    size_t sum_bytes = 0;
    const auto add = [&](const char* bytes, size_t size_bytes) {
        if (size_bytes > 0) out.push_back({const_cast<char*>(bytes), size_bytes});
        sum_bytes += size_bytes;
    };
    // A piece brings up to two vectors: the copied text before it, and itself.
    while (pieces_taken < pieces.size() && out.size() + 2 <= Loop::kSendPiecesMax &&
           sum_bytes < kSendBytesMax) {
        const Piece& piece = pieces[pieces_taken++];
        add(copied.data() + copied_taken, piece.copied_end - copied_taken);
        copied_taken = piece.copied_end;
        add(piece.borrowed.data(), piece.borrowed.size());
    }
    if (pieces_taken < pieces.size() || out.size() == Loop::kSendPiecesMax) return;
    add(copied.data() + copied_taken, copied.size() - copied_taken);
    copied_taken = copied.size();
}

void Connection::Output::clear() noexcept {
    empty(copied);
    pieces.clear();
    if (pieces.capacity() > kIdleVectors) pieces = {};
    copied_taken = pieces_taken = 0;
}

void Connection::flush() {
    if (send_done_.in_flight() || failure_reported_) return;
    if (sending_.all_taken()) {
        if (collecting_.all_taken()) return;
        sending_.clear();
        std::swap(sending_, collecting_);
    }
    sending_.take(vectors_);
    loop_.send(send_done_, socket_, vectors_);
}

void Connection::on_send(const Event& event) {
    if (state_ == State::closing) return wake_at_turn_end();
    if (event.result < 0) {
        if (state_ == State::flushing) return begin_closing();
        return report_failure(-event.result);
    }
    unsent_bytes_ -= static_cast<size_t>(event.result);
    if (unsent_bytes_ > 0) {
        wake_at_turn_end();
        if (state_ == State::open) handler_.on_send_progress();
        return;
    }
    sending_.clear();
    if (vectors_.capacity() > kIdleVectors) vectors_ = {};
    if (state_ == State::flushing) return begin_closing();
    handler_.on_sent();
}

// ---- life ----

void Connection::set_deadline(int64_t deadline_us) {
    if (state_ != State::open) return;
    if (deadline_us == kNeverUs) return deadline_.cancel();
    loop_.timers().set(deadline_, deadline_us);
}

void Connection::on_deadline() {
    if (state_ == State::open) return handler_.on_end(End::deadline, 0);
    begin_closing();
}

void Connection::close() {
    if (state_ != State::open) return;
    state_ = State::flushing;
    discard_kept();
    int64_t deadline_us = loop_.now_us() + kFlushUs;
    if (deadline_.is_set()) deadline_us = std::min(deadline_us, deadline_.deadline_us());
    loop_.timers().set(deadline_, deadline_us);
    wake_at_turn_end();
}

void Connection::abort() {
    if (state_ == State::open || state_ == State::flushing) begin_closing();
}

void Connection::begin_closing() {
    state_ = State::closing;
    deadline_.cancel();
    loop_.cancel(receive_done_);
    loop_.cancel(send_done_);
    wake_at_turn_end();
}

void Connection::on_turn_end() {
    if (state_ == State::closing) return finish();
    if (offer_again_ && state_ == State::open && !paused_) {
        offer_again_ = false;
        if (!kept().empty()) offer_kept();
        if (end_seen_ && !paused_ && state_ == State::open) report_peer_end();
    }
    if (state_ == State::closing) return finish();
    receive_if_room();
    flush();
    if (state_ == State::flushing && !send_done_.in_flight()) begin_closing();
}

void Connection::finish() {
    if (receive_done_.in_flight() || send_done_.in_flight()) return;
    state_ = State::closed;
    loop_.close(socket_);
    handler_.on_closed();  // may delete this
}

}  // namespace posthaste
