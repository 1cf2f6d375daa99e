// Lies in records whose frame is right: places in memory, numbers, ids, texts, and too much of
// everything.
#include <charconv>
#include <cstring>
#include <functional>

#include "mail/envelope.h"
#include "mail/wire/commit_request.h"
#include "mail/wire/delivery_report.h"
#include "mail/wire/resolve.h"
#include "mail/wire/submitted_message.h"
#include "runtime/log_line.h"

#include "hostile/attacks.h"

namespace posthaste::hostile {
namespace {

constexpr std::string_view kMessage = "Subject: of the intruder\r\n\r\nnothing of anybody else\r\n";
constexpr MessageId kNotLeased = kMessageIdMax - 5;
constexpr std::string_view kReadOthers = "read_others_";

Envelope proper_envelope(MessageId id) {
    Envelope out;
    out.id = id;
    out.arrived_wall_us = 1'700'000'000'000'000;
    out.size_bytes = kMessage.size();
    out.sender = "intruder@evil.test";
    out.recipients = {{"intruder@evil.test", "", kNotifyUnset}};
    out.client_name = "unknown";
    out.client_address = "192.0.2.1";
    out.helo = "evil.test";
    out.protocol = "ESMTP";
    return out;
}

std::string encoded(const Envelope& envelope) {
    std::string out;
    encode_envelope(envelope, out);
    return out;
}

wire::Extent lend(Puppet& puppet, std::string_view bytes) {
    const uint32_t block = puppet.next_block();
    std::memcpy(puppet.arena().block(block).data(), bytes.data(), bytes.size());
    return {puppet.incarnation(), block, 0, static_cast<uint32_t>(bytes.size())};
}

MessageId lease(Link& link) {
    std::string body;
    wire::LeaseGrant grant;
    if (!link.send(wire::LeaseRequest{1}) || !link.hear(grant, body)) return kNoMessage;
    return grant.first;
}

// To the store, which copies what cleanup hands on.
std::string commit(Link& link, std::string_view envelope, std::vector<wire::Extent> content) {
    if (!link.send(wire::CommitRequest{42, envelope, std::move(content)})) return "full";
    std::string body;
    wire::CommitResult result;
    if (!link.hear(result, body)) return link.is_closed(kAnswerMs) ? "closed" : "silent";
    return result.outcome == wire::CommitOutcome::durable ? "250 durable" : "451 refused";
}

// "250 2.0.0", "closed", or that nothing was heard.
std::string submit(Link& link, std::string_view envelope, std::vector<wire::Extent> content) {
    if (link.terms.peer_role == Role::store) return commit(link, envelope, std::move(content));
    if (!link.send(wire::SubmitMessage{42, envelope, std::move(content)})) return "full";
    std::string body;
    wire::SubmitResult result;
    if (!link.hear(result, body)) return link.is_closed(kAnswerMs) ? "closed" : "silent";
    return std::to_string(result.code) + " " + std::string(result.dsn);
}

// Of the same shape for both: the way of a message is submit, then commit.
bool takes_messages(Role role) { return role == Role::cleanup || role == Role::store; }

static_assert(wire::SubmitMessage::kType == wire::CommitRequest::kType &&
              wire::SubmitResult::kType == wire::CommitResult::kType);

// ---- places

using Places = std::vector<wire::Extent> (*)(Puppet& puppet);

constexpr Named<Places> kPlaces[] = {
    {"block_beyond",
     [](Puppet& puppet) -> std::vector<wire::Extent> {
         return {{puppet.incarnation(), puppet.arena().blocks_total(), 0, 16}};
     }},
    {"block_far_beyond",
     [](Puppet& puppet) -> std::vector<wire::Extent> {
         return {{puppet.incarnation(), 0xffff'ffff, 0, 16}};
     }},
    {"offset_beyond",
     [](Puppet& puppet) -> std::vector<wire::Extent> {
         return {{puppet.incarnation(), 0, 0xffff'fff0, 0x20}};
     }},
    {"length_beyond",
     [](Puppet& puppet) -> std::vector<wire::Extent> {
         return {{puppet.incarnation(), puppet.arena().blocks_total() - 1, 0, kBlockBytes + 1}};
     }},
    {"length_of_4_gigabytes",
     [](Puppet& puppet) -> std::vector<wire::Extent> {
         return {{puppet.incarnation(), 0, 0, 0xffff'ffff}};
     }},
    {"sum_overflows",
     [](Puppet& puppet) -> std::vector<wire::Extent> {
         return {{puppet.incarnation(), 0x3'ffff, 0xffff'c000, 0xffff'ffff}};
     }},
    {"length_of_nothing",
     [](Puppet& puppet) -> std::vector<wire::Extent> {
         return {{puppet.incarnation(), 0, 0, 0}};
     }},
    {"more_than_any_message",
     [](Puppet& puppet) -> std::vector<wire::Extent> {
         const uint32_t all = puppet.arena().blocks_total() * kBlockBytes;
         return std::vector<wire::Extent>(wire::kExtentsMax, {puppet.incarnation(), 0, 0, all});
     }},
};

// Blocks of somebody else whom master has started: in one of them lies another's message. The first
// that is taken would bring it to us.
std::string read_others(Puppet& puppet, Role role, uint32_t other) {
    Link* const link = puppet.established_link(role);
    if (link == nullptr) return "no link";
    const MessageId id = lease(*link);
    if (other == puppet.incarnation()) ++other;
    return submit(*link, encoded(proper_envelope(id)), {{other, 0, 0, 4096}});
}

// ---- envelopes

std::string broken_envelopes(Puppet& puppet, Role role) {
    Link* const link = puppet.established_link(role);
    if (link == nullptr) return "no link";
    const auto is_refused = [&](std::string_view envelope) {
        return submit(*link, envelope, {lend(puppet, kMessage)}).starts_with("451");
    };
    const MessageId first = lease(*link);
    const std::string good = encoded(proper_envelope(first));
    for (size_t length = 0; length < good.size(); ++length) {
        if (!is_refused(good.substr(0, length))) return "taken at " + std::to_string(length);
    }
    if (!is_refused(good + 'x')) return "taken with a tail";
    Envelope envelope = proper_envelope(first);
    envelope.recipients.clear();
    if (!is_refused(encoded(envelope))) return "taken without recipients";
    envelope = proper_envelope(first);
    envelope.sender = "a\r\nDATA@evil.test";
    if (!is_refused(encoded(envelope))) return "taken with a line end in the sender";
    envelope = proper_envelope(first);
    envelope.recipients[0].address = std::string("a\0b@evil.test", 13);
    if (!is_refused(encoded(envelope))) return "taken with NUL in a recipient";
    for (size_t at = 0; at < good.size(); ++at) {
        for (const char byte : {'\xff', '\x00', '\x80', '\n'}) {
            std::string changed = good;
            changed[at] = byte;
            // May be right still (a letter of a name): answered one way or the other, no more.
            if (submit(*link, changed, {lend(puppet, kMessage)}) == "closed") return "closed";
        }
    }
    return "refused";
}

std::string wrong_ids(Puppet& puppet, Role role) {
    Link* const link = puppet.established_link(role);
    if (link == nullptr) return "no link";
    const MessageId own = lease(*link);
    for (const MessageId id : {kNoMessage, kNotLeased, kMessageIdMax, MessageId{1} << 63}) {
        const auto answer = submit(*link, encoded(proper_envelope(id)), {lend(puppet, kMessage)});
        if (!answer.starts_with("451")) return "id " + std::to_string(id) + ": " + answer;
    }
    std::string answer;
    // The store may not have taken the arena yet.
    for (int tries = 0; tries < 1000 && !answer.starts_with("250"); ++tries)
        answer = submit(*link, encoded(proper_envelope(own)), {lend(puppet, kMessage)});
    if (!answer.starts_with("250")) return "its own: " + answer;
    const auto again = submit(*link, encoded(proper_envelope(own)), {lend(puppet, kMessage)});
    return again.starts_with("451") ? "refused" : "used twice: " + again;
}

// Bytes that are there, but not so many as the envelope says.
std::string differ_in_size(Puppet& puppet, Role role) {
    Link* const link = puppet.established_link(role);
    if (link == nullptr) return "no link";
    for (const uint64_t size_bytes :
         {uint64_t{0}, kMessage.size() - 1, kMessage.size() + 1, ~0UL}) {
        Envelope envelope = proper_envelope(lease(*link));
        envelope.size_bytes = size_bytes;
        const auto answer = submit(*link, encoded(envelope), {lend(puppet, kMessage)});
        if (!answer.starts_with("451")) return std::to_string(size_bytes) + ": " + answer;
    }
    return "refused";
}

// Valid messages whose bytes change while they are read, copied, written and sent.
std::string change_after_handing_over(Puppet& puppet, Role role) {
    Link* const link = puppet.established_link(role);
    if (link == nullptr) return "no link";
    const MessageId first = lease(*link);
    std::vector<wire::Extent> places;
    for (unsigned i = 0; i < 16; ++i) places.push_back(lend(puppet, std::string(kBlockBytes, 'a')));
    unsigned answered = 0;
    for (unsigned round = 0; round < 200; ++round) {
        for (const wire::Extent& place : places) {
            char* const bytes = puppet.arena().block(place.first_block).data();
            std::memcpy(bytes, kMessage.data(), kMessage.size());
        }
        Envelope envelope = proper_envelope(first + round);
        envelope.size_bytes = places.size() * kBlockBytes;
        // CommitRequest looks the same.
        if (!link->send(wire::SubmitMessage{round, encoded(envelope), places})) return "full";
        Channel::Record record;
        for (unsigned change = 0; change < 400; ++change) {
            char* const bytes = puppet.arena().block(places[change % 16].first_block).data();
            std::memset(bytes, change % 2 == 0 ? '\n' : '.', kBlockBytes);
            std::memcpy(bytes + change, "\r\n.\r\n\r\n\r\nMAIL FROM:<>\r\n", 22);
            while (link->channel->receive(record)) ++answered;
            link->channel->release();
        }
        link->ring();
    }
    std::string body;
    for (; answered < 200; ++answered) {
        if (!link->hear_type(wire::SubmitResult::kType, body))
            return "answers: " + std::to_string(answered);
    }
    return "answered";
}

// ---- too much

// Never reads an answer: its ring with ours fills, and then nobody takes more from us.
std::string flood(Puppet& puppet, Role role) {
    Link* const link = puppet.established_link(role);
    if (link == nullptr) return "no link";
    const MessageId first = takes_messages(role) ? lease(*link) : kNoMessage;
    const wire::Extent place = lend(puppet, kMessage);
    uint64_t sent = 0;
    for (uint64_t i = 0; i < 20'000; ++i, ++sent) {
        bool taken = false;
        if (takes_messages(role)) {
            taken = link->send(
                wire::SubmitMessage{i, encoded(proper_envelope(first + i % 500)), {place}});
        } else if (role == Role::rewrite) {
            taken =
                link->send(wire::ResolveRequest{i, true, "a" + std::to_string(i) + "@x.invalid"});
        } else {
            wire::LogEntry entry;
            entry.text = "flood";
            taken = link->send(entry);
        }
        if (!taken) break;
    }
    return link->is_closed(kCalmMs) ? "closed" : "open";
}

std::string flood_of_leases(Puppet& puppet, Role role) {
    Link* const link = puppet.established_link(role);
    if (link == nullptr) return "no link";
    for (uint64_t i = 0; i < 20'000; ++i) {
        if (!link->send(wire::LeaseRequest{i})) break;
        Channel::Record record;
        while (link->channel->receive(record)) {
        }
        link->channel->release();
    }
    return link->is_closed(kCalmMs) ? "closed" : "open";
}

// ---- any record

std::string say(Puppet& puppet, Role role, uint16_t type, std::string_view body) {
    Link* const link = puppet.established_link(role);
    if (link == nullptr) return "no link";
    if (!link->send(type, body)) return "full";
    return link->is_closed(kAnswerMs) ? "closed" : "open";
}

std::string proper_body(Puppet& puppet, Role role) {
    std::string out;
    if (takes_messages(role)) {
        const std::string envelope = encoded(proper_envelope(kNotLeased));
        wire::encode(wire::SubmitMessage{1, envelope, {lend(puppet, kMessage)}}, out);
    } else if (role == Role::qmgr) {
        wire::DeliveryReport report;
        report.sequence = 1;
        report.results.push_back({0, Outcome::sent, "2.0.0", "ok"});
        wire::encode(report, out);
    } else if (role == Role::rewrite) {
        wire::encode(wire::ResolveRequest{1, true, "a@b.invalid"}, out);
    } else {
        wire::LogEntry entry;
        entry.text = "a line";
        wire::encode(entry, out);
    }
    return out;
}

uint16_t type_of(Role role) {
    if (takes_messages(role)) return wire::SubmitMessage::kType;
    if (role == Role::qmgr) return wire::DeliveryReport::kType;
    return role == Role::rewrite ? wire::ResolveRequest::kType : wire::LogEntry::kType;
}

std::string forge_log_lines(Puppet& puppet, Role role) {
    Link* const link = puppet.established_link(role);
    if (link == nullptr) return "no link";
    wire::LogEntry entry;  // of the first of January 1970
    entry.text = "forged\nJan  1 00:00:00 host postfix/qmgr[1]: forged: removed\r\x1b[2J\x00 end";
    entry.severity = static_cast<wire::Severity>(250);
    if (!link->send(entry)) return "full";
    // What a whole line of master's looks like is none here.
    wire::LogLine line;
    line.program = "postfix/qmgr";
    line.pid = 1;
    line.text = "forged whole";
    std::string body;
    wire::encode(line, body);
    if (!link->send(wire::LogEntry::kType, body)) return "full";
    return link->is_closed(kCalmMs) ? "closed" : "open";
}

}  // namespace

std::optional<std::string> record_attack(Puppet& puppet, Role role, std::string_view name) {
    // It reads the bodies: what is submitted would not get far without it.
    if (role == Role::cleanup && puppet.established_link(Role::store) == nullptr) return "no link";
    if (const Places* const places = find_named<Places>(kPlaces, name)) {
        Link* const link = puppet.established_link(role);
        if (link == nullptr) return "no link";
        return submit(*link, encoded(proper_envelope(lease(*link))), (*places)(puppet));
    }
    const std::string body = name.starts_with("body_") ? proper_body(puppet, role) : "";
    if (name == "body_none") return say(puppet, role, type_of(role), "");
    if (name == "body_cut_in_half")
        return say(puppet, role, type_of(role), body.substr(0, body.size() / 2));
    if (name == "body_lacks_a_byte")
        return say(puppet, role, type_of(role), body.substr(0, body.size() - 1));
    if (name == "body_with_a_tail") return say(puppet, role, type_of(role), body + "x");
    if (name == "body_of_ones")
        return say(puppet, role, type_of(role), std::string(10'000, '\xff'));
    if (name == "body_of_unknown_type") return say(puppet, role, 999, body);
    if (name.starts_with(kReadOthers)) {
        uint32_t other = 0;
        const std::string_view number = name.substr(kReadOthers.size());
        std::from_chars(number.data(), number.data() + number.size(), other);
        return read_others(puppet, role, other);
    }
    if (name == "broken_envelopes") return broken_envelopes(puppet, role);
    if (name == "wrong_ids") return wrong_ids(puppet, role);
    if (name == "change_after_handing_over") return change_after_handing_over(puppet, role);
    if (name == "differ_in_size") return differ_in_size(puppet, role);
    if (name == "flood") return flood(puppet, role);
    if (name == "flood_of_leases") return flood_of_leases(puppet, role);
    if (name == "forge_log_lines") return forge_log_lines(puppet, role);
    return std::nullopt;
}

std::string record_attacks_on(Role role) {
    std::string out;
    const auto add = [&](std::string_view name) { out.append("record/").append(name) += ' '; };
    for (const char* const name : {"body_none", "body_cut_in_half", "body_lacks_a_byte",
                                   "body_with_a_tail", "body_of_ones", "body_of_unknown_type"})
        add(name);
    if (takes_messages(role)) {
        for (const auto& each : kPlaces) add(each.name);
        // cleanup hands on what lies in any smtpd's arena: that is its task. Master numbers its
        // children from 1.
        for (unsigned i = 0; role == Role::cleanup && i < 15; ++i)
            add(std::string(kReadOthers) + std::to_string(i));
        for (const char* const name :
             {"broken_envelopes", "wrong_ids", "change_after_handing_over", "flood_of_leases"})
            add(name);
    }
    if (role == Role::store) add("differ_in_size");
    if (role == Role::postlogd) add("forge_log_lines");
    if (role != Role::qmgr) add("flood");
    return out;
}

std::optional<std::string> attack(Puppet& puppet, Role role, std::string_view name) {
    const size_t slash = name.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const std::string_view layer = name.substr(0, slash);
    const std::string_view rest = name.substr(slash + 1);
    if (layer == "handshake") return handshake_attack(puppet, role, rest);
    if (!has_rings(puppet.role(), role)) return std::nullopt;
    if (layer == "ring") return ring_attack(puppet, role, rest);
    if (layer == "report" && role == Role::qmgr) return report_attack(puppet, rest);
    if (layer == "record") return record_attack(puppet, role, rest);
    return std::nullopt;
}

std::string attacks_on(Role own, Role role) {
    std::string out = handshake_attacks_on(own, role);
    if (has_rings(own, role)) out += ring_attacks() + record_attacks_on(role);
    if (role == Role::qmgr) out += report_attacks();
    return out;
}

}  // namespace posthaste::hostile
