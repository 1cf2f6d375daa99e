// master: checks the configuration, locks the queue, supervises. Started by `posthaste start`,
// start-fg and check.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

#include "runtime/settings/queue_directory.h"
#include "runtime/settings/system_facts.h"

#include "master/judgement.h"
#include "master/kernel_check.h"
#include "master/pid_file.h"
#include "master/supervisor.h"

namespace {

using namespace posthaste;

void show(const Diagnostics& diagnostics) {
    for (const Diagnostic& diagnostic : diagnostics.all())
        std::fprintf(stderr, "posthaste: %s\n", diagnostic.shown().c_str());
}

// From here on the log speaks.
void leave_terminal() {
    const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int standard : {0, 1, 2}) ::dup2(nothing.get(), standard);
}

int fail(int outcome_fd, const std::string& why) {
    if (outcome_fd >= 0) {
        (void)!::write(outcome_fd, (why + "\n").data(), why.size() + 1);
    } else {
        std::fprintf(stderr, "posthaste: error: %s\n", why.c_str());
    }
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::string config_directory = "/etc/posthaste";
    std::string command_directory;
    bool check_only = false;
    Supervisor::Options options;
    CLI::App app("Supervises Posthaste's services; `posthaste start` runs it.");
    app.add_option("-c", config_directory, "configuration directory");
    app.add_option("--command-directory", command_directory, "where the commands are");
    app.add_flag("--check", check_only, "check the configuration and the machine, start nothing");
    app.add_flag("--foreground", options.foreground,
                 "stay in the foreground and repeat the log on standard error");
    app.add_option("--outcome-fd", options.outcome_fd,
                   "where to tell that the start succeeded, or why not");
    CLI11_PARSE(app, argc, argv);

    if (::geteuid() != 0) return fail(options.outcome_fd, "must be run as root");
    options.facts = read_system_facts();
    options.facts.config_directory = config_directory;
    options.facts.daemon_directory = own_directory();
    options.facts.command_directory = command_directory;

    Diagnostics diagnostics;
    auto plan = make_plan(config_directory, options.facts, diagnostics);
    if (plan) check_queue_directory(plan->settings, diagnostics);
    if (plan) check_kernel(diagnostics);
    if (plan && !diagnostics.has_errors()) judge(*plan, diagnostics);
    show(diagnostics);
    if (diagnostics.has_errors()) {
        return fail(options.outcome_fd,
                    check_only ? "it would not start like that" : "nothing was started");
    }
    if (check_only) return 0;

    const std::string pid_path = plan->settings.text("queue_directory") + "/pid/master.pid";
    const auto lock = lock_pid_file(pid_path);
    if (!lock)
        return fail(options.outcome_fd, lock.error().os_errno == EWOULDBLOCK
                                            ? "it is running already (" + pid_path + " is locked)"
                                            : lock.error().text());
    (void)!::chdir("/");
    if (!options.foreground) leave_terminal();
    MasterLog log(options.foreground);
    return Supervisor(std::move(*plan), std::move(options), log).run();
}
