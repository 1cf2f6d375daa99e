// scheduler/qmgr_counters.h: what `posthaste status` shows of qmgr.
#pragma once

#include "runtime/counters.h"

namespace posthaste {

enum QmgrCounter : size_t {
    kMessagesKnown,
    kMessagesActive,
    kMessagesParked,
    kJobsOut,
    kLanesOpen,
    kDestinationsKnown,
    kDestinationsDead,
    kOutcomesUnrecorded,
    kMemoryWaiting,
    kMessagesActivated,
    kMessagesLoaded,
    kJobsStarted,
    kJobsReturned,
    kRecipientsSent,
    kRecipientsDeferred,
    kRecipientsSuspended,
    kRecipientsBounced,
    kRecipientsExpired,
    kResolvesKnown,
    kResolvesAsked,
    kSitesDied,
};

inline constexpr CounterRow kQmgrCounters[] = {
    {"messages_known", "messages", "Messages in the queue as far as they are not on hold.",
     CounterKind::gauge},
    {"messages_active", "messages",
     "Loaded and being delivered; bounded by qmgr_message_active_limit.", CounterKind::gauge},
    {"messages_parked", "messages",
     "Waiting as an id because their destination has its share of the active queue.",
     CounterKind::gauge},
    {"jobs_out", "jobs", "Deliveries handed to an agent and not reported yet.", CounterKind::gauge},
    {"lanes_open", "lanes", "Connections' worth of concurrency at the agents, idle ones included.",
     CounterKind::gauge},
    {"destinations_known", "destinations",
     "With mail, or remembered for what was learned about them.", CounterKind::gauge},
    {"destinations_dead", "destinations", "Taken for dead; their mail waits for a probe.",
     CounterKind::gauge},
    {"outcomes_unrecorded", "outcomes", "Results that the store has not confirmed yet.",
     CounterKind::gauge},
    {"memory_waiting", "bytes", "Memory of the table of messages.", CounterKind::gauge},
    {"messages_activated", "messages", "Taken into the active queue, each attempt counted."},
    {"messages_loaded", "messages",
     "Asked of the store, because there was no room when they were announced, or for a retry."},
    {"jobs_started", "jobs", "Handed to an agent."},
    {"jobs_returned", "jobs",
     "Came back without an attempt: the connection broke before, or the agent died."},
    {"recipients_sent", "recipients", "Delivered."},
    {"recipients_deferred", "recipients", "Failed for now; an attempt was counted."},
    {"recipients_suspended", "recipients",
     "Deferred without an attempt since their destination is dead."},
    {"recipients_bounced", "recipients", "Refused for good."},
    {"recipients_expired", "recipients", "Out of time (maximal_queue_lifetime)."},
    {"resolves_known", "recipients", "Whose way was in the cache."},
    {"resolves_waited", "recipients", "That had to wait for rewrite."},
    {"sites_died", "destinations", "Verdicts that a destination is dead."},
};

}  // namespace posthaste
