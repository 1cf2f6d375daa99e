// mailq: postqueue -p by its old name.
#include <CLI/CLI.hpp>

#include "command/queue_commands.h"

int main(int argc, char** argv) {
    std::string config_directory = "/etc/posthaste";
    CLI::App app("Lists the mail queue.");
    app.add_option("-c,-C", config_directory, "configuration directory");
    app.allow_extras();  // sendmail's options, which never mattered here
    CLI11_PARSE(app, argc, argv);
    return posthaste::list_queue(posthaste::Instance(config_directory), false);
}
