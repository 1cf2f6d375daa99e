#include "ingress/smtpd/smtpd_counters.h"

namespace posthaste::smtpd {

std::span<const CounterRow> smtpd_counter_rows() {
    static constexpr CounterRow kRows[] = {
        {"connections", "connections", "Clients that were greeted."},
        {"connections_refused", "connections",
         "Clients sent away with 421 before a greeting: a limit was reached."},
        {"sessions_open", "sessions", "Sessions there are now.", CounterKind::gauge},
        {"commands", "commands", "Command lines read, wrong ones included."},
        {"errors", "commands", "Commands refused, whatever the reason."},
        {"messages_accepted", "messages", "Messages answered 250: they are on stable storage."},
        {"messages_refused", "messages", "Messages answered 5xx behind their last byte."},
        {"messages_deferred", "messages", "Messages answered 4xx behind their last byte."},
        {"recipients_accepted", "recipients", "RCPT answered 250."},
        {"recipients_refused", "recipients", "RCPT answered 4xx or 5xx."},
        {"message_bytes", "bytes", "Content of accepted messages, as it will be sent."},
        {"connections_lost", "connections", "Clients that vanished without QUIT."},
        {"timeouts", "connections", "Clients that were silent for smtpd_timeout."},
        {"arena_waits", "times", "A session stopped reading because the arena was full."},
        {"submissions_void", "messages",
         "Messages whose cleanup died before it answered: 451, quarantined."},
        {"cleanup_time", "us",
         "From handing messages to cleanup to its 250, summed over them: queue and disk within."},
        {"arena_blocks_used", "blocks", "Holding messages when the last one was answered.",
         CounterKind::gauge},
    };
    return kRows;
}

}  // namespace posthaste::smtpd
