#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace posthaste {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
    std::fprintf(stderr, "panic: %s:%d: assertion failed: %s\n", file, line, condition);
    std::abort();
}

}  // namespace posthaste
