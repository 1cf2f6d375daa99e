#include "command/init.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <limits.h>
#include <pwd.h>
#include <set>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/settings/file.h"
#include "runtime/settings/queue_directory.h"
#include "runtime/settings/system_facts.h"

#include "command/instance.h"

extern char** environ;

namespace posthaste {

namespace {

constexpr std::string_view kStandardDirectory = "/etc/posthaste";
constexpr std::array<std::string_view, 4> kUserParameters = {"network_user", "queue_user",
                                                             "store_user", "log_user"};

int fail(const std::string& why) {
    std::fprintf(stderr, "posthaste init: error: %s\n", why.c_str());
    return 1;
}

void tell(const std::string& what) { std::printf("posthaste init: %s\n", what.c_str()); }

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// Like mkdir -p.
Result<void> make_directories(const std::string& path) {
    for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
        if (::mkdir(path.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST)
            return os_error("mkdir");
        if (slash == std::string::npos) return {};
    }
}

bool make_user(const std::string& name) {
    std::array<std::string, 10> arguments = {"useradd",      "--system",
                                             "--user-group", "--no-create-home",
                                             "--home-dir",   "/nonexistent",
                                             "--shell",      "/usr/sbin/nologin",
                                             "--",           name};
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    pid_t pid = -1;
    for (const char* program : {"/usr/sbin/useradd", "/sbin/useradd"})
        if (::posix_spawn(&pid, program, nullptr, nullptr, pointers.data(), environ) == 0) break;
    int status = 1;
    return pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

bool make_users(const Settings& settings) {
    std::set<std::string> names;
    for (const auto parameter : kUserParameters) names.insert(settings.text(parameter));
    for (const std::string& name : names) {
        if (::getpwnam(name.c_str()) != nullptr) continue;
        if (!make_user(name) && ::getpwnam(name.c_str()) == nullptr) {
            fail("cannot create the system user " + name + "; run: useradd --system --user-group " +
                 name);
            return false;
        }
        tell("created the system user " + name);
    }
    return true;
}

std::string real_path(const std::string& path) {
    char resolved[PATH_MAX];
    return ::realpath(path.c_str(), resolved) ? std::string(resolved) : path;
}

Result<bool> write_unless_there(const std::string& path, const std::string& text, bool force) {
    if (exists(path) && !force) {
        tell("kept " + path + " (--force overwrites it)");
        return false;
    }
    RETURN_IF_ERROR(replace_file(path, text));
    tell("wrote " + path);
    return true;
}

}  // namespace

int init(const InitOptions& options) {
    if (::geteuid() != 0)
        return fail("must be run as root: it makes users and gives them directories");
    if (const auto made = make_directories(options.config_directory); !made)
        return fail(options.config_directory + ": " + made.error().text());
    const std::string directory = real_path(options.config_directory);
    const bool asked_for_contents =
        !options.mode.empty() || !options.listen.empty() || !options.relayhost.empty();
    if (exists(directory + "/main.cf") && asked_for_contents && !options.force)
        return fail(directory +
                    "/main.cf exists; --force overwrites it, without options init only adds what "
                    "is missing");

    const bool standard = directory == kStandardDirectory;
    const std::string queue = standard ? "/var/spool/posthaste" : directory + "/queue";
    const std::string log_file = standard ? "" : directory + "/mail.log";
    const std::array<std::pair<std::string, std::string>, 2> files = {
        {{directory + "/main.cf", initial_main_cf(options, queue, log_file)},
         {directory + "/master.cf", initial_master_cf(options)}}};
    for (const auto& [path, text] : files)
        if (const auto written = write_unless_there(path, text, options.force); !written)
            return fail(path + ": " + written.error().text());

    const Instance instance(directory);
    Diagnostics diagnostics = instance.diagnostics();
    const auto settings = instance.reader().read({}, diagnostics);
    for (const Diagnostic& diagnostic : diagnostics.all())
        std::fprintf(stderr, "posthaste init: %s\n", diagnostic.shown().c_str());
    if (!settings || !make_users(*settings)) return 1;

    const std::string& queue_directory = settings->text("queue_directory");
    if (const auto made = make_directories(queue_directory.substr(0, queue_directory.rfind('/')));
        !made)
        return fail(queue_directory + ": " + made.error().text());
    if (const auto made = make_queue_directories(*settings); !made)
        return fail(queue_directory + ": " + made.error().text());
    Diagnostics faults;
    check_queue_directory(*settings, faults);
    for (const Diagnostic& fault : faults.all())
        std::fprintf(stderr, "posthaste init: %s\n", fault.shown().c_str());
    if (faults.has_errors()) return 1;
    tell("mail is relayed for " + settings->text("mynetworks") +
         "; other clients are refused until mynetworks names them");
    tell("the queue is " + queue_directory + "; start the service: posthaste" +
         (standard ? std::string() : " -c " + directory) + " start");
    return 0;
}

}  // namespace posthaste
