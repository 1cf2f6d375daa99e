// master/kernel_check.h: whether this kernel, and the container around us, let services run their
// loop.
#pragma once

#include "runtime/settings/diagnostics.h"

namespace posthaste {

void check_kernel(Diagnostics& diagnostics);

}  // namespace posthaste
