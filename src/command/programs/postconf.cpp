// postconf: shows and changes parameters.
#include "command/postconf.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sysexits.h>

int main(int argc, char** argv) {
    std::string config_directory = "/etc/posthaste";
    posthaste::PostconfOptions options;
    CLI::App app(
        "Shows parameters (all, or those named), their defaults (-d), those that main.cf sets "
        "(-n), and sets "
        "them (name=value).");
    app.set_help_flag("--help", "this text");
    app.add_option("-c", config_directory, "configuration directory");
    app.add_flag("-d", options.defaults, "defaults instead of what holds");
    app.add_flag("-n", options.only_set, "only what main.cf sets");
    app.add_flag("-x", options.expanded, "with $name replaced by values");
    app.add_flag("-h", options.without_names, "values only");
    app.add_flag("-H", options.without_values, "names only");
    app.add_flag("-e", options.edit, "write name=value into main.cf; implied by \"=\"");
    app.add_option("words", options.words, "names, or name=value");
    CLI11_PARSE(app, argc, argv);
    return posthaste::postconf(config_directory, options);
}
