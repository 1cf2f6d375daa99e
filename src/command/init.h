// command/init.h: `posthaste init`: a working configuration, the queue directory and the system
// users, from nothing.
//
// Repeatable: what is there is left alone, what is missing is made. An existing main.cf or
// master.cf is overwritten with force only. Below /etc/posthaste the queue is /var/spool/posthaste
// and the log the system's; any other configuration directory holds its own queue and log, so that
// instances stand side by side.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace posthaste {

struct InitOptions {
    std::string config_directory;
    std::string mode;                 // empty: "relay"
    std::vector<std::string> listen;  // "127.0.0.1:2525"; empty: the mode's own
    std::string relayhost;
    std::string mynetworks;  // who may relay; empty: the mode's own
    bool force = false;
};

// The modes, for --help: "null-client", …
std::vector<std::string_view> init_modes();

// The exit status; what was done goes to stdout, what could not be to stderr.
int init(const InitOptions& options);

// The two files' texts (for tests, and so that everything that init writes can be read in one
// place).
std::string initial_main_cf(const InitOptions& options, std::string_view queue_directory,
                            std::string_view log_file);
std::string initial_master_cf(const InitOptions& options);

}  // namespace posthaste
