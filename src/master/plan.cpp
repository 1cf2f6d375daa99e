#include "master/plan.h"

#include <algorithm>
#include <array>
#include <pwd.h>
#include <thread>
#include <unistd.h>

#include "base/strings.h"

#include "runtime/settings/near_name.h"

#include "master/listeners.h"

namespace posthaste {

namespace {

constexpr unsigned kProcessesMax = 64;

// Without these no mail moves.
constexpr std::array<Role, 6> kEssential = {Role::smtpd, Role::cleanup, Role::store,
                                            Role::qmgr,  Role::rewrite, Role::smtp};

// What smtpd and cleanup match against; an item may be a file, or a table in one.
constexpr std::array<std::string_view, 8> kLists = {"mynetworks",
                                                    "transport_maps",
                                                    "relay_domains",
                                                    "mydestination",
                                                    "smtpd_forbid_bare_newline_exclusions",
                                                    "smtpd_client_event_limit_exceptions",
                                                    "smtpd_noop_commands",
                                                    "smtpd_forbidden_commands"};

bool names_a_file(std::string_view list) {
    for (std::string_view item : split(list, ", \t\r\n")) {
        while (item.starts_with('!')) item.remove_prefix(1);
        if (item.starts_with('/') || item.find(":/") != std::string_view::npos) return true;
    }
    return false;
}

class PlanMaker {
 public:
    PlanMaker(const MainCf& main_cf, const MasterCf& master_cf, const SystemFacts& facts,
              Diagnostics& diagnostics)
        : main_cf_(main_cf), master_cf_(master_cf), facts_(facts), diagnostics_(diagnostics) {}

    std::optional<Plan> make() {
        const SettingsReader reader(main_cf_, facts_);
        std::vector<MainCfEntry> all_overrides;
        for (const auto& service : master_cf_.services)
            all_overrides.insert(all_overrides.end(), service.overrides.begin(),
                                 service.overrides.end());
        reader.warn_of_unknown(all_overrides, diagnostics_);
        find_transports();
        warn_of_unknown_transports();

        auto settings = reader.read({}, diagnostics_);
        if (settings) plan_.settings = std::move(*settings);
        if (settings) warn_of_missing_transports();
        for (const auto& service : master_cf_.services) add(service, reader);
        require_essential();
        if (diagnostics_.has_errors()) return std::nullopt;
        plan_.config_directory = facts_.config_directory;
        plan_.main_cf = main_cf_;
        return std::move(plan_);
    }

 private:
    void find_transports() {
        for (const auto& entry : master_cf_.services) {
            if (entry.type != ServiceType::unix_stream ||
                role_of_program(entry.program) != Role::smtp)
                continue;
            if (!transports_.empty()) transports_ += ' ';
            transports_ += entry.name;
        }
    }

    // A parameter of a transport that is not there is a slip of the hand.
    void warn_of_unknown_transports() {
        auto known = split(transports_, " ");
        for (const std::string_view name : {"local", "virtual", "error", "retry", "discard"})
            known.push_back(name);
        for (const MainCfEntry& entry : main_cf_.entries) {
            const std::string_view transport = transport_of(entry.name);
            if (transport.empty() || std::ranges::find(known, transport) != known.end()) continue;
            const auto near = nearest_name(transport, known);
            diagnostics_.warning(
                entry.place, entry.name + ": master.cf has no transport " + std::string(transport) +
                                 (near.empty() ? "" : "; did you mean " + std::string(near) + "?"));
        }
    }

    // Its mail would wait, which nobody sees before the first message.
    void warn_of_missing_transports() {
        auto known = split(transports_, " ");
        for (const std::string_view name : {"local", "virtual", "error", "retry", "discard"})
            known.push_back(name);
        for (const std::string_view name : {"default_transport", "relay_transport"}) {
            const std::string& value = plan_.settings.text(name);
            const std::string_view transport =
                trimmed(std::string_view(value).substr(0, value.find(':')));
            if (transport.empty() || std::ranges::find(known, transport) != known.end()) continue;
            const bool is_needed =
                name != "relay_transport" || !trimmed(plan_.settings.text("relay_domains")).empty();
            if (!is_needed) continue;
            const auto near = nearest_name(transport, split(transports_, " "));
            const auto* const entry = main_cf_.find(name);
            diagnostics_.warning(
                entry ? entry->place : Place{main_cf_.path, 0},
                std::string(name) + ": master.cf has no transport " + std::string(transport) +
                    ", its mail waits" +
                    (near.empty() ? "" : "; did you mean " + std::string(near) + "?"));
        }
    }

