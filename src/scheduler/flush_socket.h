// scheduler/flush_socket.h: the public socket of qmgr: what an operator may ask for, one line each.
//
//   "flush\n"        everything deferred is due now             "ok\n"
//   "flush ID\n"     this message is                            "ok\n" or "unknown\n"
//
// Bounded: kSessionsMax conversations, kLineBytesMax a line, kPatienceUs between lines.
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
    static constexpr int64_t kPatienceUs = 30 * kSecondUs;

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
    void forget(Session& session);

    Loop& loop_;
    Scheduler& scheduler_;
    Socket listener_;
    Completion accept_done_;
    bool stopping_ = false;
    std::vector<std::unique_ptr<Session>> sessions_;
    std::vector<std::unique_ptr<Session>> over_;  // deleted at the end of the turn
};

}  // namespace posthaste
