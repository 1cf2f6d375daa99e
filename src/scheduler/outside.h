// scheduler/outside.h: all that the scheduler needs of the world: clocks, and somebody to tell. The
// service implements it with peers and rings, the tests and benchmarks with a world of their own.
//
// A call that answers false means "no room now": nothing was done, the scheduler waits for the
// matching on_…_room(). Implementations do not call back into the scheduler from inside these
// calls.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "mail/wire/queued_message.h"

#include "scheduler/destination.h"
#include "scheduler/message.h"
#include "scheduler/transport.h"

namespace posthaste {

class Outside {
 public:
    virtual int64_t now_us() const = 0;
    virtual int64_t wall_us() const = 0;
    virtual uint64_t random() = 0;
    virtual TransportConfig transport_config(std::string_view name) = 0;
    virtual void log(std::string_view line) = 0;
    virtual void warn(std::string_view line) = 0;
    // Call Scheduler::dispatch() before this turn ends: there is work that no input of this turn
    // has announced.
    virtual void want_dispatch() = 0;

    // Store.
    virtual bool load(MessageId id) = 0;
    virtual void release_content(MessageId id) = 0;
    // Kept and replayed until recorded. Returns its sequence number.
    virtual uint64_t record(wire::RecordOutcome& outcome, bool final) = 0;
    virtual size_t unrecorded() const = 0;
    // The message table was full and is no more: what was not taken in must be listed again.
    virtual void want_scan() = 0;

    // Agents, by incarnation.
    virtual bool open_lane(uint32_t agent, uint32_t lane, const Transport& transport,
                           const Destination& destination) = 0;
    virtual bool start_job(uint32_t agent, uint32_t lane, uint64_t job, const Message& message,
                           std::span<const uint32_t> recipients) = 0;
    virtual void close_lane(uint32_t agent, uint32_t lane) = 0;
    // What this report said is covered by that outcome (0: by nothing, it may be forgotten at
    // once).
    virtual void report_covered(const Receipt& receipt, uint64_t outcome_sequence) = 0;

    // Rewrite.
    virtual bool resolve(uint64_t cookie, std::string_view recipient) = 0;

 protected:
    ~Outside() = default;
};

}  // namespace posthaste
