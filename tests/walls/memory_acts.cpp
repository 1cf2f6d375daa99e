#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "walls/act.h"

namespace posthaste::walls {
namespace {

int maps(const Surroundings& around, int protection) {
    void* const memory =
        ::mmap(nullptr, around.peer_bytes, protection, MAP_SHARED, around.peer_memory, 0);
    return memory == MAP_FAILED ? errno : 0;
}

bool everybody(const SandboxProfile&) { return true; }

constexpr Act kActs[] = {
    {"Shared memory", "maps a peer's segment to read it",
     [](const Surroundings& around) { return maps(around, PROT_READ); }, everybody},
    {nullptr, "maps a peer's segment to write it",
     [](const Surroundings& around) { return maps(around, PROT_READ | PROT_WRITE); }},
    {nullptr, "makes the mapping it has of one writable",
     [](const Surroundings& around) {
         return outcome(::mprotect(const_cast<char*>(around.peer_view), around.peer_bytes,
                                   PROT_READ | PROT_WRITE));
     }},
    {nullptr, "writes to it by its descriptor",
     [](const Surroundings& around) { return outcome(::write(around.peer_memory, "x", 1)); }},
    {nullptr, "punches a hole into it (fallocate)",
     [](const Surroundings& around) {
         return outcome(
             ::fallocate(around.peer_memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
     }},
    {nullptr, "punches a hole into it (madvise)",
     [](const Surroundings& around) {
         // Without seals it would have mapped it writable first.
         void* const memory = ::mmap(nullptr, around.peer_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                                     around.peer_memory, 0);
         const char* const view =
             memory == MAP_FAILED ? around.peer_view : static_cast<char*>(memory);
         return outcome(::madvise(const_cast<char*>(view), 4096, MADV_REMOVE));
     }},
    {nullptr, "shrinks it under its owner",
     [](const Surroundings& around) {
         return outcome(::ftruncate(around.peer_memory, static_cast<off_t>(around.peer_bytes / 2)));
     }},
    {nullptr, "grows it",
     [](const Surroundings& around) {
         return outcome(::ftruncate(around.peer_memory, static_cast<off_t>(around.peer_bytes * 2)));
     }},
    {nullptr, "shrinks its own under a peer that has mapped it",
     [](const Surroundings& around) { return outcome(::ftruncate(around.own_memory, 4096)); }},
    {nullptr, "changes the seals of its own",
     [](const Surroundings& around) {
         return outcome(::fcntl(around.own_memory, F_ADD_SEALS, F_SEAL_WRITE));
     }},
};

}  // namespace

std::span<const Act> memory_acts() { return kActs; }

}  // namespace posthaste::walls
