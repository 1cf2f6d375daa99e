// runtime/settings/queue_directory.h: the layout of queue_directory: what lies in it, who owns it,
// how open it is. Made by `posthaste init`, checked before every start.
#pragma once

#include <span>
#include <string_view>
#include <sys/types.h>

#include "base/result.h"

#include "runtime/settings/diagnostics.h"
#include "runtime/settings/settings.h"

namespace posthaste {

struct QueueDirectory {
    std::string_view name;            // empty: queue_directory itself
    std::string_view user_parameter;  // names the owner; empty: root
    mode_t mode;
};

std::span<const QueueDirectory> queue_directories() noexcept;

// Every fault with its remedy. A missing user is not reported here.
void check_queue_directory(const Settings& settings, Diagnostics& diagnostics);

// What is missing; what is there is left alone. The parent of queue_directory must exist.
Result<void> make_queue_directories(const Settings& settings);

}  // namespace posthaste
