#include "bench/macro/load/open_loop.h"

#include <algorithm>
#include <ctime>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utility>

#include "base/assert.h"

namespace posthaste::bench {

namespace {

constexpr int64_t kReconnectUs = 100 * kMsUs;
constexpr int64_t kConnectPatienceUs = 60 * kSecondUs;

// The loop's clock stands still within a turn; a latency must not.
int64_t clock_us() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * kSecondUs + now.tv_nsec / 1000;
}

std::string message_text(const OpenLoopOptions& options) {
    std::string text = "From: <" + options.sender + ">\r\nTo: <" + options.recipient +
                       ">\r\nSubject: open loop\r\nDate: Sun, 22 Nov 2026 07:30:00 +0000\r\n"
                       "Message-Id: <open-loop@source.test>\r\n\r\n";
    constexpr std::string_view kLine = "the quick brown fox jumps over the lazy dog, again\r\n";
    while (text.size() + kLine.size() < options.size_bytes) text += kLine;
    return text + ".\r\n";
}

}  // namespace

// ---- one connection

OpenLoopClient::OpenLoopClient(Loop& loop, OpenLoop& owner)
    : loop_(loop),
      owner_(owner),
      connect_done_(runner_of<&OpenLoopClient::on_connected, OpenLoopClient>(), this),
      retry_(timer_calls<&OpenLoopClient::on_retry, OpenLoopClient>(), this) {}

OpenLoopClient::~OpenLoopClient() = default;

void OpenLoopClient::on_connected(const Event& event) {
    if (event.result < 0) return broken();
    parser_.reset();
    step_ = Step::greeting;
    connection_ = std::make_unique<Connection>(loop_, Socket{event.result},
                                               static_cast<Connection::Handler&>(*this));
    connection_->start();
}

void OpenLoopClient::broken() {
    owner_.on_lost(*this, std::exchange(intended_us_, 0) != 0, counted_);
    loop_.timers().set(retry_, loop_.now_us() + kReconnectUs);
}

void OpenLoopClient::on_retry() { connect(); }

void OpenLoopClient::on_end(Connection::End, int) { connection_->abort(); }

void OpenLoopClient::on_closed() { broken(); }

size_t OpenLoopClient::on_bytes(std::string_view bytes) {
    const size_t size_bytes = bytes.size();
    while (!bytes.empty() && !connection_->closing()) {
        const auto state = parser_.consume(bytes, reply_);
        if (state == SmtpReplyParser::State::complete) on_reply();
        if (state == SmtpReplyParser::State::malformed) connection_->abort();
    }
    return size_bytes;
}

void OpenLoopClient::connect() {
    connection_.reset();
    loop_.connect(connect_done_, owner_.server(), nullptr);
}

void OpenLoopClient::send(int64_t intended_us, bool counted) {
    intended_us_ = intended_us;
    counted_ = counted;
    refused_ = false;
    step_ = Step::mail;
    connection_->send_borrowed(owner_.commands());
}

void OpenLoopClient::finish(bool accepted) {
    step_ = Step::ready;
    owner_.on_answer(std::exchange(intended_us_, 0), counted_, accepted);
    owner_.on_ready(*this);
}

void OpenLoopClient::on_reply() {
    // 421 is a farewell, whatever was asked.
    if (reply_.code == 421) return connection_->abort();
    switch (step_) {
        case Step::greeting:
            if (reply_.code != 220) return connection_->abort();
            step_ = Step::ehlo;
            return connection_->send("EHLO open-loop.test\r\n");
        case Step::ehlo:
            step_ = Step::ready;
            return owner_.on_ready(*this);
        case Step::ready:
            return connection_->abort();  // answers what nobody asked
        case Step::mail:
        case Step::rcpt:
            refused_ = refused_ || !reply_.is_positive();
            step_ = step_ == Step::mail ? Step::rcpt : Step::data;
            return;
        case Step::data:
            if (reply_.code == 354) {  // also behind a refusal: then an empty text ends it
                step_ = Step::final;
                return refused_ ? connection_->send(".\r\n")
                                : connection_->send_borrowed(owner_.text());
            }
            step_ = Step::reset;
            return connection_->send("RSET\r\n");
        case Step::final:
            return finish(reply_.code == 250 && !refused_);
        case Step::reset:
            return finish(false);
    }
}

// ---- all of them

