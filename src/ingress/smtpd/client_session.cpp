#include "ingress/smtpd/client_session.h"

#include <algorithm>
#include <utility>

namespace posthaste::smtpd {

ClientSession::ClientSession(Shared& shared, Owner& owner, Socket socket)
    : shared_(shared),
      owner_(owner),
      client_(shared.loop.peer_of(socket)),
      session_(shared.settings, *this),
      connection_(shared.loop, socket, *this),
      blocks_(shared.memory),
      patience_(timer_calls<&ClientSession::on_patience_over, ClientSession>(), this) {
    static_assert(sizeof(ClientSession) <= 2048, "thousands of them idle");
    client_.ip = client_.ip.unmapped();
}

// Its lists know it no more: what it waited for was given up when it closed.
ClientSession::~ClientSession() {
    stop_waiting();
    if (submission_ != Submissions::kNone) shared_.submissions.abandon(submission_);
}

// ---- life ----

void ClientSession::begin() {
    connection_.start();
    connection_.pause();
    std::string_view name = ClientNames::kUnknown;
    if (shared_.settings.looks_up_client_names && shared_.names.ask(client_.ip, *this, name)) {
        return wait_for(Wait::name, kNamePatienceUs);
    }
    greet(name);
}

void ClientSession::on_client_name(std::string_view name) {
    waits_for_ = Wait::nothing;  // there is nothing left to forget
    patience_.cancel();
    greet(name);
}

void ClientSession::greet(std::string_view name) {
    if (session_.is_over()) return;
    Client client;
    client.name = name;
    client.ip = client_.ip;
    client.local_ip = shared_.loop.local_of(connection_.socket()).ip.unmapped();
    client.port = client_.port;
    const bool spoke_first =
        !connection_.kept().empty() || shared_.loop.has_input(connection_.socket());
    session_.start(std::move(client), spoke_first);
    set_reading();
}

void ClientSession::turn_away(std::string_view lines) {
    shared_.counters.add(static_cast<size_t>(SmtpdCounter::connections_refused));
    connection_.start();
    connection_.send(lines);
    session_.shut_down();  // it was never started: says nothing, and closes
}

void ClientSession::shut_down() {
    session_.shut_down();
    set_reading();
}

void ClientSession::on_closed() { owner_.on_gone(*this); }

// ---- the connection ----

size_t ClientSession::on_bytes(std::string_view bytes) {
    const size_t used = session_.consume(bytes);
    content_bytes_ += session_.is_receiving_message() ? used : 0;
    // Half a line is no command: a client that drips bytes is as silent as one that says nothing.
    if (used > 0 || !session_.takes_input()) set_reading();
    return used;
}

void ClientSession::on_end(Connection::End reason, int) {
    switch (reason) {
        case Connection::End::deadline:
            return session_.on_timeout();
        case Connection::End::peer_closed:
            return session_.on_lost();
        case Connection::End::failed:
            session_.on_lost();
            return connection_.abort();
    }
}

void ClientSession::on_sent() {
    if (connection_.paused()) set_reading();
}

// smtpd_timeout from now on. Of a message, with smtpd_per_request_deadline, from its beginning on,
// and longer by what it has brought at smtpd_min_data_rate.
int64_t ClientSession::silence_ends_us() {
    const SmtpdSettings& settings = shared_.settings;
    const int64_t ends_us = shared_.loop.now_us() + settings.silence_max_us;
    const auto brought = static_cast<int64_t>(std::exchange(content_bytes_, 0));
    if (settings.min_data_rate == 0 || !session_.is_receiving_message() || request_ends_us_ == 0) {
        request_ends_us_ = session_.is_receiving_message() ? ends_us : 0;
        return ends_us;
    }
    request_ends_us_ += brought * kSecondUs / settings.min_data_rate;
    return request_ends_us_ = std::min(request_ends_us_, ends_us);
}

// While the session has no use for input none is taken from the connection, whose buffer fills and
// pushes back.
void ClientSession::set_reading() {
    if (session_.is_over()) return;
    if (session_.takes_input()) {
        if (connection_.paused()) connection_.resume();
        return connection_.set_deadline(silence_ends_us());
    }
    request_ends_us_ = 0;  // the client does not owe us this time
    connection_.pause();
    // A client that does not take its replies is silent as well.
    const bool waits_for_client =
        waits_for_ == Wait::nothing && !session_.is_committing() && !can_reply();
    connection_.set_deadline(
        waits_for_client ? shared_.loop.now_us() + shared_.settings.silence_max_us : kNeverUs);
    if (waits_for_ == Wait::nothing && session_.is_receiving_message()) {
        shared_.memory.wait(*this);
        shared_.counters.add(static_cast<size_t>(SmtpdCounter::arena_waits));
        wait_for(Wait::room, kRoomPatienceUs);
    }
}

// ---- waiting ----

void ClientSession::wait_for(Wait what, int64_t patience_us) {
    waits_for_ = what;
    shared_.loop.timers().set(patience_, shared_.loop.now_us() + patience_us);
}

void ClientSession::stop_waiting() {
    switch (std::exchange(waits_for_, Wait::nothing)) {
        case Wait::name:
            shared_.names.forget(*this);
            break;
        case Wait::room:
            shared_.memory.stop_waiting(*this);
            break;
        case Wait::cleanup:
            shared_.submissions.stop_waiting(*this);
            break;
        case Wait::rest:
        case Wait::nothing:
            break;
    }
    patience_.cancel();
}

void ClientSession::on_patience_over() {
    const Wait what = waits_for_;
    stop_waiting();
    switch (what) {
        case Wait::nothing:
            return;
        case Wait::name:
            return greet(ClientNames::kUnknown);
        case Wait::rest:
            session_.on_rested();
            break;
        case Wait::room:
            if (std::exchange(unsubmitted_, nullptr) != nullptr) {
                blocks_.drop();
                session_.on_stored(452, "4.3.1", "Insufficient system storage");
            } else {
                session_.on_memory_denied();
            }
            break;
        case Wait::cleanup:
            unsubmitted_ = nullptr;
            blocks_.drop();
            session_.on_stored(451, "4.3.0", "Error: queue file write error");
            break;
    }
    set_reading();
}

void ClientSession::on_room() {
    stop_waiting();
    if (unsubmitted_ != nullptr) return try_submit();
    set_reading();
}

void ClientSession::on_ready() {
    stop_waiting();
    try_submit();
}

// ---- the message ----

bool ClientSession::can_append() { return blocks_.has_room(); }

void ClientSession::append(std::string_view bytes) { blocks_.append(bytes); }

void ClientSession::drop_message() { blocks_.drop(); }

void ClientSession::submit(const Envelope& envelope) {
    unsubmitted_ = &envelope;
    try_submit();
}

void ClientSession::try_submit() {
    if (!blocks_.is_placed()) {
        shared_.memory.wait(*this);
        return wait_for(Wait::room, kRoomPatienceUs);
    }
    submission_ = shared_.submissions.submit(*this, *unsubmitted_, blocks_);
    if (submission_ == Submissions::kNone) return wait_for(Wait::cleanup, kCleanupPatienceUs);
    unsubmitted_ = nullptr;
    submitted_us_ = shared_.loop.now_us();
}

void ClientSession::on_answer(uint16_t code, std::string_view dsn, std::string_view text) {
    submission_ = Submissions::kNone;
    if (code == 250) {
        count(SmtpdCounter::cleanup_time,
              static_cast<uint64_t>(shared_.loop.now_us() - submitted_us_));
    }
    shared_.counters.set(static_cast<size_t>(SmtpdCounter::arena_blocks_used),
                         shared_.memory.blocks_used());
    session_.on_stored(code, dsn, text);
    set_reading();
}

// ---- the world ----

void ClientSession::reply(std::string_view lines) { connection_.send(lines); }

bool ClientSession::can_reply() const { return connection_.can_send(); }

void ClientSession::log(std::string_view line) { shared_.log.info(line); }

void ClientSession::warn(std::string_view line) { shared_.log.warning(line); }

void ClientSession::count(SmtpdCounter counter, uint64_t amount) {
    shared_.counters.add(static_cast<size_t>(counter), amount);
}

int64_t ClientSession::wall_us() const { return shared_.loop.wall_us(); }

MessageId ClientSession::take_id() { return shared_.ids.take(); }

bool ClientSession::is_short_of_memory() const { return shared_.memory.is_short(); }

void ClientSession::rest_for(int64_t duration_us) { wait_for(Wait::rest, duration_us); }

void ClientSession::close() {
    stop_waiting();
    unsubmitted_ = nullptr;
    connection_.set_deadline(kNeverUs);
    connection_.close();
}

std::string& ClientSession::scratch() {
    shared_.scratch.clear();
    return shared_.scratch;
}

}  // namespace posthaste::smtpd
