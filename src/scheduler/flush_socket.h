// scheduler/flush_socket.h: the public socket of qmgr: what an operator may ask for, one line a
// connection.
//
//   "flush\n"        everything deferred is due now             "ok\n"
//   "flush ID\n"     this message is                            "ok\n" or "unknown\n"
//
// Anybody on this machine may ask. Bounded: kSessionsMax conversations of one line and one answer
// each, kLineBytesMax a line, kPatienceUs until it has come; and "flush", which looks at every
// message, is done once in kFlushEveryUs: one that comes sooner is answered, and done then.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/units.h"

#include "runtime/connection.h"
#include "runtime/loop.h"

#include "scheduler/scheduler.h"

namespace posthaste {

class FlushSocket final : private TurnListener {
 public:
    static constexpr size_t kSessionsMax = 32;
    static constexpr size_t kLineBytesMax = 256;
    static constexpr int64_t kPatienceUs = 10 * kSecondUs;
    static constexpr int64_t kFlushEveryUs = kSecondUs;

    FlushSocket(Loop& loop, Scheduler& scheduler, Socket listener);
    ~FlushSocket();

    // Takes no more; is_stopped() once every conversation is over.
    void stop();

    bool is_stopped() const noexcept {
        return !accept_done_.in_flight() && sessions_.empty() && over_.empty();
    }

 private:
    class Session;
    void on_accept(const Event& event);
    void on_turn_end() override;
    std::string_view answer(std::string_view line);
    void flush();
    void on_flush_timer();
    void forget(Session& session);

    Loop& loop_;
    Scheduler& scheduler_;
    Socket listener_;
    Completion accept_done_;
    bool stopping_ = false;
    int64_t flush_again_us_ = 0;  // not before
    Timer flush_timer_;
    std::vector<std::unique_ptr<Session>> sessions_;
    std::vector<std::unique_ptr<Session>> over_;  // deleted at the end of the turn
};

}  // namespace posthaste
