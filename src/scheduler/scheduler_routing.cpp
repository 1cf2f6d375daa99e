// From recipients to entries: resolve, group by destination, admit or park.
#include <algorithm>

#include "base/strings.h"

#include "mail/address.h"
#include "mail/enhanced_status.h"

#include "scheduler/log_lines.h"
#include "scheduler/route_hosts.h"
#include "scheduler/scheduler.h"

namespace posthaste {

namespace {

constexpr uint32_t kUnparkAtOnce = 64;
constexpr uint32_t kFatalTtlS = 60;  // an address of which rewrites die is asked for so often
constexpr size_t kRangesKept = 8;    // of a recipient in Message::order
constexpr size_t kJobRecipientBytesMax = 128 * 1024;  // a job must fit its ring

// "5.7.1 go away" as a table's error: entry gives it.
void take_dsn_from_text(std::string& dsn, std::string& text) {
    const auto found = enhanced_status_of(text);
    if (found.empty()) return;
    dsn.assign(found);
    text.erase(0, found.size());
    text.erase(0, text.find_first_not_of(' '));
}

// How many of the recipients at order[first..first+count) make up the next job.
uint32_t size_of_job(const Message& message, uint32_t first, uint32_t count,
                     uint32_t recipient_limit) {
    size_t bytes = 0;
    uint32_t size = 0;
    while (size < count && size < recipient_limit && bytes < kJobRecipientBytesMax) {
        const Recipient& recipient = message.envelope.recipients[message.order[first + size]];
        bytes += recipient.address.size() + recipient.original_recipient.size() + 16;
        ++size;
    }
    return size;
}

}  // namespace

void Scheduler::route(uint32_t index) {
    Message& message = messages_[index];
    // Without its bytes it can only leave, to be loaded again.
    for (uint32_t number = 0; message.content_lent && number < message.recipients.size();
         ++number) {
        if (message.recipients[number].fate == Fate::unsettled) route_recipient(index, number);
    }
    if (message.unresolved > 0) {
        ask_rewrite();
        return wait_for_routes(index);
    }
    group(index);
}

void Scheduler::route_recipient(uint32_t index, uint32_t number) {
    Message& message = messages_[index];
    const auto known =
        cache_.lookup(message.envelope.recipients[number].address, {ref_of(index), number},
                      outside_.now_us(), [&](const Route& route) {
                          return route.kind != Route::Kind::destination ||
                                 destinations_.same(route.destination, route.generation);
                      });
    if (known.route != nullptr) {
        ++stats_.resolves_known;
        return apply_route(index, number, *known.route);
    }
    if (known.full) {
        return answer_here(index, number,
                           {Outcome::deferred, "4.3.1", "too many domains are being looked up",
                            outside_.random()});
    }
    ++stats_.resolves_waited;
    message.recipients[number].fate = Fate::resolving;
    ++message.unresolved;
}

void Scheduler::apply_route(uint32_t index, uint32_t number, const Route& route) {
    switch (route.kind) {
        case Route::Kind::destination: {
            RecipientState& recipient = messages_[index].recipients[number];
            recipient.fate = Fate::routed;
            recipient.destination = route.destination;
            ++destinations_[route.destination].routed;
            destinations_.touch(route.destination);
            return;
        }
        case Route::Kind::deferred:
            return answer_here(index, number,
                               {Outcome::deferred, route.dsn, route.text, outside_.random()});
        case Route::Kind::bounced:
            return answer_here(index, number, {Outcome::bounced, route.dsn, route.text, 0});
        case Route::Kind::held:
            return hold(index, number, route.dsn, route.text);
        case Route::Kind::discarded:
            return answer_here(index, number, {Outcome::sent, route.dsn, route.text, 0});
    }
}

void Scheduler::on_rewrite_up() {
    cache_.expire_all();
    cache_.ask_all_again();
    ask_rewrite();
}

void Scheduler::on_rewrite_down() {
    for (const auto& fatal : cache_.rewrite_died(kDeathsOfSuspect)) {
        Route route;
        const bool held = fatal.deaths >= kDeathsToHold;
        route.kind = held ? Route::Kind::held : Route::Kind::deferred;
        route.dsn = "4.3.0";
        route.text =
            "address resolution died of this address " + std::to_string(fatal.deaths) + " times";
        outside_.warn(printable(fatal.question, 100) + ": " + route.text +
                      (held ? ", its mail is put on hold" : ", its mail waits"));
        answered(fatal.cookie, false, kFatalTtlS, route);
    }
}

void Scheduler::ask_rewrite() {
    cache_.take_unasked([&](uint64_t cookie, std::string_view recipient) {
        return outside_.resolve(cookie, recipient);
    });
}

void Scheduler::on_resolved(const wire::ResolveReply& reply) {
    answered(reply.cookie, reply.per_domain, reply.ttl_s, route_of(reply));
}

void Scheduler::answered(uint64_t cookie, bool per_domain, uint32_t ttl_s, const Route& route) {
    const bool asked = cache_.answer(cookie, per_domain, ttl_s, outside_.now_us(), route,
                                     answered_waiters_, other_waiters_);
    if (!asked) return;
    for (const ResolveWaiter& waiter : other_waiters_) {
        if (!alive(waiter.message)) continue;
        --messages_[waiter.message.message].unresolved;
        route_recipient(waiter.message.message, waiter.recipient);
        if (messages_[waiter.message.message].unresolved == 0) group(waiter.message.message);
    }
    ask_rewrite();
    for (const ResolveWaiter& waiter : answered_waiters_) {
        if (!alive(waiter.message)) continue;
        --messages_[waiter.message.message].unresolved;
        apply_route(waiter.message.message, waiter.recipient, route);
        if (messages_[waiter.message.message].unresolved == 0) group(waiter.message.message);
    }
}

Route Scheduler::route_of(const wire::ResolveReply& reply) {
    Route route;
    route.dsn.assign(reply.dsn);
    route.text.assign(reply.text);
    const Handler handler = handler_of_transport(reply.transport);
    if (reply.outcome != wire::ResolveOutcome::ok) {
        const bool bounced = reply.outcome == wire::ResolveOutcome::bounced;
        route.kind = bounced ? Route::Kind::bounced : Route::Kind::deferred;
        if (route.dsn.empty()) route.dsn = bounced ? "5.0.0" : "4.3.0";
        return route;
    }
    if (handler != Handler::agent) {
        route.text.assign(reply.nexthop);
        route.dsn = handler == Handler::error   ? "5.0.0"
                    : handler == Handler::retry ? "4.0.0"
                                                : "2.0.0";
        take_dsn_from_text(route.dsn, route.text);
        route.kind = handler == Handler::error   ? Route::Kind::bounced
                     : handler == Handler::retry ? Route::Kind::deferred
                                                 : Route::Kind::discarded;
        if (route.text.empty()) route.text.assign(reply.transport);
        return route;
    }
    const uint32_t transport = transports_.find_or_add(
        reply.transport, [&](std::string_view name) { return outside_.transport_config(name); });
    transports_[transport].rate_listener = this;
    const TransportConfig& config = transports_[transport].config;
    if (config.has_service && config.role == Role::smtp && reply.hosts.empty()) {
        route.dsn = "4.4.3";
        route.text = "no server was found for " + std::string(reply.nexthop);
        return route;
    }
    bool is_new = false;
    const auto site = reply.site.empty() ? reply.nexthop : reply.site;
    route.kind = Route::Kind::destination;
    route.destination =
        destinations_.find_or_add(transport, transports_[transport].name, site, is_new);
    Destination& destination = destinations_[route.destination];
    route.generation = destination.generation;
    if (is_new) {
        destination.feedback.reset(config.feedback);
        destination.rate_listener = this;
    }
    destination.nexthop.assign(reply.nexthop);
    RouteHosts hosts{reply.hosts};
    wire::encode(hosts, state_bytes_);
    if (destination.hosts != state_bytes_) destination.hosts = state_bytes_;
    return route;
}

// A message of which somebody is always under way gets a new range at each retry of the others.
void Scheduler::close_gaps(uint32_t index) {
    Message& message = messages_[index];
    if (message.entries == 0) return message.order.clear();
    if (message.order.size() <= kRangesKept * message.recipients.size()) return;
    std::vector<uint32_t> order;
    for (uint32_t i = 0; i < entries_.end(); ++i) {
        Entry& it = entries_[i];
        if (it.state == EntryState::unused || it.message != index) continue;
        const auto first = message.order.begin() + it.first;
        it.first = static_cast<uint32_t>(order.size());
        order.insert(order.end(), first, first + it.count);
    }
    message.order.swap(order);
}

void Scheduler::group(uint32_t index) {
    Message& message = messages_[index];
    close_gaps(index);
    grouping_.clear();
    for (uint32_t number = 0; number < message.recipients.size(); ++number) {
        const RecipientState& recipient = message.recipients[number];
        if (recipient.fate == Fate::routed) grouping_.push_back({recipient.destination, number});
    }
    if (grouping_.size() > 1) std::sort(grouping_.begin(), grouping_.end());
    for (size_t first = 0; first < grouping_.size();) {
        const uint32_t destination = grouping_[first].first;
        size_t count = 1;
        while (first + count < grouping_.size() && grouping_[first + count].first == destination)
            ++count;
        destinations_[destination].routed -= static_cast<uint32_t>(count);
        if (count == grouping_.size() && park_instead(index, destination)) return;
        admit(index, destination, first, count);
        destinations_.settle(destination);
        first += count;
    }
    const uint32_t sent_for_by = std::exchange(message.sent_for_by, kNone);
    progress(index);
    if (sent_for_by != kNone) arrived(sent_for_by);
}

// Recipients grouping_[first..first+count) of a message join the queue of their destination.
void Scheduler::admit(uint32_t index, uint32_t destination_index, size_t first, size_t count) {
    Message& message = messages_[index];
    Destination& destination = destinations_[destination_index];
    const auto order_first = static_cast<uint32_t>(message.order.size());
    for (size_t i = 0; i < count; ++i) message.order.push_back(grouping_[first + i].second);

    if (destination.state == SiteState::dead) {
        if (outside_.now_us() < destination.dead_until_us && !table_[message.node].asked_for) {
            suspend_recipients(index, destination_index, order_first, static_cast<uint32_t>(count));
            return message.order.resize(order_first);
        }
        begin_probe(destination);
    }
    const TransportConfig& config = transports_[destination.transport].config;
    const bool missing =
        !config.has_service || (config.role != Role::smtp && !agents_.any(config.role));
    if (missing || (config.waits_for_flush && !table_[message.node].due_now)) {
        const Verdict verdict{Outcome::deferred, missing ? "4.3.5" : "4.3.2",
                              missing ? "mail transport unavailable" : "deferred transport",
                              outside_.random()};
        for (size_t i = 0; i < count; ++i)
            answer_here(index, message.order[order_first + i], verdict);
        return message.order.resize(order_first);
    }
    for (uint32_t done = 0; done < count;) {
        const uint32_t size =
            size_of_job(message, order_first + done, static_cast<uint32_t>(count) - done,
                        config.recipient_limit);
        const uint32_t entry = entries_.allocate();
        Entry& it = entries_[entry];
        it = {};
        it.message = index;
        it.destination = destination_index;
        it.first = order_first + done;
        it.count = size;
        for (uint32_t i = 0; i < size; ++i) {
            RecipientState& recipient = message.recipients[message.order[it.first + i]];
            recipient.fate = Fate::queued;
            it.retry |= recipient.attempts > 0;
        }
        ++message.entries;
        fair_queue_.push_back(entry, turn_of(message));
        done += size;
    }
    outside_.want_dispatch();
}

// What one destination may hold of the active queue: as much as is left free. So a single one gets
// half, and however many are slow, some of it stays free for the others.
// What is on its way counts as active, some of it twice.
uint32_t Scheduler::share_of_active() const noexcept {
    const uint32_t used = active_count_ + loading_count_ + sent_for_count_;
    const uint32_t free = config_.active_limit - std::min(used, config_.active_limit);
    return std::max(free, config_.active_limit / 50 + 1);
}

// A destination that has its share: the message goes back to the store and waits in line, as an id.
// Only a message that is for this destination alone and has nothing to be recorded.
bool Scheduler::park_instead(uint32_t index, uint32_t destination_index) {
    Message& message = messages_[index];
    MessageNode& node = table_[message.node];
    Destination& destination = destinations_[destination_index];
    if (message.sent_for_by != kNone || table_[message.node].asked_for) return false;
    if (message.next_due_s != kNeverDue) return false;  // in line nobody's time would come
    if (destination.parked_count == 0 && destination.queued < share_of_active()) return false;
    if (destination.state == SiteState::dead || draining_) return false;
    if (message.entries > 0 || message.unresolved > 0 || message.elsewhere > 0 || message.dirty ||
        message.unrecorded > 0 || !message.receipts.empty()) {
        return false;
    }
    if (destination.parked == kNone) destination.parked = table_.make_list();
    const uint32_t parked_node = message.node;
    leave_active(index, Place::parked);
    node.link = destination_index;
    table_.push_back(destination.parked, parked_node);
    ++destination.parked_count;
    ++parked_count_;
    ++stats_.parked;
    destinations_.touch(destination_index);
    return true;
}

// Sends for messages that wait in line, two for each place that became free, many when none is left
// here. With those that it has sent for before it may come to its share, and no further.
void Scheduler::unpark(uint32_t destination_index) {
    Destination& destination = destinations_[destination_index];
    uint32_t count = destination.queued == 0 ? kUnparkAtOnce : 2;
    while (count-- > 0 && destination.parked_count > 0 &&
           destination.queued + destination.sent_for < share_of_active()) {
        const uint32_t node = table_.front(destination.parked);
        take_from_parked(node);
        table_[node].place = Place::listed;
        table_[node].sent_for = true;
        table_[node].fresh = true;
        table_[node].link = destination_index;
        table_.push_back(wanted_, node);
        ++destination.sent_for;
        ++sent_for_count_;
        outside_.want_dispatch();
    }
}

// Into its flows, or elsewhere: no matter, its place is free for the next one.
void Scheduler::arrived(uint32_t destination_index) {
    --destinations_[destination_index].sent_for;
    --sent_for_count_;
    unpark(destination_index);
    destinations_.settle(destination_index);
}

void Scheduler::take_from_parked(uint32_t node) {
    Destination& destination = destinations_[table_[node].link];
    table_.unlink(node);
    --destination.parked_count;
    --parked_count_;
    destinations_.settle(table_[node].link);
    table_[node].link = kNone;
}

// The site died: those in line wait for its next chance, without an attempt and without a word on
// disk.
void Scheduler::unpark_all_later(uint32_t destination_index) {
    Destination& destination = destinations_[destination_index];
    const int64_t wall_until_us =
        outside_.wall_us() + destination.dead_until_us - outside_.now_us();
    while (destination.parked_count > 0) {
        const uint32_t node = table_.front(destination.parked);
        take_from_parked(node);
        table_[node].due_s = static_cast<uint32_t>(wall_until_us / kSecondUs) + 1;
        place_by_due(node);
    }
}

}  // namespace posthaste
