#include "ingress/smtpd/id_leases.h"

namespace posthaste::smtpd {

IdLeases::IdLeases(Loop& loop)
    : loop_(loop), ask_again_(timer_calls<&IdLeases::on_ask_again, IdLeases>(), this) {}

MessageId IdLeases::take() {
    MessageId id = kNoMessage;
    if (!leases_.empty()) {
        Lease& lease = leases_.front();
        id = lease.next++;
        --left_;
        if (lease.next == lease.end) leases_.pop_front();
    }
    ask_if_low();
    return id;
}

void IdLeases::on_cleanup_up(Peer& cleanup) {
    cleanups_.push_back(&cleanup);
    ask_if_low();
}

void IdLeases::stop_asking(Peer& cleanup) {
    std::erase(cleanups_, &cleanup);
    ask_again_.cancel();
    ask_if_low();
}

// The timer says that somebody has been asked.
void IdLeases::ask_if_low() {
    if (left_ >= kLow || ask_again_.is_set()) return;
    for (size_t tries = 0; tries < cleanups_.size(); ++tries) {
        Peer& cleanup = *cleanups_[next_cleanup_++ % cleanups_.size()];
        wire::LeaseRequest request;
        request.cookie = ++cookie_;
        if (!cleanup.send(request)) continue;
        loop_.timers().set(ask_again_, loop_.now_us() + kAskAgainUs);
        return;
    }
}

void IdLeases::on_ask_again() { ask_if_low(); }

bool IdLeases::on_grant(Peer&, const wire::LeaseGrant& grant) {
    // The store has none to give just now: the timer runs on, and asks again.
    if (grant.count == 0 && grant.first == kNoMessage) return true;
    const bool is_good = grant.first != kNoMessage && grant.first <= kMessageIdMax &&
                         grant.count > 0 && grant.count <= 64 * wire::kLeaseIds &&
                         grant.count <= kMessageIdMax - grant.first;
    if (!is_good) return false;
    ask_again_.cancel();
    // More than was asked for is dropped: an id that nobody uses hurts nobody.
    if (leases_.size() < kLeasesMax) {
        leases_.push_back({grant.first, grant.first + grant.count});
        left_ += grant.count;
    }
    ask_if_low();
    return true;
}

}  // namespace posthaste::smtpd
