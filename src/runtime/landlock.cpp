#include "runtime/landlock.h"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

namespace posthaste {
namespace {

// struct landlock_ruleset_attr as of version 6; a kernel takes the part it knows, given its size.
struct Ruleset {
    uint64_t files;
    uint64_t network;  // version 4
    uint64_t scope;    // version 6
};

constexpr uint64_t kFilesVersion1 = (1ULL << 13) - 1;  // EXECUTE … MAKE_SYM
constexpr uint64_t kFilesRefer = 1ULL << 13;           // version 2
constexpr uint64_t kFilesTruncate = 1ULL << 14;        // version 3
constexpr uint64_t kFilesIoctlDevice = 1ULL << 15;     // version 5
constexpr uint64_t kNetworkBindAndConnect = 3;
constexpr uint64_t kScopeAbstractSocketsAndSignals = 3;

size_t size_of_version(int version) noexcept {
    return version >= 6 ? sizeof(Ruleset) : version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

}  // namespace

int apply_landlock(const LandlockRules& rules) noexcept {
    const auto version = static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0UL, LANDLOCK_CREATE_RULESET_VERSION));
    if (version < 1) return version < 0 ? errno : ENOSYS;

    Ruleset ruleset{};
    ruleset.files = kFilesVersion1;
    if (version >= 2) ruleset.files |= kFilesRefer;
    if (version >= 3) ruleset.files |= kFilesTruncate;
    if (version >= 5) ruleset.files |= kFilesIoctlDevice;
    if (version >= 4 && !rules.tcp) ruleset.network = kNetworkBindAndConnect;
    if (version >= 6) ruleset.scope = kScopeAbstractSocketsAndSignals;
    const Fd handle(static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, &ruleset, size_of_version(version), 0U)));
    if (!handle) return errno;

    if (rules.below_root) {
        const Fd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!root) return errno;
        landlock_path_beneath_attr below{};
        below.allowed_access =
            ruleset.files & ~(LANDLOCK_ACCESS_FS_EXECUTE | kFilesIoctlDevice |
                              LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK);
        below.parent_fd = root.get();
        if (::syscall(SYS_landlock_add_rule, handle.get(), LANDLOCK_RULE_PATH_BENEATH, &below,
                      0U) != 0)
            return errno;
    }
    return ::syscall(SYS_landlock_restrict_self, handle.get(), 0U) != 0 ? errno : 0;
}

}  // namespace posthaste
