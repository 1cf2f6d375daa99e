// mail/wire/delivery_report.h: delivery agents → qmgr.
//
//   agent ── DeliveryReport ─► qmgr     one job is over: what became of each of its recipients
//   agent ── LaneClosed ─────► qmgr     the connection is gone (or never came to be); jobs of the lane that
//                                       were not begun have been reported with attempted = false
//   agent ── JobsHeld ───────► qmgr     to a new qmgr: the jobs of the one before it that it will report
//                                       yet, each with one report of lane 0: those being delivered, and
//                                       those whose report nobody took; `last` ends the only list
//
// An agent keeps every report until it is taken and hands the rest to a new qmgr: sequence numbers
// ascend without gaps within the agent's life. A report of lane 0 for a job that was not listed, or
// a second one, is against the rules.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mail/delivery_status.h"
#include "mail/envelope.h"
#include "mail/queue_state.h"

namespace posthaste::wire {

struct RecipientResult {
    uint32_t number = 0;
    Outcome outcome = Outcome::deferred;
    std::string_view dsn;
    std::string_view text;

    template <class Codec>
    void visit(Codec& codec) {
        codec(number);
        codec(outcome);
        codec.text(dsn, 16);
        codec.text(text, kReasonBytesMax);
    }
};

struct DeliveryReport {
    static constexpr uint16_t kType = 1;
    uint64_t sequence = 0;
    uint32_t lane = 0;  // 0: of a former qmgr's lane
    uint64_t job = 0;
    MessageId id = kNoMessage;
    bool attempted = true;    // false: the lane broke before this job's MAIL; no attempt is counted
    bool hop_failed = false;  // connect, greeting, EHLO failed, or the connection was lost: counts
                              // against the destination's concurrency, not against the message
    std::vector<RecipientResult> results;

    template <class Codec>
    void visit(Codec& codec) {
        codec(sequence);
        codec(lane);
        codec(job);
        codec(id);
        codec(attempted);
        codec(hop_failed);
        codec.list(results, kRecipientsMax);
    }
};

struct LaneClosed {
    static constexpr uint16_t kType = 2;
    uint32_t lane = 0;
    bool hop_failed = false;   // every host refused or could not be reached
    bool agent_stops = false;  // open no other lane there; it says nothing about the destination
    std::string_view dsn;      // why, for mail that waits: "4.4.1"
    std::string_view text;     // "connect to x[ip]:25: Connection refused"
    bool crowded = false;      // every host refused, while other connections to the site work

    template <class Codec>
    void visit(Codec& codec) {
        codec(lane);
        codec(hop_failed);
        codec(agent_stops);
        codec.text(dsn, 16);
        codec.text(text, kReasonBytesMax);
        codec(crowded);
    }
};

struct HeldJob {
    MessageId id = kNoMessage;
    uint64_t job = 0;
    std::vector<uint32_t> recipients;  // whom its report may name

    template <class Codec>
    void visit(Codec& codec) {
        codec(id);
        codec(job);
        codec.list(recipients, kRecipientsMax);
    }
};

struct JobsHeld {
    static constexpr uint16_t kType = 3;
    std::vector<HeldJob> jobs;
    bool last = true;

    template <class Codec>
    void visit(Codec& codec) {
        codec.list(jobs, 1024);
        codec(last);
    }
};

}  // namespace posthaste::wire
