#include "simulation/relay/ledger.h"

#include <algorithm>
#include <charconv>

#include "mail/queue_id.h"

#include "scheduler/qmgr_service.h"

namespace posthaste::simulation {

namespace {

// Network, turns and rounding between the moment a server speaks and the moment qmgr counts from.
constexpr int64_t kSlackUs = 2 * kSecondUs;
// To be introduced, and to say something.
constexpr int64_t kJustInTimeUs = 10 * kMsUs;
// From a decision of qmgr's to the disk.
constexpr int64_t kOnItsWayUs = 10 * kSecondUs;
// What an agent has begun when it hears that its qmgr is dead takes no longer.
constexpr int64_t kFinishUs = kMinuteUs;

struct Name {
    uint64_t message = 0;
    uint32_t recipient = 0;
};

std::optional<Name> parse(std::string_view address) {
    Name name;
    if (!address.starts_with('m')) return std::nullopt;
    const char* const end = address.data() + address.size();
    const auto first = std::from_chars(address.data() + 1, end, name.message);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '-') return std::nullopt;
    const auto second = std::from_chars(first.ptr + 1, end, name.recipient);
    if (second.ec != std::errc{} || second.ptr == end || *second.ptr != '@') return std::nullopt;
    return name;
}

std::string body_line(uint64_t message, uint32_t line) {
    std::string text = "message " + std::to_string(message) + " line " + std::to_string(line) + " ";
    text.append((message * 7 + line * 13) % 60, static_cast<char>('a' + (message + line) % 26));
    if (line % 5 == 3) text.insert(0, ".");
    return text;
}

}  // namespace

std::string address_of(uint64_t message, uint32_t recipient, std::string_view domain) {
    return "m" + std::to_string(message) + "-" + std::to_string(recipient) + "@" +
           std::string(domain);
}

std::string text_of_message(uint64_t message, std::string_view tag, uint32_t lines) {
    std::string text = "From: <source@sender.test>\r\nSubject: message " + std::to_string(message) +
                       "\r\nX-Test-Tag: " + std::string(tag) +
                       "\r\nDate: Sun, 22 Nov 2026 07:30:00 +0000\r\nMessage-Id: <" +
                       std::string(tag) + "@sender.test>\r\n\r\n";
    for (uint32_t line = 0; line < lines; ++line) {
        const std::string body = body_line(message, line);
        if (body.starts_with('.')) text += '.';
        text += body;
        if (line + 1 < lines) text += "\r\n";
    }
    return text;
}

void Ledger::fault(std::string what) {
    house_.keep_line("FAULT: " + what);
    if (fault_.empty()) fault_ = std::move(what);
}

// ---- clients

void Ledger::will_send(uint64_t message, std::vector<std::string> recipients, uint32_t lines) {
    Row& row = rows_[message];
    row.lines = lines;
    for (std::string& address : recipients) {
        row.recipients.emplace_back();
        row.recipients.back().address = std::move(address);
    }
}

void Ledger::on_acked(uint64_t message, std::string_view queue_id,
                      const std::vector<uint32_t>& accepted) {
    Row& row = rows_[message];
    ++acked_;
    row.acked = true;
    row.acked_us = house_.world().now_us();
    for (const uint32_t number : accepted) row.recipients[number].accepted = true;
    const auto id = parse_queue_id(queue_id);
    if (!id) return fault("no queue id in the answer to message " + std::to_string(message));
    learn_id(message, *id);
}

void Ledger::learn_id(uint64_t message, MessageId id) {
    Row& row = rows_[message];
    if (row.id != kNoMessage && row.id != id)
        fault("message " + std::to_string(message) + " has two queue ids");
    row.id = id;
    const auto [at, is_new] = message_of_.emplace(id, message);
    if (!is_new && at->second != message) {
        fault("queue id " + queue_id_text(id) + " was given to messages " +
              std::to_string(at->second) + " and " + std::to_string(message));
    }
}

// What was stored without its client hearing of it.
void Ledger::learn_ids() {
    for (const MessageId id : house_.ids()) {
        if (message_of_.contains(id)) continue;
        const auto durable = house_.durable(id);
        if (!durable || durable->recipients.empty()) continue;
        const auto name = parse(durable->recipients.front());
        if (name && rows_.contains(name->message)) learn_id(name->message, id);
    }
}

// ---- destinations

const PendingGroup* Ledger::group_of(const House::Durable& durable,
                                     std::string_view address) const {
    for (const PendingGroup& group : durable.state.groups) {
        for (const uint32_t number : group.recipients) {
            if (number < durable.recipients.size() && durable.recipients[number] == address)
                return &group;
        }
    }
    return nullptr;
}

