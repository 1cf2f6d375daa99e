#include "command/postconf.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <sysexits.h>

#include "base/strings.h"

#include "runtime/settings/edit.h"
#include "runtime/settings/file.h"

#include "command/instance.h"

namespace posthaste {

namespace {

void show_faults(const Diagnostics& diagnostics) {
    for (const Diagnostic& diagnostic : diagnostics.all())
        std::fprintf(stderr, "postconf: %s\n", diagnostic.shown().c_str());
}

int edit(const std::string& config_directory, const std::vector<std::string>& words) {
    std::vector<std::pair<std::string, std::string>> values;
    for (const std::string& word : words) {
        const size_t equals = word.find('=');
        const std::string name(trimmed(std::string_view(word).substr(0, equals)));
        if (equals == std::string::npos || name.empty() ||
            name.find_first_of(" \t\n") != std::string::npos ||
            word.find('\n') != std::string::npos) {
            std::fprintf(stderr, "postconf: fatal: \"%s\": write name=value\n", word.c_str());
            return EX_USAGE;
        }
        values.emplace_back(name, trimmed(std::string_view(word).substr(equals + 1)));
    }
    const std::string path = config_directory + "/main.cf";
    const auto text = read_file(path, kConfigFileBytesMax);
    if (!text) {
        std::fprintf(stderr, "postconf: fatal: %s: %s\n", path.c_str(),
                     text.error().text().c_str());
        return EX_NOINPUT;
    }
    const auto written = replace_file(path, edited_main_cf(*text, values));
    if (!written) {
        std::fprintf(stderr, "postconf: fatal: %s: %s\n", path.c_str(),
                     written.error().text().c_str());
        return EX_CANTCREAT;
    }
    return EX_OK;
}

std::vector<std::string> names_to_show(const Instance& instance, const PostconfOptions& options) {
    if (!options.words.empty()) return options.words;
    std::set<std::string> names;
    if (!options.only_set)
        for (const ParameterRow& row : parameter_table()) names.emplace(row.name);
    if (!options.defaults)
        for (const MainCfEntry& entry : instance.main_cf().entries)
            if (options.only_set || row_for(entry.name)) names.insert(entry.name);
    return {names.begin(), names.end()};
}

void print(const std::string& name, const std::string& value, const PostconfOptions& options) {
    if (options.without_names) {
        std::printf("%s\n", value.c_str());
    } else if (options.without_values) {
        std::printf("%s\n", name.c_str());
    } else {
        std::printf("%s =%s%s\n", name.c_str(), value.empty() ? "" : " ", value.c_str());
    }
}

}  // namespace

int postconf(const std::string& config_directory, const PostconfOptions& options) {
    const bool assigns =
        std::any_of(options.words.begin(), options.words.end(),
                    [](const std::string& word) { return word.find('=') != std::string::npos; });
    if (options.edit || assigns) return edit(config_directory, options.words);

    const Instance instance(config_directory);
    if (!options.defaults) show_faults(instance.diagnostics());
    const MainCf nothing;
    // As in Postfix, what would hold here if main.cf said nothing: the machine has its say.
    const SettingsReader reader =
        options.defaults ? SettingsReader(nothing, instance.facts()) : instance.reader();
    for (const std::string& name : names_to_show(instance, options)) {
        if (options.only_set && instance.main_cf().find(name) == nullptr) continue;
        const auto value = reader.raw(name);
        if (!value) {
            std::fprintf(stderr, "postconf: warning: %s: unknown parameter\n", name.c_str());
            continue;
        }
        print(name, options.expanded ? reader.expanded(name).text : *value, options);
    }
    return !options.defaults && instance.diagnostics().has_errors() ? EX_NOINPUT : EX_OK;
}

}  // namespace posthaste
