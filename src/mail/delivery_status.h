// mail/delivery_status.h: what became of one recipient at one attempt. A value, never an Error.
#pragma once

#include <cstdint>
#include <string>

namespace posthaste {

enum class Outcome : uint8_t {
    sent = 0,
    deferred = 1,  // 4xx or the network: try again
    bounced = 2,   // 5xx: never again
};

struct DeliveryStatus {
    Outcome outcome = Outcome::deferred;
    std::string dsn = "4.0.0";  // RFC 3463 enhanced status code
    std::string text;  // Postfix's wording: "host x[ip] said: 550 … (in reply to RCPT TO command)"
};

const char* name_of(Outcome outcome) noexcept;  // "sent", "deferred", "bounced"

}  // namespace posthaste
