// bench/macro/load/open_loop.h: sends messages at their times over many connections, whatever
// becomes of those before.
//
//   arrival ──idle connection──► MAIL, RCPT, DATA at once ──354──► text ──250──► latency
//      └── all are busy: waits in line, and its time counts
//
// Connections are made before the first arrival and kept. The arrivals' alarm is a timerfd: the
// loop's own timers tick too coarsely.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"

#include "mail/smtp_reply.h"
#include "runtime/connection.h"
#include "runtime/loop.h"

#include "bench/macro/load/arrivals.h"

namespace posthaste::bench {

struct OpenLoopOptions {
    Endpoint server;
    Arrivals::Kind kind = Arrivals::Kind::poisson;
    double rate_per_s = 100;
    int64_t warmup_us = 2 * kSecondUs;  // sent, not counted
    int64_t duration_us = 10 * kSecondUs;
    int64_t patience_us = 30 * kSecondUs;  // for what is unanswered behind the last arrival
    uint32_t connections = 200;
    uint64_t size_bytes = 4096;
    uint64_t seed = 1;
    std::string sender = "sender@source.test";
    std::string recipient = "recipient@dest.test";
};

struct OpenLoopResult {
    Latencies to_250;
    Latencies late;  // how late we sent what found a connection idle: our own fault, and counted
    uint64_t arrived = 0;
    uint64_t refused = 0;
    uint64_t lost = 0;        // their connection broke
    uint64_t unanswered = 0;  // in to_250 with the time they had waited in the end
    uint64_t waited = 0;      // found all connections busy
    uint32_t busy_peak = 0;
    bool connected = false;  // false: the server did not take the connections, nothing was sent
};

class OpenLoop;

class OpenLoopClient final : private Connection::Handler {
 public:
    OpenLoopClient(Loop& loop, OpenLoop& owner);
    ~OpenLoopClient();

    void connect();
    void send(int64_t intended_us, bool counted);

    bool busy() const noexcept { return intended_us_ != 0; }

    int64_t intended_us() const noexcept { return intended_us_; }

    bool counted() const noexcept { return counted_; }

 private:
    enum class Step : uint8_t { greeting, ehlo, ready, mail, rcpt, data, final, reset };

    void on_connected(const Event& event);
    void on_retry();
    size_t on_bytes(std::string_view bytes) override;
    void on_end(Connection::End, int) override;
    void on_closed() override;
    void on_reply();
    void broken();
    void finish(bool accepted);

    Loop& loop_;
    OpenLoop& owner_;
    Completion connect_done_;
    Timer retry_;
    std::unique_ptr<Connection> connection_;
    SmtpReplyParser parser_;
    SmtpReply reply_;
    Step step_ = Step::greeting;
    bool refused_ = false;
    bool counted_ = false;
    int64_t intended_us_ = 0;  // 0: no message under way
};

class OpenLoop {
 public:
    OpenLoop(Loop& loop, const OpenLoopOptions& options);
    ~OpenLoop();

    OpenLoopResult run();

    // For the clients.
    const Endpoint& server() const noexcept { return options_.server; }

    const std::string& commands() const noexcept { return commands_; }

    const std::string& text() const noexcept { return text_; }

    void on_ready(OpenLoopClient& client);
    void on_answer(int64_t intended_us, bool counted, bool accepted);
    void on_lost(OpenLoopClient& client, bool had_message, bool counted);

 private:
    struct Waiting {
        int64_t intended_us;
        bool counted;
    };

    void on_alarm(const Event& event);
    void on_patience();
    void set_alarm(int64_t at_us);
    void arrive(int64_t intended_us);
    void hand(OpenLoopClient& client, const Waiting& message, bool found_idle);
    void stop_when_done();

    Loop& loop_;
    const OpenLoopOptions options_;
    OpenLoopResult result_;
    std::string commands_;
    std::string text_;
    Fd alarm_;
    Completion alarm_done_;
    Timer patience_;
    std::vector<std::unique_ptr<OpenLoopClient>> clients_;
    std::vector<OpenLoopClient*> idle_;
    std::deque<Waiting> waiting_;
    std::unique_ptr<Arrivals> arrivals_;  // from when all connections stand
    int64_t next_us_ = 0;
    int64_t count_from_us_ = 0;
    int64_t end_us_ = 0;
    uint32_t busy_ = 0;
    bool all_arrived_ = false;
};

}  // namespace posthaste::bench
