#include <array>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "walls/act.h"

namespace posthaste::walls {
namespace {

bool files(const SandboxProfile& profile) { return profile.files; }

int opens(const std::string& path, int flags) {
    return outcome(::open(path.c_str(), flags | O_CLOEXEC, 0600));
}

int lists(const std::string& path) {
    const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return errno;
    std::array<char, 4096> entries;
    return outcome(::syscall(SYS_getdents64, directory, entries.data(), entries.size()));
}

constexpr Act kActs[] = {
    {"Files", "opens a file of the host",
     [](const Surroundings&) { return opens("/etc/passwd", O_RDONLY); }},
    {nullptr, "opens one by climbing out of its directory",
     [](const Surroundings&) { return opens("/../../../../../../../etc/passwd", O_RDONLY); }},
    {nullptr, "asks for a host file's size and owner",
     [](const Surroundings&) {
         struct stat status {};
         return outcome(::fstatat(AT_FDCWD, "/etc/passwd", &status, 0));
     }},
    {nullptr, "opens /proc/self/status",
     [](const Surroundings&) { return opens("/proc/self/status", O_RDONLY); }},
    {nullptr, "lists its own directory",
     [](const Surroundings& around) { return lists(around.root + "/"); }, files},
    {nullptr, "opens a file there",
     [](const Surroundings& around) { return opens(around.root + "/file", O_RDONLY); }, files},
    {nullptr, "creates a file there",
     [](const Surroundings& around) { return opens(around.root + "/new", O_RDWR | O_CREAT); },
     files},
    {nullptr, "removes a file there",
     [](const Surroundings& around) { return outcome(::unlink((around.root + "/file").c_str())); },
     files},
    {nullptr, "makes a device node there",
     [](const Surroundings& around) {
         return outcome(::mknod((around.root + "/device").c_str(), S_IFCHR | 0600, 0x103));
     }},
    {nullptr, "opens a file by its handle, without a path",
     [](const Surroundings&) {
         return outcome(::syscall(SYS_open_by_handle_at, AT_FDCWD, nullptr, O_RDONLY));
     },
     nullptr, EFAULT},
    {nullptr, "changes its root directory",
     [](const Surroundings&) { return outcome(::chroot("/")); }},
    {nullptr, "mounts a file system",
     [](const Surroundings&) { return outcome(::mount("none", "/", "no-such-type", 0, nullptr)); },
     nullptr, ENODEV},
    {nullptr, "unmounts one",
     [](const Surroundings&) { return outcome(::umount2("/no/such/place", MNT_DETACH)); }, nullptr,
     ENOENT},
    {nullptr, "makes a file system's context (fsopen)",
     [](const Surroundings&) { return outcome(::syscall(SYS_fsopen, "tmpfs", 0)); }},
    {nullptr, "clones a mount (open_tree)",
     [](const Surroundings&) { return outcome(::syscall(SYS_open_tree, AT_FDCWD, "/", 1)); }},
    {nullptr, "pivots the root",
     [](const Surroundings&) { return outcome(::syscall(SYS_pivot_root, nullptr, nullptr)); },
     nullptr, EFAULT},
};

}  // namespace

std::span<const Act> file_acts() { return kActs; }

}  // namespace posthaste::walls
