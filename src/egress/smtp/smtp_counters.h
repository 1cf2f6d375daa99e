// egress/smtp/smtp_counters.h: what the agent counts; the order is that of the rows.
#pragma once

#include <array>

#include "runtime/counters.h"

namespace posthaste::smtp {

enum SmtpCounter : size_t {
    kJobsTaken,
    kRecipientsSent,
    kRecipientsDeferred,
    kRecipientsBounced,
    kJobsReturned,
    kConnectionsMade,
    kLanesOpen,
};

inline constexpr std::array<CounterRow, 7> kSmtpCounters{{
    {"jobs_taken", "jobs",
     "Messages handed over by qmgr, each for one or more recipients of one destination."},
    {"recipients_sent", "recipients", "Recipients whose message a server has taken."},
    {"recipients_deferred", "recipients", "Recipients whose attempt failed for now."},
    {"recipients_bounced", "recipients", "Recipients refused for good."},
    {"jobs_returned", "jobs", "Messages given back to qmgr without an attempt."},
    {"connections_made", "connections", "Connections begun to servers."},
    {"lanes_open", "lanes", "Lanes that qmgr has open here now.", CounterKind::gauge},
}};

}  // namespace posthaste::smtp
