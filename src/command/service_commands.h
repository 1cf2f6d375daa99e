// command/service_commands.h: start, stop and the like: how an administrator speaks to master. Each
// returns the exit status and says on stderr why it is not 0.
#pragma once

#include "command/instance.h"

namespace posthaste {

enum class StartMode : uint8_t { background, foreground };

// Returns when the service accepts mail, or fails with the reason. In the foreground: does not
// return before it ends.
int start_service(const Instance& instance, StartMode mode);
int check_service(const Instance& instance);
// Services finish what they hold, within stop_time_limit.
int stop_service(const Instance& instance);
// At once. Nothing is lost: the queue is on disk.
int abort_service(const Instance& instance);
// Master asks the services themselves; what they refuse changes nothing, and is shown.
int reload_service(const Instance& instance);
// Exit status 0: it runs; 1: it does not; 2: it does, but something of it is down or mail is
// refused, which is said first.
int show_status(const Instance& instance, bool as_json);

}  // namespace posthaste
