#include "store/free_space.h"

#include <fcntl.h>
#include <memory>
#include <sys/statvfs.h>

#include "base/fd.h"

namespace posthaste::store {

FreeSpace::Ask ask_file_system(const char* directory) {
    const auto opened = std::make_shared<Fd>(::open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return [opened]() -> std::optional<uint64_t> {
        struct statvfs space {};
        if (!*opened || ::fstatvfs(opened->get(), &space) != 0) return std::nullopt;
        return uint64_t{space.f_bavail} * space.f_frsize;
    };
}

}  // namespace posthaste::store