    void add(const MasterCfService& entry, const SettingsReader& reader) {
        const auto role = role_of_program(entry.program);
        PlannedService service;
        service.entry = entry;
        service.row = role ? row_of(*role) : nullptr;
        if (!service.row) {
            diagnostics_.error(entry.place, "there is no program \"" + entry.program +
                                                "\" here (yet); put a \"#\" "
                                                "before the line");
            return;
        }
        if (entry.type == ServiceType::inet && service.row->listens != Listens::own) {
            diagnostics_.error(
                entry.place,
                entry.program + " does not listen on the network; write unix for inet");
            return;
        }
        if (shares_processes(service, reader)) return;
        service.entry.overrides.push_back({"service_name", entry.name, entry.place});
        service.entry.overrides.push_back({"process_name", entry.program, entry.place});
        service.entry.overrides.push_back({"delivery_services", transports_, entry.place});
        auto settings = reader.read(service.entry.overrides, diagnostics_);
        if (!settings) return;
        service.settings = std::move(*settings);
        std::string fault;
        if (entry.type == ServiceType::inet &&
            listen_endpoints(entry.name, service.settings, fault).empty()) {
            diagnostics_.error(entry.place, fault);
            return;
        }
        if (!count_processes(service) || !find_user(service) || !find_program(service)) return;
        for (const auto& other : plan_.services)
            if (other.row == service.row) service.first_instance += other.process_count;
        plan_.services.push_back(std::move(service));
    }

    // A further line of a program that does not listen ("relay unix … smtp") names a transport:
    // qmgr gives its mail to the same processes, with the transport's own parameters.
    bool shares_processes(const PlannedService& service, const SettingsReader& reader) {
        if (service.row->listens == Listens::own && service.row->many) return false;
        const auto first =
            std::find_if(plan_.services.begin(), plan_.services.end(),
                         [&](const PlannedService& other) { return other.row == service.row; });
        if (first == plan_.services.end()) return false;
        if (!service.row->many) {
            diagnostics_.error(service.entry.place, "a second " + service.entry.program +
                                                        "; there can be only one (" +
                                                        first->entry.place.text() + ")");
            return true;
        }
        const auto own = reader.read(service.entry.overrides, diagnostics_);
        for (const auto& option : service.entry.overrides) {
            const bool is_ours = row_for(option.name) != nullptr;
            if (!own || !is_ours || option.name == "syslog_name" ||
                own->text(option.name) == first->settings.text(option.name))
                continue;
            diagnostics_.error(service.entry.place,
                               service.entry.name + " shares the processes of " +
                                   first->entry.name + ", so that -o " + option.name +
                                   " can not be its own yet; remove it, and set " +
                                   service.entry.name + "_destination_… parameters in main.cf");
        }
        return true;
    }

    bool count_processes(PlannedService& service) {
        const auto limit = service.entry.process_limit;
        if (!service.row->many) {
            if (limit.value_or(1) == 1) return true;
            diagnostics_.error(service.entry.place,
                               "maxproc of " + service.entry.program + " must be 1");
            return false;
        }
        auto wanted = static_cast<unsigned>(service.settings.integer("worker_processes"));
        if (wanted == 0) wanted = std::max(1U, std::thread::hardware_concurrency());
        if (limit.value_or(0) > 0) wanted = std::min<unsigned>(wanted, *limit);
        service.process_count = std::min(wanted, kProcessesMax);
        return true;
    }

    bool find_user(PlannedService& service) {
        const std::string& name = service.settings.text(service.row->user_parameter);
        const passwd* user = ::getpwnam(name.c_str());
        if (user == nullptr) {
            diagnostics_.error(service.entry.place,
                               std::string(service.row->user_parameter) + " = " + name +
                                   ": there is no such user; `posthaste init` creates it");
            return false;
        }
        if (user->pw_uid == 0) {
            diagnostics_.error(service.entry.place, std::string(service.row->user_parameter) +
                                                        " = " + name +
                                                        ": a service never runs as root");
            return false;
        }
        service.user_id = user->pw_uid;
        service.group_id = user->pw_gid;
        return true;
    }

