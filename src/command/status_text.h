// command/status_text.h: `posthaste status` from master's answer (master/command_socket.h).
#pragma once

#include <string>
#include <string_view>

namespace posthaste {

// Processes first, then the counters, summed over the processes of a kind. An answer that is none
// is shown as it came.
std::string status_text(std::string_view json_text);

}  // namespace posthaste
