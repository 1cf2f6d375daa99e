// master/plan.h: main.cf and master.cf as what is to run: one row a service, with everything its
// processes are given. Made at start, by `master --check`, and again on reload; compared then to
// find what must be restarted.
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "runtime/settings/diagnostics.h"
#include "runtime/settings/main_cf.h"
#include "runtime/settings/master_cf.h"

#include "master/process_table.h"

namespace posthaste {

struct PlannedService {
    MasterCfService entry;
    const RoleRow* row = nullptr;
    Settings settings;  // with this service's -o
    unsigned process_count = 1;
    unsigned first_instance = 0;  // instances count over all services of a role
    uid_t user_id = 0;
    gid_t group_id = 0;
    std::string program_path;

    // "smtpd 127.0.0.1:2525": a name for logs and for finding it again after a reload.
    std::string key() const { return entry.program + " " + entry.name; }
};

struct Plan {
    std::string config_directory;
    MainCf main_cf;     // as it is written
    Settings settings;  // and what it means, without anybody's -o
    std::vector<PlannedService> services;

    const PlannedService* find(std::string_view key) const noexcept;
};

// Nothing when there is an error; all of them are in `diagnostics`.
std::optional<Plan> make_plan(const std::string& config_directory, const SystemFacts& facts,
                              Diagnostics& diagnostics);
std::optional<Plan> make_plan(const MainCf& main_cf, const MasterCf& master_cf,
                              const SystemFacts& facts, Diagnostics& diagnostics);

// Whether it opens files before it gives its rights away, so that only a new process sees what
// changed in them: the log, tables, lists in files.
bool reads_files(const PlannedService& service);
// Whether going from one to the other takes new processes: a setting that applies at restart,
// another program, user or number of processes, files to be read anew.
bool needs_restart(const PlannedService& before, const PlannedService& after);

}  // namespace posthaste
