// ingress/smtpd/smtpd_counters.h: what smtpd counts about itself, one row each
// (runtime/counters.h).
#pragma once

#include <span>

#include "runtime/counters.h"

namespace posthaste::smtpd {

enum class SmtpdCounter : uint8_t {
    connections,
    connections_refused,
    sessions_open,
    commands,
    errors,
    messages_accepted,
    messages_refused,
    messages_deferred,
    recipients_accepted,
    recipients_refused,
    message_bytes,
    connections_lost,
    timeouts,
    arena_waits,
    submissions_void,
    cleanup_time,
    arena_blocks_used,
};

// In the order of SmtpdCounter.
std::span<const CounterRow> smtpd_counter_rows();

}  // namespace posthaste::smtpd