std::optional<Ledger::Key> Ledger::on_attempt(std::string_view address, const Origin& origin,
                                              bool is_held, uint64_t mail_mark) {
    const auto name = parse(address);
    const auto found = name ? rows_.find(name->message) : rows_.end();
    if (found == rows_.end() || name->recipient >= found->second.recipients.size()) {
        fault("an attempt for " + std::string(address) + ", whom nobody wrote to");
        return std::nullopt;
    }
    ++attempts_;
    Row& row = found->second;
    Recipient& recipient = row.recipients[name->recipient];
    if (row.id == kNoMessage) learn_ids();
    SimProcess* const process = house_.at(origin.agent);
    Attempt attempt;
    attempt.at_us = house_.world().now_us();
    attempt.wall_us = house_.world().wall_us();
    attempt.agent = process == nullptr ? 0 : process->incarnation();
    attempt.heard_bytes = origin.heard_bytes;
    attempt.mail_mark = mail_mark;
    const auto durable = row.id == kNoMessage ? std::nullopt : house_.durable(row.id);
    if (durable) row.arrived_wall_us = durable->arrived_wall_us;
    attempt.attempts_before = attempts_on_disk(row, name->recipient);
    // Words of the dead, or of a connection that was given up, are no attempt of now: whoever sent
    // them has counted it as failed, long ago perhaps.
    attempt.stale = process == nullptr || !is_held || is_word_of_unheard(*process, origin);
    attempt.excused = attempt.stale;
    wall_high_us_ = std::max(wall_high_us_, attempt.wall_us);
    if (!attempt.stale) check_time(row, recipient, durable ? &*durable : nullptr);
    recipient.attempts.push_back(std::move(attempt));
    return Key{name->message, name->recipient, recipient.attempts.size() - 1};
}

bool Ledger::is_word_of_unheard(SimProcess& agent, const Origin& origin) const {
    const auto found = unheard_.find(agent.incarnation());
    if (found == unheard_.end() || origin.since_us > found->second.begins_us) return false;
    const SimLoop& loop = agent.loop();
    // It may have been stopped for longer meanwhile.
    const int64_t begins_us = found->second.begins_us;
    const int64_t moves_us =
        loop.stands_still(begins_us, begins_us) ? loop.still_until_us() : found->second.moves_us;
    return house_.world().now_us() <= moves_us + kFinishUs;
}

void Ledger::before_clock_step(int64_t by_us) {
    clock_stepped_us_ = house_.world().now_us();
    const int64_t wall_us = house_.world().wall_us();
    wall_high_us_ = std::max(wall_high_us_, wall_us);
    if (by_us >= 0) return;
    SetBack& step = set_back_.emplace_back();
    step.at_us = clock_stepped_us_;
    step.latest_due_us = wall_us + by_us + longest_wait_us();
    step.all_known = true;
    remember_waiting(step);
    house_.world().after(kOnItsWayUs, [this, &step] { remember_waiting(step); });
}

void Ledger::remember_waiting(SetBack& step) {
    step.all_known &= house_.store_is_up();
    for (const MessageId id : house_.ids()) {
        const auto durable = house_.durable(id);
        if (!durable || !durable->has_state) continue;
        for (const PendingGroup& group : durable->state.groups) {
            for (const uint32_t number : group.recipients)
                step.waiting.emplace(durable->recipients.at(number), group.due_s);
        }
    }
}

void Ledger::check_time(const Row& row, const Recipient& recipient, const House::Durable* durable) {
    const int64_t now_us = house_.world().now_us();
    const int64_t wall_us = house_.world().wall_us();
    if (durable != nullptr && durable->has_state) {
        const PendingGroup* const group = group_of(*durable, recipient.address);
        if (group != nullptr && group->due_s == UINT32_MAX)
            fault(recipient.address + " was attempted, though it is held");
        else if (group != nullptr && group->due_s * kSecondUs > wall_high_us_ + kSecondUs &&
                 !is_of_another_clock(recipient, group->due_s))
            fault(recipient.address + " was attempted before the time that is on disk");
    }
    for (const Attempt& before : recipient.attempts) {
        if (before.excused || before.unclear || !before.spoken() ||
            before.end == Attempt::End::open)
            continue;
        if (before.heard() && before.end == Attempt::End::refused)
            fault(recipient.address + " was attempted again after a permanent refusal");
        if (clock_stepped_us_ >= before.at_us) continue;
        // The last attempt comes when the lifetime ends, however short the wait.
        const bool is_last = row.arrived_wall_us > 0 &&
                             wall_us + kSlackUs >= row.arrived_wall_us + limits_.lifetime_us;
        if (!is_last && wall_us + kSlackUs < before.wall_us + limits_.minimal_backoff_us)
            fault(recipient.address + " was attempted again " +
                  std::to_string((now_us - before.at_us) / kMsUs) + " ms later");
        if (row.arrived_wall_us > 0 &&
            before.wall_us > row.arrived_wall_us + limits_.lifetime_us + kSlackUs)
            fault(recipient.address + " was attempted again after its lifetime");
    }
}

