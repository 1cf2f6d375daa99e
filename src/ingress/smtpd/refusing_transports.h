// ingress/smtpd/refusing_transports.h: recipients whose transport is error: or retry:, by
// transport_maps. RCPT says so, as in Postfix (smtpd_reject_unlisted_recipient), before anybody has
// answered for their mail.
//
// Opened in the prepare stage (tables are files), const afterwards. Costs nothing without
// transport_maps.
#pragma once

#include <string>
#include <string_view>

#include "runtime/settings/settings.h"

#include "lookup/transport_map.h"

namespace posthaste::smtpd {

class RefusingTransports {
 public:
    // False leaves it as it was, and the report says why.
    bool open(const Settings& settings, OpenReport& report);

    // "550 5.1.2 <a@b>: Recipient address rejected: no such place", without line end; empty: it has
    // another way. A table that can not say now refuses nobody: the queue will ask again.
    std::string refusal_of(std::string_view recipient) const;

 private:
    TransportMap transport_map_;
};

}  // namespace posthaste::smtpd
