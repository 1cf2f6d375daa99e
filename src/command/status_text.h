// command/status_text.h: `posthaste status` from master's answer (master/command_socket.h).
#pragma once

#include <string>
#include <string_view>

namespace posthaste {

// What is wrong first, then processes, then the counters, summed over the processes of a kind, those
// that have died included. An answer that is none is shown as it came.
std::string status_text(std::string_view json_text);
// Something does not run that should, or mail is refused for want of room.
bool tells_of_faults(std::string_view json_text);

}  // namespace posthaste
