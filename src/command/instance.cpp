#include "command/instance.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strings.h"

#include "runtime/settings/file.h"
#include "runtime/settings/system_facts.h"

namespace posthaste {

namespace {

std::string absolute(const std::string& path) {
    char resolved[PATH_MAX];
    return ::realpath(path.c_str(), resolved) ? std::string(resolved) : path;
}

SystemFacts facts_of(const std::string& config_directory) {
    SystemFacts facts = read_system_facts();
    facts.config_directory = config_directory;
    facts.command_directory = own_directory();
    facts.daemon_directory = daemon_directory_beside(facts.command_directory);
    return facts;
}

}  // namespace

std::string daemon_directory_beside(std::string_view command_directory) {
    return absolute(std::string(command_directory) + "/../libexec/posthaste");
}

Instance::Instance(std::string config_directory)
    : config_directory_(absolute(config_directory)),
      facts_(facts_of(config_directory_)),
      main_cf_(MainCf::load(config_directory_ + "/main.cf", diagnostics_)) {}

std::string Instance::master_program() const { return value("daemon_directory") + "/master"; }

std::string Instance::socket_path(std::string_view name) const {
    return value("queue_directory") + "/" + std::string(name);
}

std::optional<pid_t> Instance::running() const {
    const std::string path = value("queue_directory") + "/pid/master.pid";
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || ::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
    const auto text = read_file(path, 64);
    const auto pid = text ? parse_number(trimmed(*text), INT32_MAX) : std::nullopt;
    return pid && *pid > 1 ? std::optional(static_cast<pid_t>(*pid)) : std::nullopt;
}

}  // namespace posthaste
