#include "tests/support/sink_session.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace posthaste::support {

namespace {

constexpr size_t kHeadBytesMax = 2048;
constexpr std::string_view kTag = "X-Test-Tag: ";

}  // namespace

SinkSession::SinkSession(Loop& loop, Socket socket, const SinkOptions& options, SinkCounts& counts,
                         std::function<void(SinkSession&)> on_gone)
    : loop_(loop),
      options_(options),
      counts_(counts),
      on_gone_(std::move(on_gone)),
      connection_(loop, socket, static_cast<Connection::Handler&>(*this)),
      delay_(timer_calls<&SinkSession::answer_final, SinkSession>(), this) {
    ++counts_.connections;
    reply("220 sink.test ESMTP\r\n");
    connection_.start();
}

void SinkSession::reply(std::string_view text) { connection_.send(text); }

void SinkSession::on_end(Connection::End, int) {
    delay_.cancel();
    connection_.abort();
}

size_t SinkSession::on_bytes(std::string_view bytes) {
    const size_t size_bytes = bytes.size();
    while (!bytes.empty() && !connection_.closing() && !delay_.is_set()) {
        if (state_ == State::data) {
            bytes.remove_prefix(scanner_.consume(bytes, *this));
            if (scanner_.done()) end_message();
        } else if (state_ == State::chunk) {
            const auto take = static_cast<size_t>(std::min<uint64_t>(chunk_left_, bytes.size()));
            append(bytes.substr(0, take));
            bytes.remove_prefix(take);
            chunk_left_ -= take;
            if (chunk_left_ > 0) continue;
            if (chunk_last_) {
                end_message();
            } else {
                state_ = State::commands;
                reply("250 2.0.0 chunk\r\n");
            }
        } else {
            const size_t end = bytes.find('\n');
            if (end == std::string_view::npos) {
                line_ += bytes;
                return size_bytes;
            }
            line_ += bytes.substr(0, end);
            bytes.remove_prefix(end + 1);
            const std::string line = std::exchange(line_, {});
            on_line(trimmed(line));
        }
    }
    return size_bytes - bytes.size();
}

void SinkSession::append(std::string_view bytes) {
    message_bytes_ += bytes.size();
    if (head_.size() < kHeadBytesMax) head_ += bytes.substr(0, kHeadBytesMax - head_.size());
}

void SinkSession::on_line(std::string_view line) {
    const auto is = [&](std::string_view verb) { return starts_with_ignoring_case(line, verb); };
    if (is("EHLO")) {
        std::string hello = "250-sink.test\r\n";
        if (options_.pipelining) hello += "250-PIPELINING\r\n";
        if (options_.chunking) hello += "250-CHUNKING\r\n";
        reply(hello + "250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n");
    } else if (is("RCPT")) {
        if (options_.rcpt_reply.empty()) ++recipients_;
        reply(options_.rcpt_reply.empty() ? "250 2.1.5 Ok\r\n" : options_.rcpt_reply + "\r\n");
    } else if (is("DATA")) {
        if (!options_.data_reply.empty()) return reply(options_.data_reply + "\r\n");
        if (recipients_ == 0) return reply("554 5.5.1 no valid recipients\r\n");
        scanner_ = DataScanner(BareNewline::no);
        state_ = State::data;
        reply("354 go\r\n");
    } else if (is("BDAT")) {
        const auto words = split(line, " ");
        chunk_left_ = words.size() > 1 ? parse_number(words[1]).value_or(0) : 0;
        chunk_last_ = words.size() > 2 && equals_ignoring_case(words[2], "LAST");
        state_ = State::chunk;
        if (chunk_left_ == 0 && chunk_last_) end_message();
    } else if (is("QUIT")) {
        reply("221 2.0.0 bye\r\n");
        connection_.close();
    } else if (is("RSET") || is("MAIL")) {
        recipients_ = 0;
        reply("250 2.0.0 Ok\r\n");
    } else {
        reply("250 2.0.0 Ok\r\n");
    }
}

void SinkSession::end_message() {
    state_ = State::commands;
    if (recipients_ == 0) {
        head_.clear();
        message_bytes_ = 0;
        return reply("554 5.5.1 no valid recipients\r\n");
    }
    if (options_.disconnect_every > 0 && (counts_.messages + 1) % options_.disconnect_every == 0) {
        ++counts_.messages;
        return connection_.abort();
    }
    if (options_.final_delay_ms > 0) {
        loop_.timers().set(delay_, loop_.now_us() + options_.final_delay_ms * kMsUs);
        return connection_.pause();
    }
    answer_final();
}

void SinkSession::answer_final() {
    const bool taken = options_.final_reply.empty() || options_.final_reply[0] == '2';
    if (taken) {
        ++counts_.messages;
        counts_.recipients += recipients_;
        counts_.bytes += message_bytes_;
        if (options_.on_message) {
            const size_t tag = head_.find(kTag);
            const size_t begin = tag == std::string::npos ? 0 : tag + kTag.size();
            const size_t end =
                tag == std::string::npos ? 0 : std::min(head_.find('\r', begin), head_.size());
            options_.on_message(std::string_view(head_).substr(begin, end - begin), recipients_,
                                message_bytes_);
        }
    }
    head_.clear();
    message_bytes_ = 0;
    recipients_ = 0;
    reply(options_.final_reply.empty() ? "250 2.0.0 Ok: taken\r\n" : options_.final_reply + "\r\n");
    if (connection_.paused()) connection_.resume();
}

}  // namespace posthaste::support
