#include "scheduler/qmgr_service.h"

#include "scheduler/qmgr_config.h"
#include "scheduler/qmgr_counters.h"

namespace posthaste {

QmgrService::QmgrService(World& world)
    : world_(world),
      counters_(world.counter_page, kQmgrCounters),
      settings_(&world.settings),
      scheduler_(*this, world.loop.timers(), scheduler_config(world.settings)),
      agents_(world.loop, scheduler_, world.incarnation),
      store_(scheduler_, agents_),
      rewrite_(scheduler_),
      started_us_(world.loop.now_us()),
      opening_timer_(timer_calls<&QmgrService::on_opening_timer, QmgrService>(), this) {}

QmgrService::~QmgrService() { world_.loop.remove_listener(*this); }

void QmgrService::attach(Peers& peers) {
    peers_ = &peers;
    world_.loop.timers().set(opening_timer_, started_us_ + kAgentsWaitUs);
}

void QmgrService::on_listener(std::string_view name, Socket listener) {
    if (flush_socket_)
        return world_.log.warning("more than one listener, ignored: " + std::string(name));
    flush_socket_.emplace(world_.loop, scheduler_, listener);
}

void QmgrService::on_settings(const Settings& settings) {
    settings_ = &settings;
    scheduler_.configure(scheduler_config(settings));
}

TransportConfig QmgrService::transport_config(std::string_view name) {
    return posthaste::transport_config(*settings_, name, world_.log);
}

void QmgrService::on_drain() {
    draining_ = true;
    scheduler_.drain();
    if (flush_socket_) flush_socket_->stop();
    want_dispatch();
}

// What the store has not confirmed is lost with us only if the store is gone too; then agents have
// kept the reports.
bool QmgrService::is_idle() const {
    if (!draining_ || scheduler_.jobs_out() > 0) return false;
    if (flush_socket_ && !flush_socket_->is_stopped()) return false;
    return store_.unrecorded() == 0 || !store_.is_up();
}

void QmgrService::open_if_ready() {
    if (scheduler_.is_open()) return;
    const int64_t waited_us = world_.loop.now_us() - started_us_;
    const bool agents_spoke =
        agents_.any() && agents_.all_ready() && !peers_->expects_any(AgentSide::kRoles);
    const bool patient = waited_us < kAgentsPatienceUs && !agents_spoke;
    if (waited_us < kAgentsWaitUs || patient) {
        const int64_t until_us =
            started_us_ + (waited_us < kAgentsWaitUs ? kAgentsWaitUs : kAgentsPatienceUs);
        return world_.loop.timers().set(opening_timer_, until_us);
    }
    opening_timer_.cancel();
    scheduler_.open();
}

void QmgrService::on_peer_up(Peer& peer) {
    if (peer.role() == Role::store) {
        store_.on_up(peer);
    } else if (peer.role() == Role::rewrite) {
        rewrite_.on_up(peer);
    } else if (AgentSide::is_agent(peer.role())) {
        agents_.on_up(peer);
    }
    want_dispatch();
}

void QmgrService::on_peer_down(Peer& peer) {
    if (peer.role() == Role::store) {
        if (store_.is_with(peer)) store_.on_down();
    } else if (peer.role() == Role::rewrite) {
        rewrite_.on_down(peer);
    } else if (AgentSide::is_agent(peer.role())) {
        agents_.on_down(peer);
        open_if_ready();
    }
    want_dispatch();
}

void QmgrService::on_record(Peer& peer, uint16_t type, std::string_view body) {
    bool understood = false;
    if (peer.role() == Role::store) {
        understood = !store_.is_with(peer) || store_.on_record(type, body);
    } else if (peer.role() == Role::rewrite) {
        understood = rewrite_.on_record(peer, type, body);
    } else if (AgentSide::is_agent(peer.role())) {
        understood = agents_.on_record(peer, type, body);
        if (type == wire::JobsHeld::kType) {
            store_.say_held(agents_.take_held());
            open_if_ready();
        }
    }
    if (!understood) peers_->misbehaved(peer, "record that qmgr does not understand");
    want_dispatch();
}

void QmgrService::on_room(Peer& peer) {
    if (peer.role() == Role::store) {
        if (store_.is_with(peer)) store_.on_room();
    } else if (peer.role() == Role::rewrite) {
        rewrite_.on_room();
    } else if (AgentSide::is_agent(peer.role())) {
        agents_.on_room(peer);
    }
    want_dispatch();
}

void QmgrService::on_turn_end() {
    scheduler_.dispatch();
    agents_.send_taken();
    count();
}

void QmgrService::count() {
    const SchedulerStats& stats = scheduler_.stats();
    counters_.set(kMessagesKnown, scheduler_.messages());
    counters_.set(kMessagesActive, scheduler_.active());
    counters_.set(kMessagesParked, scheduler_.parked());
    counters_.set(kJobsOut, scheduler_.jobs_out());
    counters_.set(kLanesOpen, scheduler_.lanes());
    counters_.set(kDestinationsKnown, scheduler_.destinations());
    counters_.set(kDestinationsDead, scheduler_.dead_destinations());
    counters_.set(kOutcomesUnrecorded, store_.unrecorded());
    counters_.set(kMemoryWaiting, scheduler_.waiting_memory_bytes());
    counters_.set(kMessagesActivated, stats.activated);
    counters_.set(kMessagesLoaded, stats.loads);
    counters_.set(kJobsStarted, stats.jobs_started);
    counters_.set(kJobsReturned, stats.jobs_returned);
    counters_.set(kRecipientsSent, stats.recipients_sent);
    counters_.set(kRecipientsDeferred, stats.recipients_deferred);
    counters_.set(kRecipientsSuspended, stats.recipients_suspended);
    counters_.set(kRecipientsBounced, stats.recipients_bounced);
    counters_.set(kRecipientsExpired, stats.recipients_expired);
    counters_.set(kResolvesKnown, stats.resolves_known);
    counters_.set(kResolvesAsked, stats.resolves_waited);
    counters_.set(kSitesDied, stats.sites_died);
}

}  // namespace posthaste
