#include "tests/support/source_session.h"

#include <utility>

namespace posthaste::support {

namespace {

constexpr int64_t kReconnectUs = 100 * kMsUs;

}  // namespace

SourceSession::SourceSession(Loop& loop, const SourceOptions& options, SourceRun& run)
    : loop_(loop),
      options_(options),
      run_(run),
      connect_done_(runner_of<&SourceSession::on_connected, SourceSession>(), this),
      retry_(timer_calls<&SourceSession::on_retry, SourceSession>(), this) {}

SourceSession::~SourceSession() = default;

void SourceSession::start() { loop_.connect(connect_done_, options_.server, nullptr); }

void SourceSession::on_connected(const Event& event) {
    if (event.result < 0) return again();
    parser_.reset();
    step_ = Step::greeting;
    connection_ = std::make_unique<Connection>(loop_, Socket{event.result},
                                               static_cast<Connection::Handler&>(*this));
    connection_->start();
}

void SourceSession::again() {
    ++run_.connections_lost;
    message_over();
    loop_.timers().set(retry_, loop_.now_us() + kReconnectUs);
}

void SourceSession::on_retry() {
    connection_.reset();
    if (finished_) return;
    start();
}

void SourceSession::on_end(Connection::End, int) { connection_->abort(); }

void SourceSession::on_closed() {
    if (!finished_) again();
}

size_t SourceSession::on_bytes(std::string_view bytes) {
    const size_t size_bytes = bytes.size();
    while (!bytes.empty() && !connection_->closing()) {
        const auto state = parser_.consume(bytes, reply_);
        if (state == SmtpReplyParser::State::complete) on_reply(reply_);
        if (state == SmtpReplyParser::State::malformed) connection_->abort();
    }
    return size_bytes;
}

void SourceSession::next_message() {
    if (run_.acked + run_.refused + run_.in_flight >= options_.messages) {
        finished_ = true;
        step_ = Step::quit;
        connection_->send("QUIT\r\n");
        return connection_->close();
    }
    recipients_said_ = 0;
    accepted_.clear();
    compose();
    commands_ = "MAIL FROM:<" + options_.sender + ">\r\n";
    step_ = Step::mail;
    if (!options_.pipelining) return connection_->send(commands_);
    for (uint32_t i = 0; i < options_.recipients; ++i) say_rcpt(i);
    commands_ += "DATA\r\n";
    connection_->send(commands_);
}

std::string SourceSession::recipient(uint32_t number) const {
    if (options_.recipient) return options_.recipient(number_, number);
    return "u" + std::to_string(number) + "@" + rcpt_domain_;
}

void SourceSession::say_rcpt(uint32_t number) {
    commands_ += "RCPT TO:<" + recipient(number) + ">\r\n";
}

void SourceSession::send_rcpt(uint32_t number) {
    commands_.clear();
    say_rcpt(number);
    connection_->send(commands_);
}

// Nothing more is to be hoped for this message.
void SourceSession::message_over() {
    if (!std::exchange(in_message_, false)) return;
    --run_.in_flight;
}

void SourceSession::refuse(const SmtpReply& reply) {
    ++run_.refused;
    message_over();
    if (reply.code == 421) return connection_->abort();
    if (step_ == Step::final) return next_message();
    connection_->send("RSET\r\n");
    step_ = Step::ehlo;
}

void SourceSession::compose() {
    number_ = ++run_.begun;
    ++run_.in_flight;
    in_message_ = true;
    rcpt_domain_ = options_.domains > 1
                       ? "d" + std::to_string(run_.begun % options_.domains) + "." + options_.domain
                       : options_.domain;
    tag_ = options_.tag_prefix + "-" + std::to_string(run_.begun);
    if (options_.text) {
        body_ = options_.text(number_, tag_) + "\r\n.\r\n";
        return;
    }
    body_ = "From: <" + options_.sender + ">\r\nTo: <u0@" + options_.domain +
            ">\r\nSubject: test\r\nX-Test-Tag: " + tag_ +
            "\r\nDate: Sun, 22 Nov 2026 07:30:00 +0000\r\nMessage-Id: <" + tag_ +
            "@sender.test>\r\n\r\n";
    if (body_.size() < options_.size_bytes) {
        body_ += std::string_view(run_.filler).substr(0, options_.size_bytes - body_.size());
    }
    body_ += "\r\n.\r\n";
}

void SourceSession::on_reply(const SmtpReply& reply) {
    switch (step_) {
        case Step::greeting:
            if (reply.code != 220) return connection_->abort();
            connection_->send("EHLO source.test\r\n");
            step_ = Step::ehlo;
            break;
        case Step::ehlo:
            next_message();
            break;
        case Step::mail:
            if (!reply.is_positive() && !options_.pipelining) return refuse(reply);
            step_ = Step::rcpt;
            if (!options_.pipelining) send_rcpt(0);
            break;
        case Step::rcpt:
            if (!reply.is_positive() && !options_.pipelining) return refuse(reply);
            if (reply.is_positive()) accepted_.push_back(recipients_said_);
            if (++recipients_said_ == options_.recipients) {
                step_ = Step::data;
                if (!options_.pipelining) connection_->send("DATA\r\n");
            } else if (!options_.pipelining) {
                send_rcpt(recipients_said_);
            }
            break;
        case Step::data:
            if (reply.code != 354) return refuse(reply);
            connection_->send_borrowed(body_);
            step_ = Step::final;
            break;
        case Step::final:
            if (reply.code != 250) return refuse(reply);
            ++run_.acked;
            if (options_.on_acked) options_.on_acked(tag_, reply.text, accepted_);
            message_over();
            next_message();
            break;
        case Step::quit:
            break;
    }
}

}  // namespace posthaste::support