int64_t Ledger::longest_wait_us() const {
    return limits_.maximal_backoff_us + limits_.minimal_backoff_us;
}

// Further ahead than anybody is told to wait now; or than anybody was when the clock was set back,
// and written, or decided, before that.
bool Ledger::is_of_another_clock(const Recipient& recipient, uint32_t due_s) const {
    if (set_back_.empty()) return false;
    const int64_t due_wall_us = due_s * kSecondUs;
    if (due_wall_us > house_.world().wall_us() + longest_wait_us()) return true;
    return std::any_of(set_back_.begin(), set_back_.end(), [&](const SetBack& step) {
        return due_wall_us > step.latest_due_us &&
               (step.all_known
                    ? step.waiting.contains({recipient.address, due_s})
                    : recipient.attempts.empty() || recipient.attempts.back().at_us <= step.at_us);
    });
}

void Ledger::on_content(const std::vector<Key>& recipients, std::string_view bytes) {
    if (recipients.empty()) return;
    ++taken_;
    const uint64_t message = recipients.front().message;
    const std::string who = "message " + std::to_string(message);
    for (const Key& key : recipients) {
        if (key.message != message) fault("recipients of two messages in one: " + who);
    }
    const Row& row = rows_[message];
    const size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return fault(who + " came without an end of its header");
    const std::string_view header = bytes.substr(0, end + 2);
    if (header.find("X-Test-Tag: t-" + std::to_string(message) + "\r\n") == std::string_view::npos)
        return fault(who + " came with another's header");
    std::string expected;
    for (uint32_t line = 0; line < row.lines; ++line) expected += body_line(message, line) + "\r\n";
    if (bytes.substr(end + 4) != expected) return fault(who + " came with another body");
    const size_t at = header.find(" id ");
    if (!header.starts_with("Received:") || at == std::string_view::npos)
        return fault(who + " came without our Received: line");
    const std::string_view text =
        header.substr(at + 4, header.find_first_of(";\r ", at + 4) - at - 4);
    const auto id = parse_queue_id(text);
    if (!id) return fault(who + " came with a wrong queue id: " + std::string(text));
    learn_id(message, *id);
}

// ---- deaths

bool Ledger::is_recorded(Row& row, uint32_t number, const Attempt& attempt) {
    if (row.id == kNoMessage) learn_ids();
    if (row.id == kNoMessage) return false;
    const auto durable = house_.durable(row.id);
    if (!durable) return true;  // removed: every recipient is done
    if (!durable->has_state) return false;
    const PendingGroup* const group = group_of(*durable, row.recipients[number].address);
    if (group == nullptr) return true;
    if (attempt.end == Attempt::End::refused) return group->due_s == UINT32_MAX;
    return attempt.end != Attempt::End::taken && group->attempts > attempt.attempts_before;
}

// Nothing: the store is down.
std::optional<uint32_t> Ledger::attempts_on_disk(Row& row, uint32_t number) {
    if (!house_.store_is_up()) return std::nullopt;
    const auto durable = row.id == kNoMessage ? std::nullopt : house_.durable(row.id);
    const PendingGroup* const group =
        durable ? group_of(*durable, row.recipients[number].address) : nullptr;
    return group == nullptr ? 0 : group->attempts;
}

void Ledger::on_ending(SimProcess& process, bool crashed) {
    // An agent that goes while there is no qmgr takes along what it could not tell: as if it died.
    if (process.role() != Role::smtp || (!crashed && process.knows(Role::qmgr))) return;
    doubt(process.incarnation());
}

// What it heard and did not pass on may be done again.
void Ledger::doubt(uint32_t agent) {
    for (auto& [message, row] : rows_) {
        for (Recipient& recipient : row.recipients) {
            for (Attempt& attempt : recipient.attempts)
                attempt.unclear |= attempt.agent == agent && !attempt.excused;
        }
    }
    if (house_.store_is_up()) on_store_up();
}

void Ledger::on_qmgr_up(const SimProcess& qmgr) {
    house_.world().after(QmgrService::kAgentsPatienceUs - kJustInTimeUs,
                         [this, who = qmgr.incarnation(), up_us = house_.world().now_us()] {
                             look_for_the_unheard(who, up_us);
                         });
}

