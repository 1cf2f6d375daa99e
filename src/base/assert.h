// base/assert.h: checks of our own reasoning. ASSERT is compiled into every build; a failure means
// a bug of ours: the process aborts and master starts a new one. DCHECK is for checks too costly
// for the hot path; it vanishes with NDEBUG.
//
// Never for bytes from the network, the disk or another process: those are answered with Result.
#pragma once

namespace posthaste {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace posthaste

#define ASSERT(condition) \
    ((condition) ? (void)0 : ::posthaste::assertion_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define DCHECK(condition) ((void)0)
#else
#define DCHECK(condition) ASSERT(condition)
#endif
