// tests/support/sink_session.h: one client of the sink: an SMTP server that takes everything, as
// told, and remembers what it took. Deliberately not built from the relay's own server, so that a
// fault there is not repeated here.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "mail/data_scanner.h"
#include "runtime/connection.h"
#include "runtime/loop.h"

namespace posthaste::support {

struct SinkOptions {
    bool pipelining = true;
    bool chunking = false;
    std::string rcpt_reply;   // instead of 250, when not empty: "450 4.2.1 later"
    std::string data_reply;   // instead of 354
    std::string final_reply;  // instead of 250 behind the message
    int64_t final_delay_ms = 0;
    uint64_t disconnect_every =
        0;  // every n-th message: closes after the final dot without an answer
    // For each message taken; the tag is empty when it has none.
    std::function<void(std::string_view tag, uint32_t recipients, uint64_t bytes)> on_message;
};

struct SinkCounts {
    uint64_t connections = 0;
    uint64_t messages = 0;
    uint64_t recipients = 0;
    uint64_t bytes = 0;
};

class SinkSession final : private Connection::Handler, private DataScanner::Sink {
 public:
    SinkSession(Loop& loop, Socket socket, const SinkOptions& options, SinkCounts& counts,
                std::function<void(SinkSession&)> on_gone);

 private:
    size_t on_bytes(std::string_view bytes) override;
    void on_end(Connection::End, int) override;

    void on_closed() override { on_gone_(*this); }

    void append(std::string_view bytes) override;

    void on_line(std::string_view line);
    void end_message();
    void answer_final();
    void reply(std::string_view text);

    Loop& loop_;
    const SinkOptions& options_;
    SinkCounts& counts_;
    std::function<void(SinkSession&)> on_gone_;
    Connection connection_;
    Timer delay_;
    enum class State : uint8_t { commands, data, chunk } state_ = State::commands;
    DataScanner scanner_{BareNewline::no};
    uint64_t chunk_left_ = 0;
    bool chunk_last_ = false;
    uint32_t recipients_ = 0;
    uint64_t message_bytes_ = 0;
    std::string head_;  // the message's first bytes, where the tag is
    std::string line_;
};

}  // namespace posthaste::support
