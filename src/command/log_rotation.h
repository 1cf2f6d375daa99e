// command/log_rotation.h: `posthaste logrotate`: the log under a name with the time in it,
// compressed, and a new one begun.
#pragma once

#include "command/instance.h"

namespace posthaste {

// The exit status. A service that runs goes on writing: nothing of the log is lost.
int rotate_log(const Instance& instance);

}  // namespace posthaste
