// tests/support/source_session.h: one client that sends tagged messages one after another and
// remembers which were answered 250. A lost connection or a temporary refusal loses nothing: the
// next message gets a new tag.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mail/smtp_reply.h"
#include "runtime/connection.h"
#include "runtime/loop.h"

namespace posthaste::support {

struct SourceOptions {
    Endpoint server;
    uint64_t messages = 1000;
    uint32_t recipients = 1;  // a message
    uint32_t domains = 1;     // recipients are spread over d0.test … by message
    std::string domain = "dest.test";
    uint64_t size_bytes = 4096;
    bool pipelining = false;
    std::string sender = "source@sender.test";
    std::string tag_prefix = "t";
    // For each message answered 250; `accepted`: which of its recipients were.
    std::function<void(std::string_view tag, std::string_view reply,
                       const std::vector<uint32_t>& accepted)>
        on_acked;
    // Instead of "u<number>@…" and of the filler; `message` counts from 1. The text as it goes over
    // the wire, dots doubled, without the end-of-data line.
    std::function<std::string(uint64_t message, uint32_t number)> recipient;
    std::function<std::string(uint64_t message, std::string_view tag)> text;
};

// Shared by all sessions of one run.
struct SourceRun {
    uint64_t begun = 0;
    uint64_t in_flight = 0;
    uint64_t acked = 0;
    uint64_t refused = 0;  // 4xx or 5xx
    uint64_t connections_lost = 0;
    std::string filler;  // body lines, cut to size
};

class SourceSession final : private Connection::Handler {
 public:
    SourceSession(Loop& loop, const SourceOptions& options, SourceRun& run);
    ~SourceSession();

    void start();

    bool finished() const noexcept { return finished_; }

 private:
    void on_connected(const Event& event);
    void on_retry();
    size_t on_bytes(std::string_view bytes) override;
    void on_end(Connection::End, int) override;
    void on_closed() override;

    void on_reply(const SmtpReply& reply);
    void next_message();
    void compose();
    std::string recipient(uint32_t number) const;
    void say_rcpt(uint32_t number);
    void send_rcpt(uint32_t number);
    void refuse(const SmtpReply& reply);
    void message_over();
    void again();

    Loop& loop_;
    const SourceOptions& options_;
    SourceRun& run_;
    Completion connect_done_;
    Timer retry_;
    std::unique_ptr<Connection> connection_;
    SmtpReplyParser parser_;
    SmtpReply reply_;
    enum class Step : uint8_t {
        greeting,
        ehlo,
        mail,
        rcpt,
        data,
        final,
        quit
    } step_ = Step::greeting;
    uint32_t recipients_said_ = 0;
    bool in_message_ = false;
    bool finished_ = false;
    uint64_t number_ = 0;
    std::vector<uint32_t> accepted_;
    std::string tag_;
    std::string rcpt_domain_;
    std::string body_;
    std::string commands_;
};

}  // namespace posthaste::support
