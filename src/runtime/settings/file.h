// runtime/settings/file.h: whole small files, for configuration. Master and the commands only:
// services touch none.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>

#include "base/result.h"

namespace posthaste {

Result<std::string> read_file(const std::string& path, size_t size_bytes_max);

// The new content or the old, never a mixture: written beside it, synced, renamed. An existing
// file's mode and owner are kept; a new one gets `mode`.
Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode = 0644);

}  // namespace posthaste
