// command/queue_commands.h: what postqueue, mailq and `posthaste flush` do. Each writes to stdout
// and stderr as Postfix's programs do and returns the exit status (sysexits.h).
#pragma once

#include <string>

#include "command/instance.h"

namespace posthaste {

int list_queue(const Instance& instance, bool as_json);
// Empty: everything deferred; else the message with that queue id.
int flush_queue(const Instance& instance, const std::string& queue_id);

}  // namespace posthaste
