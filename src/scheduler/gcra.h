// scheduler/gcra.h: a rate as one number (generic cell rate algorithm): the time at which the next
// event would be exactly on schedule. A refusal already says when it will be allowed, so nobody
// polls.
#pragma once

#include <cstdint>

namespace posthaste {

class Gcra {
 public:
    // One event every interval_us; burst_us is how far ahead of schedule events may run.
    // interval_us 0: no limit. The earliest time at which an event is allowed; ≤ now_us: now.
    int64_t allowed_at_us(int64_t burst_us = 0) const noexcept { return scheduled_us_ - burst_us; }

    void take(int64_t now_us, int64_t interval_us) noexcept {
        if (interval_us == 0) return;
        scheduled_us_ = (scheduled_us_ > now_us ? scheduled_us_ : now_us) + interval_us;
    }

 private:
    int64_t scheduled_us_ = INT64_MIN / 2;
};

// Whom the timers of destinations and transports call when their rate allows the next job.
class RateListener {
 public:
    virtual void on_destination_rate(uint32_t destination) = 0;
    virtual void on_transport_rate(uint32_t transport) = 0;

 protected:
    ~RateListener() = default;
};

}  // namespace posthaste
