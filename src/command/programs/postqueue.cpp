// postqueue: lists the queue and asks for its delivery.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <sysexits.h>

#include "command/queue_commands.h"

int main(int argc, char** argv) {
    std::string config_directory = "/etc/posthaste";
    std::string queue_id;
    bool list = false;
    bool list_json = false;
    bool flush = false;
    bool verbose = false;
    CLI::App app(
        "Lists the mail queue (-p, -j) or asks for delivery (-f: all, -i ID: one message).");
    app.add_option("-c", config_directory, "configuration directory");
    app.add_flag("-p", list, "list in sendmail's style");
    app.add_flag("-j", list_json, "list as JSON, one object a line");
    app.add_flag("-f", flush, "deliver everything that waits");
    app.add_option("-i", queue_id, "deliver this message");
    app.add_flag("-v", verbose, "accepted for compatibility");
    const auto explain_use = [] {
        std::fputs(
            "postqueue: fatal: usage: postqueue -f | postqueue -i queueid | postqueue -j | "
            "postqueue -p\n",
            stderr);
        return EX_UNAVAILABLE;  // as Postfix has it
    };
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& asked) {
        return app.exit(asked);
    } catch (const CLI::ParseError&) {
        return explain_use();
    }
    if (list + list_json + flush + !queue_id.empty() != 1) return explain_use();

    const posthaste::Instance instance(config_directory);
    if (list || list_json) return posthaste::list_queue(instance, list_json);
    return posthaste::flush_queue(instance, queue_id);
}
