#include "scheduler/transport.h"

namespace posthaste {

Handler handler_of_transport(std::string_view name) noexcept {
    if (name == "error") return Handler::error;
    if (name == "retry") return Handler::retry;
    if (name == "discard") return Handler::discard;
    return Handler::agent;
}

Role role_of_transport(std::string_view name) noexcept {
    if (name == "local") return Role::local;
    if (name == "virtual") return Role::virtual_;
    if (name == "pipe") return Role::pipe;
    return Role::smtp;
}

}  // namespace posthaste
