// runtime/sealed_memory.h: memfds that one process writes and others can only read, enforced by the
// kernel.
//
// The owner maps it writable first and seals it then: F_SEAL_FUTURE_WRITE leaves that mapping alone
// and refuses every later one (and mprotect, write(), punching holes); SHRINK|GROW take away the
// SIGBUS that a shorter file would be.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace posthaste {

struct SealedMemory {
    Fd memfd;
    char* base = nullptr;  // munmap(base, size_bytes) is the caller's duty
};

// Zeroed; pages are taken from the system when first written.
Result<SealedMemory> create_sealed_memory(const char* name, uint64_t size_bytes);

// The size of a foreign memfd, once its seals promise what this file's head says. The kernel's
// word, not the peer's.
Result<uint64_t> verify_sealed_memory(int memfd);
Result<const char*> map_sealed_memory(int memfd, uint64_t size_bytes);

}  // namespace posthaste
