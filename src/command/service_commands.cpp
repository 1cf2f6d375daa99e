#include "command/service_commands.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vector>

#include "base/fd.h"
#include "base/strings.h"
#include "base/units.h"

#include "runtime/settings/system_facts.h"
#include "runtime/settings/value.h"

#include "command/local_socket.h"
#include "command/status_text.h"

namespace posthaste {

namespace {

constexpr int kNotWell = 2;

int complain(const std::string& text) {
    std::fprintf(stderr, "posthaste: error: %s\n", text.c_str());
    return 1;
}

int not_running(const Instance& instance) {
    return complain("the service of " + instance.config_directory() + " is not running");
}

// Faults that master would find too, but without which there is no finding master.
bool has_configuration(const Instance& instance) {
    if (!instance.diagnostics().has_errors()) return true;
    for (const Diagnostic& diagnostic : instance.diagnostics().all())
        std::fprintf(stderr, "posthaste: %s\n", diagnostic.shown().c_str());
    return false;
}

std::vector<std::string> master_arguments(const Instance& instance, std::vector<std::string> more) {
    std::vector<std::string> out = {instance.master_program(), "-c", instance.config_directory(),
                                    "--command-directory", own_directory()};
    out.insert(out.end(), more.begin(), more.end());
    return out;
}

// Returns only when the program cannot be run.
int become(const std::vector<std::string>& arguments) {
    std::vector<char*> pointers;
    for (const std::string& argument : arguments)
        pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    ::execv(pointers[0], pointers.data());
    return complain(arguments[0] + ": " + std::strerror(errno) + "; check daemon_directory");
}

int status_of(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

std::string read_until_closed(int fd) {
    std::string out;
    char piece[4096];
    for (;;) {
        const ssize_t got = ::read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return out;
        out.append(piece, static_cast<size_t>(got));
    }
}

bool wait_until_stopped(const Instance& instance, int64_t patience_us) {
    constexpr int64_t kStepUs = 10 * kMsUs;
    for (int64_t waited_us = 0; instance.running(); waited_us += kStepUs) {
        if (waited_us >= patience_us) return false;
        const timespec step{0, kStepUs * 1000};
        ::nanosleep(&step, nullptr);
    }
    return true;
}

int64_t time_us_of(const Instance& instance, std::string_view name) {
    const auto* row = find_parameter(name);
    return parse_time_us(instance.value(name), time_unit_of(*row)).value_or(10 * kSecondUs);
}

}  // namespace

int start_service(const Instance& instance, StartMode mode) {
    if (!has_configuration(instance)) return 1;
    if (mode == StartMode::foreground) return become(master_arguments(instance, {"--foreground"}));
    int ends[2];
    if (::pipe(ends) != 0) return complain(os_error("pipe").text());
    Fd outcome(ends[0]);
    Fd told(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return complain(os_error("fork").text());
    if (pid == 0) {
        outcome.reset();
        ::setsid();
        ::_exit(become(master_arguments(instance, {"--outcome-fd", std::to_string(told.get())})));
    }
    told.reset();
    std::string said = read_until_closed(outcome.get());
    if (said == "ready\n") {
        std::printf("posthaste: running, pid %d\n", static_cast<int>(pid));
        return 0;
    }
    // It takes down what it had started; the port is free again when it has gone.
    status_of(pid);
    while (said.ends_with('\n')) said.pop_back();
    // Why a service could not start is that service's own word.
    for (char& c : said)
        if (is_control(c) && c != '\n') c = '?';
    return complain(said.empty() ? "master ended without a word; see the log" : said);
}

int check_service(const Instance& instance) {
    if (!has_configuration(instance)) return 1;
    const pid_t pid = ::fork();
    if (pid < 0) return complain(os_error("fork").text());
    if (pid == 0) ::_exit(become(master_arguments(instance, {"--check"})));
    return status_of(pid);
}

int stop_service(const Instance& instance) {
    const auto pid = instance.running();
    if (!pid) return not_running(instance);
    if (::kill(*pid, SIGTERM) != 0) return complain(os_error("signal master").text());
    // Master keeps to stop_time_limit by itself; the rest is for closing the queue.
    if (wait_until_stopped(instance, 2 * time_us_of(instance, "stop_time_limit") + 30 * kSecondUs))
        return 0;
    return complain("it did not stop; `posthaste abort` ends it at once");
}

int abort_service(const Instance& instance) {
    const auto pid = instance.running();
    if (!pid) return not_running(instance);
    if (::kill(*pid, SIGQUIT) != 0) return complain(os_error("signal master").text());
    if (wait_until_stopped(instance, 10 * kSecondUs)) return 0;
    return complain("master (pid " + std::to_string(*pid) + ") does not end");
}

int reload_service(const Instance& instance) {
    const auto pid = instance.running();
    if (!pid) return not_running(instance);
    auto asked = LocalSocket::ask(instance.socket_path("private/master"), "reload\n",
                                  time_us_of(instance, "start_time_limit") + 30 * kSecondUs);
    if (!asked)
        return complain(asked.error().os_errno == EACCES
                            ? "must be run as root"
                            : "master does not answer: " + asked.error().text());
    std::string outcome;
    const auto heard = asked->read_lines([&](std::string_view line) {
        if (!outcome.empty()) std::fprintf(stderr, "posthaste: %s\n", outcome.c_str());
        outcome = without_controls(line);
        return true;
    });
    if (!heard) return complain("master does not answer: " + heard.error().text());
    if (outcome == "reloaded") return 0;
    return complain("nothing was reloaded" +
                    (outcome.starts_with("refused: ") ? ": " + outcome.substr(9) : std::string()));
}

int show_status(const Instance& instance, bool as_json) {
    const auto pid = instance.running();
    if (!pid) return not_running(instance);
    auto answer = LocalSocket::ask(instance.socket_path("private/master"), "status\n");
    if (!answer) {
        if (answer.error().os_errno != EACCES)
            return complain("master does not answer: " + answer.error().text());
        std::printf("posthaste: running, pid %d (only root is told more)\n",
                    static_cast<int>(*pid));
        return 0;
    }
    const auto text = answer->read_all();
    if (!text) return complain("master does not answer: " + text.error().text());
    const std::string shown = as_json ? *text : status_text(*text);
    std::fwrite(shown.data(), 1, shown.size(), stdout);
    return tells_of_faults(*text) ? kNotWell : 0;
}

}  // namespace posthaste