    bool find_program(PlannedService& service) {
        service.program_path = service.settings.text("daemon_directory") + "/" +
                               std::string(name_of(service.row->role));
        if (::access(service.program_path.c_str(), X_OK) == 0) return true;
        diagnostics_.error(service.entry.place, service.program_path +
                                                    " is not there or cannot be run; check "
                                                    "daemon_directory");
        return false;
    }

    void require_essential() {
        if (diagnostics_.has_errors()) return;
        for (const Role role : kEssential) {
            const bool planned = std::any_of(
                plan_.services.begin(), plan_.services.end(),
                [&](const PlannedService& service) { return service.row->role == role; });
            if (!planned)
                diagnostics_.error({master_cf_.path, 0}, "no service runs " +
                                                             std::string(name_of(role)) +
                                                             "; mail could not move without it");
        }
    }

    const MainCf& main_cf_;
    const MasterCf& master_cf_;
    const SystemFacts& facts_;
    Diagnostics& diagnostics_;
    Plan plan_;
    std::string transports_;  // of master.cf, with blanks between them
};

// Whether a setting that applies at restart is one of this service's: by the first word of its
// name. What a plan already says in its own fields (users, counts, programs) is compared there.
bool concerns(std::string_view parameter, const PlannedService& service) {
    constexpr std::array<std::pair<std::string_view, Role>, 6> kOwners = {
        {{"smtpd_", Role::smtpd},
         {"cleanup_", Role::cleanup},
         {"store_", Role::store},
         {"smtp_", Role::smtp},
         {"lane_", Role::qmgr},
         {"dns_", Role::rewrite}}};
    if (parameter == "worker_processes" || parameter.ends_with("_user") ||
        parameter.ends_with("_directory"))
        return false;
    if (parameter.starts_with("inet_")) return service.entry.type == ServiceType::inet;
    for (const auto& [prefix, role] : kOwners)
        if (parameter.starts_with(prefix)) return service.row->role == role;
    return true;
}

}  // namespace

const PlannedService* Plan::find(std::string_view key) const noexcept {
    for (const PlannedService& service : services)
        if (service.key() == key) return &service;
    return nullptr;
}

std::optional<Plan> make_plan(const MainCf& main_cf, const MasterCf& master_cf,
                              const SystemFacts& facts, Diagnostics& diagnostics) {
    return PlanMaker(main_cf, master_cf, facts, diagnostics).make();
}

std::optional<Plan> make_plan(const std::string& config_directory, const SystemFacts& facts,
                              Diagnostics& diagnostics) {
    const MainCf main_cf = MainCf::load(config_directory + "/main.cf", diagnostics);
    const MasterCf master_cf = MasterCf::load(config_directory + "/master.cf", diagnostics);
    if (diagnostics.has_errors() && main_cf.entries.empty() && master_cf.services.empty())
        return std::nullopt;
    return make_plan(main_cf, master_cf, facts, diagnostics);
}

bool reads_files(const PlannedService& service) {
    switch (service.row->role) {
        case Role::postlogd:
        case Role::rewrite:
            return true;
        case Role::smtpd:
        case Role::cleanup:
            return std::any_of(kLists.begin(), kLists.end(), [&](std::string_view name) {
                return names_a_file(service.settings.text(name));
            });
        default:
            return false;
    }
}

bool needs_restart(const PlannedService& before, const PlannedService& after) {
    if (reads_files(before) || reads_files(after)) return true;
    if (before.program_path != after.program_path || before.process_count != after.process_count ||
        before.first_instance != after.first_instance || before.user_id != after.user_id ||
        before.group_id != after.group_id || before.entry.type != after.entry.type ||
        before.entry.is_private != after.entry.is_private)
        return true;
    const auto rows = parameter_table();
    return std::any_of(rows.begin(), rows.end(), [&](const ParameterRow& row) {
        return row.applies == Applies::restart && concerns(row.name, after) &&
               before.settings.text(row.name) != after.settings.text(row.name);
    });
}

}  // namespace posthaste
