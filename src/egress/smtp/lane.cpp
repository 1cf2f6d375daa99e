#include "egress/smtp/lane.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/units.h"

#include "mail/queue_id.h"

#include "egress/smtp/delivery_log.h"

namespace posthaste::smtp {

namespace {

// A message whose connections keep breaking before the server has seen it waits like any other.
constexpr uint32_t kReturnsMax = 3;
// A shortage of our own: between two tries, and until the mail is told of it as of anything else.
constexpr int64_t kShortWaitMinUs = kSecondUs;
constexpr int64_t kShortWaitMaxUs = 30 * kSecondUs;
constexpr int64_t kShortEnduredUs = 10 * kMinuteUs;

void settle_rest(Job& job, const DeliveryStatus& status) {
    for (Job::Recipient& recipient : job.recipients) {
        if (recipient.settled) continue;
        recipient.settled = true;
        recipient.status = status;
    }
}

}  // namespace

Lane::Lane(Loop& loop, Log& log, const SmtpConfig& config, const wire::LaneOpen& open, Owner& owner)
    : loop_(loop),
      log_(log),
      config_(config),
      owner_(owner),
      number_(open.lane),
      nexthop_(open.nexthop),
      others_worked_(open.others_work),
      retry_timer_(timer_calls<&Lane::turn_to_front, Lane>(), this) {
    for (const wire::Host& host : open.hosts) {
        if (hosts_.size() == config.mx_address_limit && config.mx_address_limit > 0) break;
        hosts_.push_back({std::string(host.name), host.endpoint()});
    }
}

Lane::~Lane() {
    if (link_ != nullptr) link_->abandon();
    if (left_ != nullptr) left_->abandon();
}

void Lane::add(std::unique_ptr<Job> job) {
    waiting_.push_back(std::move(job));
    if (link_ == nullptr) {
        turn_to_front();
    } else {
        feed();
    }
}

void Lane::close() {
    closing_ = true;
    if (link_ == nullptr) return turn_to_front();
    feed();
}

void Lane::drain() {
    if (over_) return;
    draining_ = closing_ = true;
    while (!waiting_.empty()) {
        std::unique_ptr<Job> job = std::move(waiting_.front());
        waiting_.pop_front();
        give_back(std::move(job));
    }
    if (!in_session_.empty()) return;  // feed() ends it
    if (link_ != nullptr) std::exchange(link_, nullptr)->forget();
    if (left_ != nullptr) std::exchange(left_, nullptr)->forget();
    retry_timer_.cancel();
    end(LaneEnd::quiet, {});
}

void Lane::orphan() {
    number_ = 0;
    drain();
}

// What earlier hosts said of its recipients must not be lost.
void Lane::give_back(std::unique_ptr<Job> job) {
    const bool attempted = job->sessions > 0;
    if (attempted) {
        settle_rest(*job, {Outcome::deferred, "4.3.2", "the delivery agent was told to stop"});
        log_settled(*job, false);
    }
    owner_.on_job_over(*this, std::move(job), attempted);
}

void Lane::turn_to_front() {
    ASSERT(link_ == nullptr && in_session_.empty());
    if (over_ || left_ != nullptr || retry_timer_.is_set()) return;
    if (waiting_.empty()) {
        if (closing_) end(LaneEnd::quiet, {});
        return;
    }
    Job& job = *waiting_.front();
    if (job.begun_wall_us == 0) job.begun_wall_us = loop_.wall_us();
    job.connected_for = true;
    session_from_ = job.first_host;
    refused_.reset();
    connect_to(session_from_);
}

void Lane::connect_to(uint32_t host) {
    if (host >= hosts_.size()) {
        return give_up({Outcome::deferred, "4.4.1", "no host of " + nexthop_ + " to connect to"});
    }
    host_ = host;
    returned_ = 0;
    link_ = &owner_.make_link(hosts_[host].name, hosts_[host].endpoint, nexthop_, *this);
    link_->connect();
}

void Lane::on_link_ready() {
    short_since_us_ = 0;
    feed();
}

void Lane::feed() {
    // begin() may find the session ready for one more at once and ask again: one loop serves all.
    if (feeding_ || link_ == nullptr || link_->session() == nullptr) return;
    feeding_ = true;
    ClientSession& session = *link_->session();
    while (!waiting_.empty() && session.can_begin() &&
           waiting_.front()->first_host == session_from_ && !connection_worn_out()) {
        in_session_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
        Job& job = *in_session_.back();
        if (job.begun_wall_us == 0) job.begun_wall_us = loop_.wall_us();
        job.conn_use = session.jobs_begun() + 1;
        session.begin(job);
    }
    feeding_ = false;
    if (link_ == nullptr || !session.idle() || !in_session_.empty()) return;
    if (draining_) {
        std::exchange(link_, nullptr)->forget();
        end(LaneEnd::quiet, {});
    } else if (!waiting_.empty() || closing_) {
        // The next job wants another host or a fresh connection, or nothing is left to do.
        left_ = std::exchange(link_, nullptr);
        left_->leave();
    }
}

void Lane::on_link_left() {
    left_ = nullptr;
    turn_to_front();
}

bool Lane::connection_worn_out() const {
    const uint32_t used = link_->session()->jobs_begun();
    if (used == 0) return false;
    if (config_.reuse_count_limit > 0 && used >= config_.reuse_count_limit) return true;
    return config_.reuse_time_limit_us > 0 &&
           loop_.now_us() - link_->connect_began_us() >= config_.reuse_time_limit_us;
}

std::unique_ptr<Job> Lane::take(Job& job) {
    const auto at = std::find_if(in_session_.begin(), in_session_.end(),
                                 [&](const auto& held) { return held.get() == &job; });
    ASSERT(at != in_session_.end());
    std::unique_ptr<Job> taken = std::move(*at);
    // For who came behind it on the connection the turn begins now.
    for (auto next = in_session_.erase(at); next != in_session_.end(); ++next)
        (*next)->begun_wall_us = loop_.wall_us();
    return taken;
}

void Lane::on_job_done(Job& job) {
    std::unique_ptr<Job> done = take(job);
    ++done->sessions;
    const bool again = retry_on_next_host(*done);
    log_settled(*done, again);
    if (again) {
        waiting_.push_front(std::move(done));
        return;
    }
    owner_.on_job_over(*this, std::move(done), true);
}

bool Lane::retry_on_next_host(Job& job) {
    const bool used_up = config_.mx_session_limit > 0 && job.sessions >= config_.mx_session_limit;
    if (draining_ || used_up || host_ + 1 >= hosts_.size()) return false;
    return std::any_of(job.recipients.begin(), job.recipients.end(),
                       [](const Job::Recipient& recipient) {
                           return recipient.settled && !recipient.logged &&
                                  recipient.status.outcome == Outcome::deferred;
                       });
}

void Lane::log_settled(Job& job, bool will_retry) {
    DeliveryTimes times;
    times.done_wall_us = loop_.wall_us();
    if (job.connected_for && link_ != nullptr) {
        times.connect_began_wall_us = link_->connect_began_wall_us();
        times.ready_wall_us = link_->ready_wall_us();
    }
    const bool talked = link_ != nullptr && link_->session() != nullptr;
    for (size_t i = 0; i < job.recipients.size(); ++i) {
        Job::Recipient& recipient = job.recipients[i];
        if (!recipient.settled || recipient.logged) continue;
        if (will_retry && recipient.status.outcome == Outcome::deferred) {
            log_.info(queue_id_text(job.wire.id) + ": " + recipient.status.text);
            recipient.settled = false;
            continue;
        }
        format_delivery_line(job, i, talked ? std::string_view(link_->relay()) : refused_by_,
                             talked ? job.conn_use : 0, times, line_);
        log_.info(line_);
        recipient.logged = true;
    }
    if (will_retry) {
        job.first_host = host_ + 1;
        job.connected_for = false;
        job.hop_failed = false;
    }
}

void Lane::on_job_returned(Job& job) {
    std::unique_ptr<Job> back = take(job);
    if (draining_) return give_back(std::move(back));
    if (++back->returns >= kReturnsMax) {
        settle_rest(*back, {Outcome::deferred, "4.4.2",
                            "lost connection with " + link_->relay() +
                                " before the message was taken, several times"});
        back->hop_failed = true;
        log_settled(*back, false);
        return owner_.on_job_over(*this, std::move(back), true);
    }
    waiting_.insert(waiting_.begin() + static_cast<std::ptrdiff_t>(returned_), std::move(back));
    ++returned_;
}

void Lane::on_link_dead(const DeliveryStatus& refusal, bool was_ready) {
    const std::string connect_failure = link_->connect_failure();
    refused_by_ = connect_failure.empty() ? link_->relay() : "none";
    link_ = nullptr;
    short_since_us_ = 0;
    if (was_ready) return turn_to_front();
    if (waiting_.empty()) return turn_to_front();
    if (!connect_failure.empty()) log_.info(connect_failure);
    if (refusal.outcome == Outcome::bounced || host_ + 1 >= hosts_.size()) return give_up(refusal);
    if (connect_failure.empty())
        log_.info(queue_id_text(waiting_.front()->wire.id) + ": " + refusal.text);
    refused_ = refusal;
    connect_to(host_ + 1);
}

void Lane::on_link_short(int os_errno) {
    const DeliveryStatus why{Outcome::deferred, "4.3.0", link_->connect_failure()};
    refused_by_ = "none";
    link_ = nullptr;
    owner_.on_shortage(why.text);
    if (waiting_.empty()) return turn_to_front();
    // What lacks for one address need not lack for another: a port, a route of IP's other version.
    const bool of_address = os_errno == EADDRNOTAVAIL || os_errno == EPERM;
    if (of_address && host_ + 1 < hosts_.size()) return connect_to(host_ + 1);
    if (refused_) return give_up(*refused_);
    wait_for_means(why);
}

void Lane::wait_for_means(const DeliveryStatus& why) {
    if (short_since_us_ == 0) {
        short_since_us_ = loop_.now_us();
        short_wait_us_ = kShortWaitMinUs;
    }
    if (loop_.now_us() - short_since_us_ >= kShortEnduredUs) return give_up(why, LaneEnd::quiet);
    loop_.timers().set(retry_timer_, loop_.now_us() + short_wait_us_);
    short_wait_us_ = std::min(2 * short_wait_us_, kShortWaitMaxUs);
}

void Lane::give_up(const DeliveryStatus& why) {
    // Who is refused for good is told so; that is no reason to leave the site alone.
    if (why.outcome != Outcome::deferred) return give_up(why, LaneEnd::quiet);
    const bool others_work = others_worked_ || owner_.others_work(*this);
    give_up(why, others_work ? LaneEnd::crowded : LaneEnd::hop_failed);
}

void Lane::give_up(const DeliveryStatus& why, LaneEnd how) {
    if (how == LaneEnd::crowded)
        log_.info(why.text + "; other connections to " + nexthop_ + " work");
    bool attempted = how != LaneEnd::crowded;  // the first one is
    while (!waiting_.empty()) {
        std::unique_ptr<Job> job = std::move(waiting_.front());
        waiting_.pop_front();
        attempted |= job->sessions > 0;
        if (attempted) {
            settle_rest(*job, why);
            job->hop_failed = how == LaneEnd::hop_failed;
            log_settled(*job, false);
        }
        owner_.on_job_over(*this, std::move(job), attempted);
        attempted = false;
    }
    refused_by_ = "none";
    end(how, why);
}

void Lane::end(LaneEnd how, const DeliveryStatus& why) {
    if (std::exchange(over_, true)) return;
    owner_.on_lane_over(*this, how, why);
}

}  // namespace posthaste::smtp
