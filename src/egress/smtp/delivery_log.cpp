#include "egress/smtp/delivery_log.h"

#include <algorithm>

#include "mail/address.h"
#include "mail/delay_text.h"
#include "mail/queue_id.h"

namespace posthaste::smtp {

void format_delivery_line(const Job& job, size_t recipient, std::string_view relay,
                          uint32_t conn_use, const DeliveryTimes& times, std::string& out) {
    const DeliveryStatus& status = job.recipients[recipient].status;
    const int64_t arrived = job.wire.arrived_wall_us;
    const int64_t active = std::max(job.wire.active_wall_us, arrived);
    const int64_t begun = std::max(job.begun_wall_us, active);
    const bool connected = times.connect_began_wall_us != 0;
    const int64_t connect = connected ? std::max(times.connect_began_wall_us, begun) : begun;
    const int64_t ready = connected ? std::max(times.ready_wall_us, connect) : connect;
    const int64_t done = std::max(times.done_wall_us, ready);

    out = queue_id_text(job.wire.id);
    out += ": to=<";
    append_external(out, job.wire.recipients[recipient].address);
    out += ">, relay=";
    out += relay;
    if (conn_use > 1) {
        out += ", conn_use=";
        out += std::to_string(conn_use);
    }
    out += ", delay=";
    out += delay_text(done - arrived);
    out += ", delays=";
    out += delay_text(active - arrived);
    out += '/';
    out += delay_text(connect - active);
    out += '/';
    out += delay_text(ready - connect);
    out += '/';
    out += delay_text(done - ready);
    out += ", dsn=";
    out += status.dsn;
    out += ", status=";
    out += name_of(status.outcome);
    out += " (";
    out += status.text;
    out += ')';
}

}  // namespace posthaste::smtp
