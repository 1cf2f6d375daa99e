// command/instance.h: one installation as a command sees it: its configuration directory, what
// main.cf says, and whether its master runs. A broken main.cf must not keep anybody from stopping
// the service, so faults in it are collected and values read as far as they can be.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "runtime/settings/main_cf.h"

namespace posthaste {

class Instance {
 public:
    explicit Instance(std::string config_directory);

    const std::string& config_directory() const noexcept { return config_directory_; }

    const MainCf& main_cf() const noexcept { return main_cf_; }

    const Diagnostics& diagnostics() const noexcept { return diagnostics_; }

    const SystemFacts& facts() const noexcept { return facts_; }

    SettingsReader reader() const { return {main_cf_, facts_}; }

    std::string value(std::string_view name) const { return reader().expanded(name).text; }

    // The program master, by daemon_directory.
    std::string master_program() const;
    // Of the master that holds the lock on this queue; nothing when none runs.
    std::optional<pid_t> running() const;
    // Below queue_directory: "public/showq".
    std::string socket_path(std::string_view name) const;

 private:
    std::string config_directory_;
    SystemFacts facts_;
    Diagnostics diagnostics_;
    MainCf main_cf_;
};

// Programs find each other by their own place: sbin/posthaste → ../libexec/posthaste.
std::string daemon_directory_beside(std::string_view command_directory);

}  // namespace posthaste
