// scheduler/qmgr_config.h: main.cf's values as the scheduler takes them.
#pragma once

#include <string_view>

#include "runtime/log.h"
#include "runtime/settings/settings.h"

#include "scheduler/scheduler.h"

namespace posthaste {

SchedulerConfig scheduler_config(const Settings& settings);
// What cannot be read (a feedback that is no number) is Postfix's default and a warning.
TransportConfig transport_config(const Settings& settings, std::string_view transport, Log& log);

}  // namespace posthaste
