// egress/smtp/delivery_log.h: Postfix's delivery line, one for each recipient and attempt
// (reference: bounce, qshape, pflogsumm and many a script read it):
//
//   ID: to=<r>, relay=mx[ip]:25, conn_use=2, delay=1.2, delays=a/b/c/d, dsn=2.0.0, status=sent (250 2.0.0 Ok)
//
// a before the active queue · b in the active queue · c connecting, greeting, EHLO · d transmission
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "egress/smtp/job.h"

namespace posthaste::smtp {

struct DeliveryTimes {
    int64_t connect_began_wall_us = 0;  // 0: the job found a connection ready
    int64_t ready_wall_us = 0;
    int64_t done_wall_us = 0;
};

// `relay` is "mx[ip]:25" or "none"; conn_use counts messages over this connection, shown from 2 on.
void format_delivery_line(const Job& job, size_t recipient, std::string_view relay,
                          uint32_t conn_use, const DeliveryTimes& times, std::string& out);

}  // namespace posthaste::smtp
