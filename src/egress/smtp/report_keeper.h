// egress/smtp/report_keeper.h: what the agent has to tell qmgr, kept until qmgr has taken it.
//
// Reports survive qmgr: to a new one they are all sent again (a report whose message is gone is
// ignored there). LaneClosed concerns one qmgr only and is forgotten with it. Bounded by what qmgr
// hands over: an agent takes no new job without a qmgr, so at most one report for each job it
// holds.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "mail/wire/delivery_report.h"
#include "runtime/peers.h"

namespace posthaste::smtp {

class ReportKeeper {
 public:
    // Fills in the sequence number.
    void add(wire::DeliveryReport& report);
    void add(const wire::LaneClosed& closed);
    // Before everything that is not sent yet: on the way up of a qmgr, before the first flush().
    void add_first(const wire::JobsHeld& held);

    // As much as fits. Called after add(), on_room() and on the way up of a qmgr.
    void flush(Peer* qmgr);
    void on_taken(uint64_t sequence);
    // Everything not taken will be sent anew, as of a former qmgr's lane: the next one numbers its
    // lanes from 1 again.
    void on_qmgr_gone();

    // visit(const wire::DeliveryReport&) for each that is not taken, oldest first.
    template <class Visit>
    void each_report(Visit&& visit) const {
        for (const Record& record : records_) {
            wire::DeliveryReport report;
            if (record.sequence != 0 && wire::decode(record.bytes, report)) visit(report);
        }
    }

    bool empty() const noexcept { return records_.empty() && first_.empty(); }

 private:
    struct Record {
        uint64_t sequence;  // 0: not kept once sent
        uint16_t type;
        std::string bytes;
    };

    std::deque<Record> first_;  // to be sent before records_, kept until then only
    std::deque<Record> records_;
    size_t sent_ = 0;  // how many from the front have been sent to this qmgr
    uint64_t sequence_ = 0;
};

}  // namespace posthaste::smtp
