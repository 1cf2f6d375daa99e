// master/pid_file.h: pid/master.pid: who runs this queue. The lock on it, not the number in it,
// says that master is alive; the commands test it and signal the number.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace posthaste {

// Holds the lock until the process ends. Errc::os with os_errno EWOULDBLOCK: another master has it.
Result<Fd> lock_pid_file(const std::string& path);

}  // namespace posthaste
