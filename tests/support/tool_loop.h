// tests/support/tool_loop.h: the loop of a load tool: everything allowed that sockets need, or exit
// with the remedy.
#pragma once

#include <memory>

#include "runtime/loop.h"

namespace posthaste::support {

std::unique_ptr<Loop> make_tool_loop();

}  // namespace posthaste::support