OpenLoop::OpenLoop(Loop& loop, const OpenLoopOptions& options)
    : loop_(loop),
      options_(options),
      commands_("MAIL FROM:<" + options.sender + ">\r\nRCPT TO:<" + options.recipient +
                ">\r\nDATA\r\n"),
      text_(message_text(options)),
      alarm_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      alarm_done_(runner_of<&OpenLoop::on_alarm, OpenLoop>(), this),
      patience_(timer_calls<&OpenLoop::on_patience, OpenLoop>(), this) {
    ASSERT(alarm_);
    for (uint32_t i = 0; i < options_.connections; ++i)
        clients_.push_back(std::make_unique<OpenLoopClient>(loop_, *this));
}

OpenLoop::~OpenLoop() = default;

OpenLoopResult OpenLoop::run() {
    for (auto& client : clients_) client->connect();
    loop_.timers().set(patience_, loop_.now_us() + kConnectPatienceUs);
    loop_.watch(alarm_done_, alarm_.get());
    loop_.run();
    return result_;
}

void OpenLoop::on_ready(OpenLoopClient& client) {
    if (!waiting_.empty()) {
        const Waiting first = waiting_.front();
        waiting_.pop_front();
        return hand(client, first, false);
    }
    idle_.push_back(&client);
    if (arrivals_ || idle_.size() < clients_.size()) return;
    result_.connected = true;
    patience_.cancel();
    const int64_t start_us = clock_us();
    count_from_us_ = start_us + options_.warmup_us;
    end_us_ = count_from_us_ + options_.duration_us;
    arrivals_ =
        std::make_unique<Arrivals>(options_.kind, options_.rate_per_s, start_us, options_.seed);
    next_us_ = arrivals_->next_us();
    set_alarm(next_us_);
}

void OpenLoop::set_alarm(int64_t at_us) {
    itimerspec when{};
    when.it_value.tv_sec = at_us / kSecondUs;
    when.it_value.tv_nsec = at_us % kSecondUs * 1000;
    ::timerfd_settime(alarm_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void OpenLoop::on_alarm(const Event& event) {
    uint64_t expirations = 0;
    (void)!::read(alarm_.get(), &expirations, sizeof expirations);
    if (event.last) loop_.watch(alarm_done_, alarm_.get());
    for (const int64_t now_us = clock_us(); next_us_ <= now_us && next_us_ < end_us_;
         next_us_ = arrivals_->next_us()) {
        arrive(next_us_);
    }
    if (next_us_ < end_us_) return set_alarm(next_us_);
    if (std::exchange(all_arrived_, true)) return;
    loop_.timers().set(patience_, loop_.now_us() + options_.patience_us);
    stop_when_done();
}

void OpenLoop::arrive(int64_t intended_us) {
    const Waiting message{intended_us, intended_us >= count_from_us_};
    if (message.counted) ++result_.arrived;
    if (idle_.empty()) {
        if (message.counted) ++result_.waited;
        waiting_.push_back(message);
        return;
    }
    OpenLoopClient& client = *idle_.back();
    idle_.pop_back();
    hand(client, message, true);
}

void OpenLoop::hand(OpenLoopClient& client, const Waiting& message, bool found_idle) {
    if (found_idle && message.counted) result_.late.add(clock_us() - message.intended_us);
    result_.busy_peak = std::max(result_.busy_peak, ++busy_);
    client.send(message.intended_us, message.counted);
}

void OpenLoop::on_answer(int64_t intended_us, bool counted, bool accepted) {
    --busy_;
    if (counted && accepted) result_.to_250.add(clock_us() - intended_us);
    if (counted && !accepted) ++result_.refused;
    stop_when_done();
}

void OpenLoop::on_lost(OpenLoopClient& client, bool had_message, bool counted) {
    std::erase(idle_, &client);
    if (!had_message) return;
    --busy_;
    if (counted) ++result_.lost;
    stop_when_done();
}

void OpenLoop::stop_when_done() {
    if (all_arrived_ && busy_ == 0 && waiting_.empty()) loop_.stop();
}

// Connections that did not come about, or answers: what waits still has waited at least so long.
void OpenLoop::on_patience() {
    const int64_t now_us = clock_us();
    const auto give_up = [&](int64_t intended_us, bool counted) {
        if (!counted) return;
        ++result_.unanswered;
        result_.to_250.add(now_us - intended_us);
    };
    for (const auto& client : clients_)
        if (client->busy()) give_up(client->intended_us(), client->counted());
    for (const Waiting& each : waiting_) give_up(each.intended_us, each.counted);
    loop_.stop();
}

}  // namespace posthaste::bench
