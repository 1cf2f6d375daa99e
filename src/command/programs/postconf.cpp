// postconf: shows and changes parameters.
#include "command/postconf.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sysexits.h>

int main(int argc, char** argv) {
    std::string config_directory = "/etc/posthaste";
    posthaste::PostconfOptions options;
    bool show_table_types = false;
    bool is_plain = false;
    CLI::App app(
        "Shows parameters (all, or those named), their defaults (-d), those that main.cf sets "
        "(-n), and sets "
        "them (name=value).");
    app.set_help_flag("--help", "this text");
    app.add_option("-c", config_directory, "configuration directory");
    app.add_flag("-d", options.defaults, "defaults instead of what holds");
    app.add_flag("-p", is_plain, "what main.cf makes of them: what is done anyway");
    app.add_flag("-n", options.only_set, "only what main.cf sets");
    app.add_flag("-x", options.expanded, "with $name replaced by values");
    app.add_flag("-h", options.without_names, "values only");
    app.add_flag("-H", options.without_values, "names only");
    app.add_flag("-e", options.edit, "write name=value into main.cf; implied by \"=\"");
    app.add_flag("-X", options.remove, "remove the named parameters from main.cf");
    app.add_flag("-#", options.comment_out, "make comments of the named parameters");
    app.add_flag("-M", options.services, "master.cf's lines: service[/type] …");
    app.add_flag("-F", options.columns, "their columns: service[/type[/column]] …");
    app.add_flag("-P", options.parameters, "their -o: service[/type[/parameter]] …");
    app.add_flag("-f", options.folded, "fold long lines");
    app.add_option("-o", options.overrides, "name=value that holds over main.cf")
        ->allow_extra_args(false);
    app.add_flag("-m", show_table_types, "the types of tables that can be looked up in");
    app.add_option("words", options.words, "names, or name=value");
    CLI11_PARSE(app, argc, argv);
    if (show_table_types) {
        std::puts("inline\nstatic\ntexthash");
        return EX_OK;
    }
    return posthaste::postconf(config_directory, options);
}
