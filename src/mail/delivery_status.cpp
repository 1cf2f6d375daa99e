#include "mail/delivery_status.h"

namespace posthaste {

const char* name_of(Outcome outcome) noexcept {
    switch (outcome) {
        case Outcome::sent:
            return "sent";
        case Outcome::deferred:
            return "deferred";
        case Outcome::bounced:
            return "bounced";
    }
    return "unknown";  // a value from a peer that nobody checked
}

}  // namespace posthaste
