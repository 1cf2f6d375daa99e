#include <algorithm>

#include "command/init.h"

namespace posthaste {

namespace {

struct Mode {
    std::string_view name;
    std::string_view about;
    std::string_view listen;    // when --listen says nothing
    std::string_view networks;  // when --mynetworks says nothing; empty: mynetworks_style = host
    std::string_view settings;
};

constexpr std::string_view kLoopback = "127.0.0.0/8 [::1]/128";

constexpr Mode kModes[] = {
    {"relay", "accepts mail from this machine's networks and sends it on", "smtp", "",
     "# Domains whose mail anybody may hand in.\n"
     "relay_domains =\n"},
    {"null-client", "this machine's own mail, all of it to one relay", "127.0.0.1:smtp", kLoopback,
     "inet_interfaces = loopback-only\n"
     "relayhost = $mydomain\n"},
    {"internet", "delivers to everybody by MX, accepts from the own network", "smtp", "",
     "# Domains whose mail anybody may hand in.\n"
     "relay_domains =\n"},
    {"bulk", "much outgoing mail: domains behind one provider share its limits", "smtp", "",
     "smtpd_client_connection_count_limit = 0\n"
     "smtpd_peername_lookup = no\n"
     "destination_rollup = mx\n"
     "qmgr_message_active_limit = 100000\n"
     "maximal_queue_lifetime = 2d\n"
     "# More mail for less CPU, on a machine that does nothing else.\n"
     "process_scheduling = batch\n"
     "bounce_queue_lifetime = 1d\n"},
    {"load-test", "measuring on one machine: no look-ups, no limits in the way", "127.0.0.1:2525",
     kLoopback,
     "smtpd_client_connection_count_limit = 0\n"
     "smtpd_peername_lookup = no\n"
     "qmgr_message_active_limit = 100000\n"
     "process_scheduling = batch\n"
     "initial_destination_concurrency = 20\n"
     "default_destination_concurrency_limit = 40\n"},
};

const Mode& mode_of(const InitOptions& options) {
    for (const Mode& mode : kModes)
        if (mode.name == options.mode) return mode;
    return kModes[0];
}

}  // namespace

std::vector<std::string_view> init_modes() {
    std::vector<std::string_view> out;
    for (const Mode& mode : kModes) out.push_back(mode.name);
    return out;
}

std::string initial_main_cf(const InitOptions& options, std::string_view queue_directory,
                            std::string_view log_file) {
    const Mode& mode = mode_of(options);
    std::string out = "# Posthaste, mode " + std::string(mode.name) + ": " +
                      std::string(mode.about) +
                      ".\n"
                      "# Syntax, names and defaults are Postfix's. `postconf -d` shows every "
                      "parameter, `postconf -e` sets\n"
                      "# one; then `posthaste reload`.\n\n"
                      "queue_directory = " +
                      std::string(queue_directory) + "\n";
    if (!log_file.empty()) out += "maillog_file = " + std::string(log_file) + "\n";
    out +=
        "\n# The name in greetings and Received: lines. Not set: the machine's own.\n"
        "#myhostname = mail.example.com\n"
        "# Nothing is delivered on this machine.\n"
        "mydestination =\n\n";
    out +=
        "# Who may relay; others are refused (554 5.7.1 Relay access denied). This machine alone:\n"
        "# mynetworks_style = host; clients elsewhere: networks or addresses, as in\n"
        "# mynetworks = 127.0.0.0/8 [::1]/128 192.0.2.0/24\n";
    const std::string networks =
        options.mynetworks.empty() ? std::string(mode.networks) : options.mynetworks;
    out += networks.empty() ? "mynetworks_style = host\n\n" : "mynetworks = " + networks + "\n\n";
    std::string settings(mode.settings);
    if (!options.relayhost.empty()) {
        if (const size_t at = settings.find("relayhost ="); at != std::string::npos)
            settings.erase(at, settings.find('\n', at) + 1 - at);
        settings += "relayhost = " + options.relayhost + "\n";
    } else if (settings.find("relayhost =") == std::string::npos) {
        settings +=
            "# All mail by way of one host: [smtp.example.com]:587. Empty: by MX.\nrelayhost =\n";
    }
    return out + settings;
}

std::string initial_master_cf(const InitOptions& options) {
    std::string out =
        "# service             type       private unpriv chroot wakeup maxproc command + args\n"
        "# maxproc \"-\": worker_processes for what may run in several, one of everything else.\n";
    std::vector<std::string> listen = options.listen;
    if (listen.empty()) listen.emplace_back(mode_of(options).listen);
    for (std::string name : listen) {
        name.resize(std::max<size_t>(name.size(), 21), ' ');
        out += name + " inet       n       -      y      -      -       smtpd\n";
    }
    out +=
        "cleanup               unix       n       -      y      -      -       cleanup\n"
        "store                 unix       -       -      y      -      1       store\n"
        "qmgr                  unix       n       -      y      300    1       qmgr\n"
        "rewrite               unix       -       -      y      -      1       trivial-rewrite\n"
        "smtp                  unix       -       -      y      -      -       smtp\n"
        "relay                 unix       -       -      y      -      -       smtp\n"
        "postlog               unix-dgram n       -      y      -      1       postlogd\n";
    return out;
}

}  // namespace posthaste
