// ingress/smtpd/refusing_transports.h: recipients whose transport is error: or retry:, by
// transport_maps or as the transport of their class (local_transport, relay_transport,
// default_transport). RCPT says so, as in Postfix (smtpd_reject_unlisted_recipient), before anybody
// has answered for their mail.
//
// Opened in the prepare stage (tables are files), const afterwards. Costs nothing where there are
// neither transport_maps nor such a class.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "runtime/settings/settings.h"

#include "lookup/transport_map.h"

namespace posthaste::smtpd {

enum class RecipientClass : uint8_t { local, relay, other };

class RefusingTransports {
 public:
    using ClassOf = std::function<RecipientClass(std::string_view recipient)>;

    // False leaves it as it was, and the report says why.
    bool open(const Settings& settings, OpenReport& report);

    // "550 5.1.2 <a@b>: Recipient address rejected: no such place", without line end; empty: it has
    // another way. A table that can not say now refuses nobody: the queue will ask again.
    std::string refusal_of(std::string_view recipient, const ClassOf& class_of) const;

 private:
    std::string target_of(std::string_view recipient, const ClassOf& class_of) const;

    TransportMap transport_map_;
    std::array<std::string, 3> of_class_;
    bool some_class_is_refused_ = false;
};

}  // namespace posthaste::smtpd
