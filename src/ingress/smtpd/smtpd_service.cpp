#include "ingress/smtpd/smtpd_service.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"

namespace posthaste::smtpd {
namespace {

// Two messages of the largest size must fit into our arena. In the store's, new mail leaves a
// quarter to what qmgr loads: a message that fits there, with the header lines it is given, can
// always be sent.
uint64_t message_bytes_max_in(uint64_t arena_bytes, const Settings& settings) {
    const uint64_t loaded = std::min(
        static_cast<uint64_t>(settings.integer("store_arena_size")) / 4, wire::kContentBytesMax);
    return std::min(arena_bytes / 2, loaded - std::min(loaded / 8, wire::kHeaderWrittenBytesMax));
}

}  // namespace

SmtpdService::Listener::Listener(SmtpdService& its_service, std::string_view its_name,
                                 Socket its_socket)
    : service(its_service),
      name(its_name),
      socket(its_socket),
      accepted(runner_of<&Listener::on_accept, Listener>(), this) {}

std::optional<SmtpdSettings> SmtpdService::read_settings(const Settings& settings,
                                                         std::vector<std::string>& warnings,
                                                         std::string& why_not) {
    const auto arena_bytes = static_cast<uint64_t>(settings.integer("smtpd_arena_size"));
    return SmtpdSettings::read(settings, message_bytes_max_in(arena_bytes, settings), warnings,
                               why_not);
}

SmtpdService::SmtpdService(World& world, SmtpdSettings settings)
    : world_(world),
      counters_(world.counter_page, smtpd_counter_rows()),
      settings_(std::move(settings)),
      memory_(world.loop, *world.arena),
      ids_(world.loop),
      names_(world.loop),
      submissions_(memory_),
      shared_{world.loop, world.log, counters_, settings_, memory_, ids_, names_, submissions_, {}},
      accept_timer_(timer_calls<&SmtpdService::on_accept_timer, SmtpdService>(), this) {}

SmtpdService::~SmtpdService() = default;

// ---- clients ----

void SmtpdService::on_listener(std::string_view name, Socket socket) {
    listeners_.push_back(std::make_unique<Listener>(*this, name, socket));
    if (accepting_) return start_accepting();
    if (!accept_timer_.is_set())
        world_.loop.timers().set(accept_timer_, world_.loop.now_us() + kStartPatienceUs);
}

void SmtpdService::on_accept_timer() { start_accepting(); }

void SmtpdService::accept_if_ready() {
    if (accepting_ || !has_ids_ || !submissions_.has_store()) return;
    accept_timer_.cancel();
    start_accepting();
}

void SmtpdService::start_accepting() {
    if (draining_) return;
    accepting_ = true;
    for (auto& listener : listeners_) {
        if (!listener->accepted.in_flight())
            world_.loop.accept(listener->accepted, listener->socket);
    }
}

void SmtpdService::Listener::on_accept(const Event& event) {
    if (event.result >= 0) service.on_accepted(*this, Socket{event.result});
    if (!event.last) return;
    if (service.draining_) return service.world_.loop.close(socket);
    if (event.result >= 0) return service.start_accepting();
    if (event.result < 0 && event.result != -ECANCELED) {
        service.world_.log.warning("accept on " + name + ": " +
                                   Error{Errc::os, -event.result, "accept"}.text());
    }
    // Out of descriptors, most likely: a moment without new clients helps.
    service.world_.loop.timers().set(service.accept_timer_,
                                     service.world_.loop.now_us() + kAcceptAgainUs);
}

size_t SmtpdService::connections_from(const IpAddress& address) const {
    const auto found = connections_from_.find(address);
    return found == connections_from_.end() ? 0 : found->second;
}

void SmtpdService::on_accepted(Listener& listener, Socket socket) {
    if ((draining_ && !retiring_) || sessions_.size() >= settings_.sessions_max + kTurnedAwayMax) {
        count(SmtpdCounter::connections_refused);
        return world_.loop.close(socket);
    }
    const bool is_full = sessions_.size() >= settings_.sessions_max;
    ClientSession::Owner& owner = *this;
    auto owned = std::make_unique<ClientSession>(shared_, owner, socket);
    ClientSession& session = *owned;
    session.position = sessions_.size();
    sessions_.push_back(std::move(owned));
    counters_.set(static_cast<size_t>(SmtpdCounter::sessions_open), sessions_.size());

    const IpAddress& address = session.client().ip;
    const uint32_t connections = ++connections_from_[address];
    const uint32_t limit = settings_.connections_from_one_address_max;
    if (is_full) {
        world_.log.warning("smtpd_session_limit reached: turning " + address.text() + " away");
        session.turn_away("421 4.3.2 " + settings_.hostname +
                          " Error: all server ports are busy\r\n");
    } else if (limit > 0 && connections > limit &&
               !settings_.event_limit_exceptions.contains(address)) {
        world_.log.warning("Connection concurrency limit exceeded: " + std::to_string(connections) +
                           " from unknown[" + address.text() + "] for service " + listener.name);
        session.turn_away("421 4.7.0 " + settings_.hostname + " Error: too many connections from " +
                          address.text() + "\r\n");
    } else {
        session.begin();
    }
}

void SmtpdService::on_gone(ClientSession& session) {
    const auto counted = connections_from_.find(session.client().ip);
    ASSERT(counted != connections_from_.end());
    if (--counted->second == 0) connections_from_.erase(counted);
    const size_t position = session.position;
    if (position + 1 < sessions_.size()) {
        std::swap(sessions_[position], sessions_.back());
        sessions_[position]->position = position;
    }
    sessions_.pop_back();
    counters_.set(static_cast<size_t>(SmtpdCounter::sessions_open), sessions_.size());
}

// ---- life ----

void SmtpdService::on_settings(const Settings& settings) {
    std::vector<std::string> warnings;
    std::string why_not;
    auto fresh = SmtpdSettings::read(
        settings, message_bytes_max_in(memory_.bytes_total(), settings), warnings, why_not);
    for (const std::string& warning : warnings) world_.log.warning(warning);
    if (!fresh) return world_.log.error("going on with the old settings: " + why_not);
    settings_ = std::move(*fresh);
}

void SmtpdService::stop_accepting() {
    if (std::exchange(draining_, true)) return;
    accept_timer_.cancel();
    // Closed as well: the kernel shares new clients out among all open sockets of a port, and nobody
    // would greet those that are given to this one.
    for (auto& listener : listeners_) {
        if (listener->accepted.in_flight()) {
            world_.loop.cancel(listener->accepted);  // closed by its last event
        } else {
            world_.loop.close(listener->socket);
        }
    }
}

void SmtpdService::on_retire() {
    retiring_ = true;
    stop_accepting();
}

void SmtpdService::on_drain() {
    retiring_ = false;
    stop_accepting();
    // Sessions go at the end of a turn, never inside this call.
    for (auto& session : sessions_) session->shut_down();
}

bool SmtpdService::is_idle() const {
    return sessions_.empty() &&
           std::none_of(listeners_.begin(), listeners_.end(),
                        [](const auto& listener) { return listener->accepted.in_flight(); });
}

// ---- peers ----

void SmtpdService::on_peer_up(Peer& peer) {
    switch (peer.role()) {
        case Role::cleanup:
            ids_.on_cleanup_up(peer);
            submissions_.on_cleanup_up(peer);
            break;
        case Role::rewrite:
            names_.on_rewrite_up(peer);
            break;
        case Role::store:
            submissions_.on_store_up();
            accept_if_ready();
            break;
        default:
            break;
    }
}

void SmtpdService::on_peer_down(Peer& peer) {
    switch (peer.role()) {
        case Role::cleanup: {
            ids_.stop_asking(peer);
            const size_t lost = submissions_.on_cleanup_down(peer);
            count(SmtpdCounter::submissions_void, lost);
            if (lost > 0) {
                world_.log.warning(peer.name() + " is gone: " + std::to_string(lost) +
                                   " messages answered 451");
            }
            break;
        }
        case Role::rewrite:
            names_.on_rewrite_down(peer);
            break;
        case Role::store:
            submissions_.on_store_down();
            break;
        default:
            break;
    }
}

void SmtpdService::on_forgotten(Peer& reader, uint32_t incarnation) {
    if (reader.role() == Role::store) memory_.release_quarantine(incarnation);
}

void SmtpdService::on_room(Peer& peer) {
    if (peer.role() != Role::cleanup) return;
    ids_.on_room();
    submissions_.on_room();
}

bool SmtpdService::on_cleanup_record(Peer& cleanup, uint16_t type, std::string_view body) {
    if (type == wire::SubmitResult::kType) {
        return wire::decode(body, result_) && submissions_.on_result(cleanup, result_);
    }
    if (type == wire::NoMoreMail::kType) {
        wire::NoMoreMail no_more;
        if (!wire::decode(body, no_more) || !submissions_.on_cleanup_leaving(cleanup)) return false;
        ids_.stop_asking(cleanup);
        return true;
    }
    if (type == wire::LeaseGrant::kType) {
        wire::LeaseGrant grant;
        if (!wire::decode(body, grant) || !ids_.on_grant(cleanup, grant)) return false;
        has_ids_ = has_ids_ || grant.count > 0;
        accept_if_ready();
        return true;
    }
    return false;
}

void SmtpdService::on_record(Peer& peer, uint16_t type, std::string_view body) {
    bool is_good = false;
    if (peer.role() == Role::cleanup) {
        is_good = on_cleanup_record(peer, type, body);
    } else if (peer.role() == Role::rewrite && type == wire::ClientNameReply::kType) {
        wire::ClientNameReply reply;
        is_good = wire::decode(body, reply);
        if (is_good) names_.on_reply(peer, reply);
    }
    if (!is_good) peers_->misbehaved(peer, "a record that smtpd did not ask for");
}

}  // namespace posthaste::smtpd
