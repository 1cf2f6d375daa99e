// When mail is tried, how often and how much of it at once.
//
// "default_X" holds for each transport without an "<transport>_X" of its own.
#include "runtime/settings/parameters.h"

namespace posthaste::parameters {

std::span<const ParameterRow> queue() {
    using enum ParameterKind;
    using enum Applies;
    static constexpr ParameterRow kRows[] = {
        {"minimal_backoff_time", time, "300s", 1, kIntMax, live, "The first pause before a retry."},
        {"maximal_backoff_time", time, "4000s", 1, kIntMax, live,
         "The longest pause before a retry."},
        {"maximal_queue_lifetime", time, "5d", 0, 8640 * kDayS, live,
         "How long a message is tried; then it is returned. 0: one attempt. A bare number means "
         "days."},
        {"bounce_queue_lifetime", time, "5d", 0, 8640 * kDayS, live,
         "The same for mail from the empty sender. A bare number means days."},
        {"queue_run_delay", time, "300s", 1, kIntMax, live,
         "Accepted so that a Postfix main.cf loads. Nothing is scanned here: retries are due to "
         "the second."},
        {"defer_transports", text, "", 0, 0, live,
         "Transports whose mail waits until it is flushed."},
        {"qmgr_message_active_limit", integer, "20000", 1, kIntMax, live,
         "Messages in the active queue; the rest waits in the store."},
        {"initial_destination_concurrency", integer, "5", 1, kIntMax, live,
         "Deliveries at once to a destination we know nothing of yet."},
        {"default_destination_concurrency_limit", integer, "20", 0, kIntMax, live,
         "Most deliveries at once to one destination; 0: no limit."},
        {"default_destination_concurrency_failed_cohort_limit", integer, "1", 0, kIntMax, live,
         "Windows' worth of failures in a row after which a destination is taken for dead; 0: "
         "never."},
        {"default_destination_concurrency_positive_feedback", text, "1", 0, 0, live,
         "How much a success widens the window: a number, or number/concurrency."},
        {"default_destination_concurrency_negative_feedback", text, "1", 0, 0, live,
         "How much a failure narrows the window: a number, or number/concurrency."},
        {"default_destination_recipient_limit", integer, "50", 0, kIntMax, live,
         "Recipients of one delivery; 0: as many as a message has. Unlike Postfix's, 1 does not "
         "change what a destination is: limits of concurrency and rate stay those of the domain."},
        {"default_destination_rate_delay", time, "0s", 0, kIntMax, live,
         "Pause between deliveries to one destination. Unlike Postfix's it may be below a second: "
         "100ms."},
        {"default_transport_rate_delay", time, "0s", 0, kIntMax, live,
         "Pause between deliveries of a whole transport; may be below a second."},
        {"local_destination_concurrency_limit", integer, "2", 0, kIntMax, live,
         "Deliveries at once to one local mailbox."},
        {"local_destination_recipient_limit", integer, "1", 0, kIntMax, live,
         "Recipients of one local delivery."},
    };
    return kRows;
}

}  // namespace posthaste::parameters
