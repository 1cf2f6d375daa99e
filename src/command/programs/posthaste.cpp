// posthaste: starts, stops and tends the service.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "runtime/settings/settings.h"

#include "command/init.h"
#include "command/log_rotation.h"
#include "command/queue_commands.h"
#include "command/service_commands.h"

namespace {

constexpr char kFirstLook[] =
    "Posthaste, a mail relay: Postfix's architecture, settings, commands and log.\n"
    "\n"
    "To begin, as root:\n"
    "  posthaste init --mode relay --listen 127.0.0.1:2525     writes /etc/posthaste\n"
    "  posthaste start\n"
    "  posthaste status\n"
    "\n"
    "posthaste --help lists the commands, posthaste init --help the modes; -c DIR is another\n"
    "configuration directory than /etc/posthaste.\n";

}  // namespace

int main(int argc, char** argv) {
    using namespace posthaste;
    std::string config_directory = "/etc/posthaste";
    InitOptions init_options;
    bool as_json = false;
    CLI::App app("Posthaste, a mail relay.");
    app.add_option("-c", config_directory, "configuration directory")->capture_default_str();
    app.require_subcommand(0, 1);
    const std::string version = "posthaste " + std::string(find_parameter("mail_version")->initial);
    app.set_version_flag("--version", version);
    app.fallthrough();

    int status = 0;
    const auto command = [&](const char* name, const char* about, auto&& run) {
        auto* sub = app.add_subcommand(name, about);
        sub->callback(
            [&status, &config_directory, run] { status = run(Instance(config_directory)); });
        return sub;
    };
    command("start", "check, start, return when mail is accepted", [](const Instance& instance) {
        return start_service(instance, StartMode::background);
    });
    command(
        "start-fg", "start in the foreground, for containers and service managers",
        [](const Instance& instance) { return start_service(instance, StartMode::foreground); });
    command("stop", "finish what is under way, then stop", stop_service);
    command("abort", "stop at once; nothing that was accepted is lost", abort_service);
    command("reload", "check, then take over the changed configuration", reload_service);
    command("check", "look for faults in configuration, queue directory and machine",
            check_service);
    command("status",
            "what runs, and its counters; exit status 2: something is down, or mail is refused",
            [&as_json](const Instance& instance) { return show_status(instance, as_json); })
        ->add_flag("--json", as_json, "as JSON");
    command("logrotate", "rename and compress maillog_file, begin a new one", rotate_log);
    command("flush", "try all mail that waits, now",
            [](const Instance& instance) { return flush_queue(instance, ""); });

    auto* make =
        app.add_subcommand("init", "write a working configuration, make queue directory and users");
    std::vector<std::string> modes;
    for (const auto mode : init_modes()) modes.emplace_back(mode);
    make->add_option("--mode", init_options.mode, "what the relay is for")
        ->check(CLI::IsMember(modes));
    make->add_option("--listen", init_options.listen,
                     "ADDRESS:PORT to accept mail on; may be repeated");
    make->add_option("--relayhost", init_options.relayhost, "where all mail goes: [host]:port");
    make->add_option("--mynetworks", init_options.mynetworks,
                     "who may relay: \"127.0.0.0/8 192.0.2.0/24\"; not given: this machine");
    make->add_flag("--force", init_options.force, "overwrite main.cf and master.cf");
    make->callback([&] {
        init_options.config_directory = config_directory;
        status = init(init_options);
    });
    app.add_subcommand("version", "which release this is")->callback([&] {
        std::printf("%s\n", version.c_str());
    });
    CLI11_PARSE(app, argc, argv);
    if (app.get_subcommands().empty()) {
        std::fputs(kFirstLook, stderr);
        return 2;
    }
    return status;
}
