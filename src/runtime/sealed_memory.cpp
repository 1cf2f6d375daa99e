#include "runtime/sealed_memory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace posthaste {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

}  // namespace

Result<SealedMemory> create_sealed_memory(const char* name, uint64_t size_bytes) {
    SealedMemory out;
    out.memfd.reset(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!out.memfd) return os_error("memfd_create");
    if (::ftruncate(out.memfd.get(), static_cast<off_t>(size_bytes)) != 0)
        return os_error("ftruncate memfd");
    void* base =
        ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, out.memfd.get(), 0);
    if (base == MAP_FAILED) return os_error("mmap memfd");
    if (::fcntl(out.memfd.get(), F_ADD_SEALS, kSeals) != 0) {
        const Error error = os_error("seal memfd");
        ::munmap(base, size_bytes);
        return error;
    }
    out.base = static_cast<char*>(base);
    return out;
}

Result<uint64_t> verify_sealed_memory(int memfd) {
    const int seals = ::fcntl(memfd, F_GET_SEALS);
    if (seals < 0 || (seals & kSeals) != kSeals)
        return Error{Errc::misbehaved, 0, "foreign memfd: not sealed"};

    // hugetlbfs knows seals too, but reading it may raise SIGBUS when no huge page is left.
    struct statfs filesystem {};

    if (::fstatfs(memfd, &filesystem) != 0) return os_error("fstatfs foreign memfd");
    if (filesystem.f_type != TMPFS_MAGIC)
        return Error{Errc::misbehaved, 0, "foreign memfd: not plain memory"};

    struct stat status {};

    if (::fstat(memfd, &status) != 0) return os_error("fstat foreign memfd");
    if (status.st_size <= 0) return Error{Errc::misbehaved, 0, "foreign memfd: empty"};
    return static_cast<uint64_t>(status.st_size);
}

Result<const char*> map_sealed_memory(int memfd, uint64_t size_bytes) {
    void* base = ::mmap(nullptr, size_bytes, PROT_READ, MAP_SHARED, memfd, 0);
    if (base == MAP_FAILED) return os_error("mmap foreign memfd");
    return static_cast<const char*>(base);
}

}  // namespace posthaste
