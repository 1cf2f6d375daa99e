// mail/wire/delivery_job.h: qmgr → delivery agents (smtp, local, virtual, pipe, error, discard).
//
//   qmgr ── LaneOpen ─────► agent     one connection's worth of concurrency towards a destination
//   qmgr ── DeliveryJob ──► agent     one message for some recipients, on that lane; up to kLaneDepth
//                                     unreported jobs a lane, so the connection never waits for qmgr
//   qmgr ── LaneClose ────► agent     no more mail: finish what you hold, then close politely
//   qmgr ── ReportTaken ──► agent     reports up to this sequence need not be kept any longer
//
// The bytes stay in the store's arena, lent until the report is taken.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "mail/wire/extent.h"
#include "mail/wire/host.h"

namespace posthaste::wire {

inline constexpr uint32_t kLaneDepth = 2;

struct LaneOpen {
    static constexpr uint16_t kType = 1;
    uint32_t lane = 0;           // chosen by qmgr, unique within its life
    std::string_view transport;  // master.cf name: "smtp", "relay"; agents serve all alike
    std::string_view nexthop;    // as in logs: "example.com", "[127.0.0.1]:2526"
    bool others_work = false;    // other connections to the site have taken mail
    std::vector<Host> hosts;     // in the order to be tried

    template <class Codec>
    void visit(Codec& codec) {
        codec(lane);
        codec.text(transport, 64);
        codec.text(nexthop, 300);
        codec(others_work);
        codec.list(hosts, kHostsMax);
    }
};

struct JobRecipient {
    uint32_t number = 0;  // in the envelope
    std::string_view address;
    std::string_view original_recipient;
    uint8_t notify = kNotifyUnset;

    template <class Codec>
    void visit(Codec& codec) {
        codec(number);
        codec.text(address, 512);
        codec.text(original_recipient, 1024);
        codec(notify);
    }
};

struct DeliveryJob {
    static constexpr uint16_t kType = 2;
    uint32_t lane = 0;
    uint64_t job = 0;  // unique within qmgr's life
    MessageId id = kNoMessage;
    int64_t arrived_wall_us = 0;  // for delay= and delays=a/b/c/d
    int64_t active_wall_us = 0;
    uint64_t size_bytes = 0;
    bool smtputf8 = false;
    bool body_8bit = false;
    DsnReturn dsn_return = DsnReturn::unset;
    std::string_view envelope_id;
    std::string_view sender;
    std::vector<JobRecipient> recipients;
    std::vector<Extent> content;  // in the store's arena

    template <class Codec>
    void visit(Codec& codec) {
        codec(lane);
        codec(job);
        codec(id);
        codec(arrived_wall_us);
        codec(active_wall_us);
        codec(size_bytes);
        codec(smtputf8);
        codec(body_8bit);
        codec(dsn_return);
        codec.text(envelope_id, 256);
        codec.text(sender, 512);
        codec.list(recipients, kRecipientsMax);
        codec.list(content, kExtentsMax);
    }
};

struct LaneClose {
    static constexpr uint16_t kType = 3;
    uint32_t lane = 0;

    template <class Codec>
    void visit(Codec& codec) {
        codec(lane);
    }
};

struct ReportTaken {
    static constexpr uint16_t kType = 4;
    uint64_t sequence = 0;

    template <class Codec>
    void visit(Codec& codec) {
        codec(sequence);
    }
};

}  // namespace posthaste::wire
