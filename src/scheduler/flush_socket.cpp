#include "scheduler/flush_socket.h"

#include <algorithm>

#include "base/strings.h"

#include "mail/queue_id.h"

namespace posthaste {

class FlushSocket::Session final : private Connection::Handler {
 public:
    Session(FlushSocket& owner, Socket socket)
        : owner_(owner), connection_(owner.loop_, socket, *this) {
        connection_.set_deadline(owner_.loop_.now_us() + kPatienceUs);
        connection_.start();
    }

    void stop() { connection_.close(); }

 private:
    size_t on_bytes(std::string_view bytes) override {
        const size_t end = bytes.find('\n');
        if (std::min(end, bytes.size()) > kLineBytesMax) {
            connection_.abort();
        } else if (end != std::string_view::npos) {
            connection_.send(owner_.answer(trimmed(bytes.substr(0, end))));
            connection_.close();
        } else {
            return 0;
        }
        return bytes.size();
    }

    void on_end(Connection::End, int) override { connection_.close(); }

    void on_closed() override { owner_.forget(*this); }

    FlushSocket& owner_;
    Connection connection_;
};

FlushSocket::FlushSocket(Loop& loop, Scheduler& scheduler, Socket listener)
    : loop_(loop),
      scheduler_(scheduler),
      listener_(listener),
      accept_done_(runner_of<&FlushSocket::on_accept, FlushSocket>(), this),
      flush_timer_(timer_calls<&FlushSocket::on_flush_timer, FlushSocket>(), this) {
    loop_.accept(accept_done_, listener_);
}

FlushSocket::~FlushSocket() { loop_.remove_listener(*this); }

void FlushSocket::stop() {
    stopping_ = true;
    if (accept_done_.in_flight()) loop_.cancel(accept_done_);
    for (const auto& session : sessions_) session->stop();
}

void FlushSocket::on_accept(const Event& event) {
    if (event.result >= 0) {
        const auto socket = static_cast<Socket>(event.result);
        if (sessions_.size() < kSessionsMax && !stopping_) {
            sessions_.push_back(std::make_unique<Session>(*this, socket));
        } else {
            loop_.close(socket);
        }
    }
    if (event.last) loop_.request_turn_end(*this);
}

void FlushSocket::on_turn_end() {
    over_.clear();
    if (!accept_done_.in_flight() && !stopping_) loop_.accept(accept_done_, listener_);
}

void FlushSocket::forget(Session& session) {
    const auto found = std::find_if(sessions_.begin(), sessions_.end(),
                                    [&](const auto& one) { return one.get() == &session; });
    over_.push_back(std::move(*found));
    sessions_.erase(found);
    loop_.request_turn_end(*this);
}

void FlushSocket::flush() {
    if (loop_.now_us() >= flush_again_us_) return on_flush_timer();
    if (!flush_timer_.is_set()) loop_.timers().set(flush_timer_, flush_again_us_);
}

void FlushSocket::on_flush_timer() {
    flush_again_us_ = loop_.now_us() + kFlushEveryUs;
    scheduler_.flush();
}

std::string_view FlushSocket::answer(std::string_view line) {
    if (line == "flush") {
        flush();
        return "ok\n";
    }
    if (line.starts_with("flush ")) {
        const auto id = parse_queue_id(trimmed(line.substr(6)));
        return id && scheduler_.flush(*id) ? "ok\n" : "unknown\n";
    }
    return "what?\n";
}

}  // namespace posthaste
