#include "runtime/settings/queue_directory.h"

#include <cerrno>
#include <cstring>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace posthaste {

namespace {

constexpr QueueDirectory kQueueDirectories[] = {
    {"", "", 0755},         // itself
    {"public", "", 0755},   // sockets for the commands
    {"private", "", 0700},  // master's own socket
    {"pid", "", 0755},
    {"empty", "", 0755},         // what services see as "/"
    {"db", "store_user", 0700},  // the store's database
};

std::string user_text(uid_t id) {
    const passwd* user = ::getpwuid(id);
    return user ? user->pw_name : "uid " + std::to_string(id);
}

std::string path_of(const std::string& queue, const QueueDirectory& directory) {
    return directory.name.empty() ? queue : queue + "/" + std::string(directory.name);
}

// The user a directory must belong to; nothing when that user does not exist (make_plan() has said
// so).
std::optional<uid_t> wanted_owner(const QueueDirectory& directory, const Settings& settings) {
    if (directory.user_parameter.empty()) return 0;
    const passwd* user = ::getpwnam(settings.text(directory.user_parameter).c_str());
    if (user == nullptr) return std::nullopt;
    return user->pw_uid;
}

void check_directory(const std::string& path, const QueueDirectory& directory, uid_t owner,
                     Diagnostics& diagnostics) {
    struct stat status {};

    if (::lstat(path.c_str(), &status) != 0) {
        diagnostics.error({path, 0},
                          std::string(std::strerror(errno)) + "; `posthaste init` makes it");
    } else if (!S_ISDIR(status.st_mode)) {
        diagnostics.error({path, 0},
                          "is not a directory; move it away, `posthaste init` makes the directory");
    } else if (status.st_uid != owner) {
        diagnostics.error({path, 0}, "belongs to " + user_text(status.st_uid) +
                                         " and must belong to " + user_text(owner) +
                                         "; run: chown " +
                                         (directory.user_parameter.empty() ? "" : "-R ") +
                                         user_text(owner) + " " + path);
    } else if ((status.st_mode & static_cast<mode_t>(~directory.mode) & 0022) != 0) {
        diagnostics.error({path, 0},
                          "may be written by others than its owner; run: chmod go-w " + path);
    }
}

}  // namespace

std::span<const QueueDirectory> queue_directories() noexcept { return kQueueDirectories; }

void check_queue_directory(const Settings& settings, Diagnostics& diagnostics) {
    const std::string& queue = settings.text("queue_directory");
    for (const QueueDirectory& directory : kQueueDirectories) {
        const auto owner = wanted_owner(directory, settings);
        if (!owner) continue;
        check_directory(path_of(queue, directory), directory, *owner, diagnostics);
        if (directory.name.empty() && diagnostics.has_errors()) return;
    }
}

Result<void> make_queue_directories(const Settings& settings) {
    const std::string& queue = settings.text("queue_directory");
    for (const QueueDirectory& directory : kQueueDirectories) {
        const std::string path = path_of(queue, directory);
        const auto owner = wanted_owner(directory, settings);
        if (!owner)
            return Error{Errc::not_found, 0, "the user of a queue directory does not exist"};
        if (::mkdir(path.c_str(), directory.mode) != 0) {
            if (errno == EEXIST) continue;
            return os_error("make the queue directory");
        }
        if (::chown(path.c_str(), *owner,
                    directory.user_parameter.empty() ? 0 : static_cast<gid_t>(-1)) != 0 ||
            ::chmod(path.c_str(), directory.mode) != 0)
            return os_error("give the queue directory to its owner");
    }
    return {};
}

}  // namespace posthaste