// Agents that could not say what they hold for the qmgr before this one: they have not moved since
// it came, and will not before it begins without them.
void Ledger::look_for_the_unheard(uint32_t qmgr, int64_t qmgr_up_us) {
    const int64_t begins_us = qmgr_up_us + QmgrService::kAgentsPatienceUs;
    const auto alive = house_.alive();
    if (std::none_of(alive.begin(), alive.end(),
                     [&](const SimProcess* each) { return each->incarnation() == qmgr; }))
        return;
    for (SimProcess* const agent : alive) {
        if (agent->role() != Role::smtp || agent->incarnation() > qmgr ||
            !agent->loop().stands_still(qmgr_up_us + kJustInTimeUs, begins_us))
            continue;
        unheard_[agent->incarnation()] = {begins_us, agent->loop().still_until_us()};
        note("unheard: " + agent->name());
        doubt(agent->incarnation());
    }
}

void Ledger::on_store_up() {
    for (auto& [message, row] : rows_) {
        for (uint32_t number = 0; number < row.recipients.size(); ++number) {
            for (Attempt& attempt : row.recipients[number].attempts) {
                // While it was down nothing was recorded.
                if (!attempt.attempts_before)
                    attempt.attempts_before = attempts_on_disk(row, number);
                if (!attempt.unclear) continue;
                attempt.unclear = false;
                attempt.excused = !is_recorded(row, number, attempt);
            }
        }
    }
}

// ---- the end

bool Ledger::all_settled() {
    if (!house_.store_is_up()) return false;
    for (const MessageId id : house_.ids()) {
        const auto durable = house_.durable(id);
        if (!durable || !durable->has_state) return false;
        for (const PendingGroup& group : durable->state.groups) {
            if (group.due_s != UINT32_MAX) return false;
        }
    }
    return true;
}

uint64_t Ledger::duplicates() const {
    uint64_t count = 0;
    for (const auto& [message, row] : rows_) {
        for (const Recipient& recipient : row.recipients) {
            const auto times = std::count_if(
                recipient.attempts.begin(), recipient.attempts.end(),
                [](const Attempt& attempt) { return attempt.end == Attempt::End::taken; });
            count += static_cast<uint64_t>(std::max<int64_t>(times - 1, 0));
        }
    }
    return count;
}

int64_t Ledger::slowest_us(std::string_view domain) const {
    int64_t slowest_us = 0;
    for (const auto& [message, row] : rows_) {
        for (const Recipient& recipient : row.recipients) {
            if (!row.acked || !recipient.address.ends_with("@" + std::string(domain))) continue;
            for (const Attempt& attempt : recipient.attempts) {
                if (attempt.end != Attempt::End::taken) continue;
                slowest_us = std::max(slowest_us, attempt.at_us - row.acked_us);
                break;
            }
        }
    }
    return slowest_us;
}

int64_t Ledger::longest_retry_us(std::string_view domain) const {
    int64_t longest_us = 0;
    for (const auto& [message, row] : rows_) {
        for (const Recipient& recipient : row.recipients) {
            if (!recipient.address.ends_with("@" + std::string(domain))) continue;
            for (size_t i = 1; i < recipient.attempts.size(); ++i)
                longest_us = std::max(
                    longest_us, recipient.attempts[i].at_us - recipient.attempts[i - 1].at_us);
        }
    }
    return longest_us;
}

void Ledger::judge_recipient(const Row& row, const Recipient& recipient,
                             const std::map<MessageId, House::Durable>& left,
                             const std::function<void(std::string)>& fail) {
    size_t times = 0;
    const Attempt* last = nullptr;
    bool refused = false;
    for (const Attempt& attempt : recipient.attempts) {
        refused |= attempt.end == Attempt::End::refused;
        if (attempt.end != Attempt::End::taken) continue;
        if (last != nullptr && last->heard() && !last->excused && !attempt.stale)
            fail(recipient.address +
                 " was delivered again, though the relay knew of the first time");
        if (!attempt.stale) last = &attempt;
        ++times;
    }
    const auto message = left.find(row.id);
    const PendingGroup* const group =
        message == left.end() ? nullptr : group_of(message->second, recipient.address);
    if (group != nullptr) {
        // A clock that was set back since may have seen its end.
        const int64_t wall_us = std::max(wall_high_us_, house_.world().wall_us());
        const bool expired = wall_us >= message->second.arrived_wall_us + limits_.lifetime_us;
        if (!refused && !expired)
            fail(recipient.address + " is held, though nobody refused it and its time is not over");
        ++held_;
    }
    if (row.acked && recipient.accepted && times == 0 && group == nullptr)
        fail(recipient.address + " was answered 250 and never arrived");
}

void Ledger::judge(const std::function<void(std::string)>& fail) {
    if (!fault_.empty()) fail(fault_);
    learn_ids();
    std::map<MessageId, House::Durable> left;
    for (const MessageId id : house_.ids()) {
        if (auto durable = house_.durable(id)) left.emplace(id, std::move(*durable));
    }
    for (auto& [message, row] : rows_) {
        for (const Recipient& recipient : row.recipients)
            judge_recipient(row, recipient, left, fail);
    }
}

}  // namespace posthaste::simulation
