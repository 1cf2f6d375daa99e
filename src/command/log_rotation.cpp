#include "command/log_rotation.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "base/strings.h"
#include "base/units.h"

#include "command/local_socket.h"
#include "command/service_commands.h"

extern char** environ;

namespace posthaste {

namespace {

constexpr int64_t kPatienceUs = 30 * kSecondUs;
constexpr int64_t kLookEveryUs = 20 * kMsUs;

int fail(const std::string& why) {
    std::fprintf(stderr, "posthaste logrotate: error: %s\n", why.c_str());
    return 1;
}

std::string time_text(const std::string& format) {
    const std::time_t now = std::time(nullptr);
    tm parts{};
    char text[128];
    if (::localtime_r(&now, &parts) == nullptr) return {};
    return std::string(text, std::strftime(text, sizeof text, format.c_str(), &parts));
}

// The one that a reload replaces goes on writing what it was given before.
bool old_postlogd_is_there(const Instance& instance) {
    auto asked = LocalSocket::ask(instance.socket_path("private/master"), "status\n");
    const auto text = asked ? asked->read_all() : Result<std::string>(asked.error());
    if (!text) return false;
    const auto status = nlohmann::json::parse(*text, nullptr, false);
    if (!status.is_object() || !status.contains("processes")) return false;
    for (const auto& process : status["processes"]) {
        if (process.value("process", "").starts_with("postlogd/") &&
            process.value("state", "") != "ready")
            return true;
    }
    return false;
}

void wait_for_old_postlogd(const Instance& instance) {
    for (int64_t waited_us = 0; waited_us < kPatienceUs && old_postlogd_is_there(instance);
         waited_us += kLookEveryUs) {
        const timespec step{0, kLookEveryUs * 1000};
        ::nanosleep(&step, nullptr);
    }
}

int compress(std::string program, std::string file) {
    std::vector<char*> arguments = {program.data(), file.data(), nullptr};
    pid_t pid = -1;
    const int error =
        ::posix_spawnp(&pid, program.c_str(), nullptr, nullptr, arguments.data(), environ);
    int status = 1;
    if (error != 0)
        return fail("maillog_file_compressor: " + program + ": " + std::strerror(error) + "; " +
                    file + " is left as it is");
    if (::waitpid(pid, &status, 0) != pid || status != 0)
        return fail(program + " " + file + " failed; see what it says");
    return 0;
}

}  // namespace

int rotate_log(const Instance& instance) {
    const std::string file = instance.value("maillog_file");
    if (file.empty())
        return fail(
            "maillog_file is empty: the log is in the system's hands, and so is its "
            "rotation");
    const std::string suffix = time_text(instance.value("maillog_file_rotate_suffix"));
    if (suffix.empty() || suffix.find('/') != std::string::npos)
        return fail("maillog_file_rotate_suffix: not a format of date(1) that makes a name");
    const std::string old = file + "." + suffix;
    if (::access(old.c_str(), F_OK) == 0) return fail(old + " is there already");
    if (::rename(file.c_str(), old.c_str()) != 0) return fail(file + ": " + std::strerror(errno));
    if (instance.running()) {
        if (reload_service(instance) != 0) {
            // Whoever writes the log has it open: under its old name it is found again.
            (void)!::rename(old.c_str(), file.c_str());
            return fail("the log was not rotated");
        }
        wait_for_old_postlogd(instance);
    }
    const std::string compressor = instance.value("maillog_file_compressor");
    return compressor.empty() ? 0 : compress(compressor, old);
}

}  // namespace posthaste
