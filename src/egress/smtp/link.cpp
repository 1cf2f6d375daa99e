#include "egress/smtp/link.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace posthaste::smtp {

namespace {

// What this machine lacks, or forbids itself: no server has said or done anything.
bool is_own_shortage(int os_errno) noexcept {
    switch (os_errno) {
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
        case EADDRNOTAVAIL:
        case EPERM:
            return true;
        default:
            return false;
    }
}

}  // namespace

Link::Link(Loop& loop, const SmtpConfig& config, std::string host_name, const Endpoint& endpoint,
           std::string nexthop, User& user, Keeper& keeper)
    : loop_(loop),
      config_(config),
      host_name_(std::move(host_name)),
      endpoint_(endpoint),
      nexthop_(std::move(nexthop)),
      user_(&user),
      keeper_(keeper),
      connect_done_(runner_of<&Link::on_connected, Link>(), this),
      connect_timer_(timer_calls<&Link::on_connect_timeout, Link>(), this) {
    relay_ = host_name_ + "[" + endpoint_.ip.text() + "]:" + std::to_string(endpoint_.port);
}

Link::~Link() = default;

void Link::connect() {
    connect_began_us_ = loop_.now_us();
    connect_began_wall_us_ = loop_.wall_us();
    const auto& from = endpoint_.ip.v6 ? config_.bind_v6 : config_.bind_v4;
    // 0: the kernel's own limit
    if (config_.connect_timeout_us > 0)
        loop_.timers().set(connect_timer_, connect_began_us_ + config_.connect_timeout_us);
    loop_.connect(connect_done_, endpoint_, from ? &*from : nullptr);
}

void Link::on_connected(const Event& event) {
    connect_timer_.cancel();
    if (user_ == nullptr) {
        if (event.result >= 0) loop_.close(Socket{event.result});
        return keeper_.on_link_gone(*this);
    }
    if (event.result < 0) {
        connect_failure_ = "connect to " + relay_ + ": " +
                           (timed_out_ ? "Connection timed out" : std::strerror(-event.result));
        User* const user = std::exchange(user_, nullptr);
        if (!timed_out_ && is_own_shortage(-event.result)) {
            user->on_link_short(-event.result);
        } else {
            user->on_link_dead({Outcome::deferred, "4.4.1", connect_failure_}, false);
        }
        return keeper_.on_link_gone(*this);
    }
    connection_.emplace(loop_, Socket{event.result}, static_cast<Connection::Handler&>(*this));
    session_.emplace(config_, host_name_ + "[" + endpoint_.ip.text() + "]", nexthop_,
                     endpoint_.port == wire::kSmtpPort, static_cast<ClientSession::Line&>(*this));
    connection_->start();
    session_->start();
}

void Link::on_connect_timeout() {
    timed_out_ = true;
    loop_.cancel(connect_done_);
}

void Link::leave() {
    ASSERT(session_ && session_->idle());
    leaving_ = true;
    session_->quit();
}

void Link::forget() {
    user_ = nullptr;
    if (leaving_) return;
    if (session_ && session_->idle()) {
        leave();
    } else {
        abandon();
    }
}

void Link::abandon() {
    user_ = nullptr;
    if (connection_) {
        hang_up();
    } else if (connect_done_.in_flight()) {
        loop_.cancel(connect_done_);
    }
}

// A send under way may still look at the store's arena, whose blocks are given back as soon as the
// job is reported: from here on the kernel takes no more of them.
void Link::hang_up() {
    if (connection_->unsent_bytes() > 0) loop_.shutdown_send(connection_->socket());
    connection_->abort();
}

size_t Link::on_bytes(std::string_view bytes) { return session_->on_bytes(bytes); }

void Link::on_end(Connection::End reason, int) {
    session_->on_lost(reason == Connection::End::deadline);
    if (!connection_->closing()) hang_up();  // the session was over already
}

void Link::on_sent() { session_->on_sent(); }

void Link::on_send_progress() { session_->on_sent(); }

void Link::on_closed() { keeper_.on_link_gone(*this); }

void Link::send(std::string_view text) { connection_->send(text); }

void Link::send_borrowed(std::string_view bytes) { connection_->send_borrowed(bytes); }

uint64_t Link::output_mark() const { return connection_->output_mark(); }

bool Link::is_taken(uint64_t mark) const { return connection_->is_taken(mark); }

void Link::wait_at_most(int64_t timeout_us) {
    // While our own bytes are still on their way, it is the transfer that is waited for.
    if (connection_->unsent_bytes() > 0 && timeout_us > config_.data_xfer_timeout_us) {
        timeout_us = config_.data_xfer_timeout_us;
    }
    connection_->set_deadline(timeout_us == kNeverUs ? kNeverUs : loop_.now_us() + timeout_us);
}

void Link::on_ready() {
    if (ready_wall_us_ == 0) ready_wall_us_ = loop_.wall_us();
    if (user_ != nullptr) user_->on_link_ready();
}

void Link::on_job_done(Job& job) {
    if (user_ != nullptr) user_->on_job_done(job);
}

void Link::on_job_returned(Job& job) {
    if (user_ != nullptr) user_->on_job_returned(job);
}

void Link::on_note(std::string_view text) {
    if (user_ != nullptr) user_->on_link_note(text);
}

void Link::on_warning(std::string_view text) {
    if (user_ != nullptr) user_->on_link_warning(text);
}

void Link::on_dead(const DeliveryStatus& refusal) {
    const bool was_ready = session_->was_ready();
    hang_up();
    User* const user = std::exchange(user_, nullptr);
    if (user == nullptr) return;
    if (leaving_) return user->on_link_left();
    user->on_link_dead(refusal, was_ready);
}

}  // namespace posthaste::smtp
