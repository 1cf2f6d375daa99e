#include "command/postconf.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <set>
#include <sysexits.h>

#include "base/strings.h"

#include "runtime/settings/edit.h"
#include "runtime/settings/expand.h"
#include "runtime/settings/file.h"
#include "runtime/settings/postfix_names.h"

#include "command/instance.h"
#include "command/postconf_services.h"

namespace posthaste {

namespace {

constexpr std::string_view kConfigDirectory = "config_directory";

void show_faults(const Diagnostics& diagnostics) {
    for (const Diagnostic& diagnostic : diagnostics.all())
        std::fprintf(stderr, "postconf: %s\n", diagnostic.shown().c_str());
}

int rewrite(const std::string& config_directory,
            const std::function<std::string(std::string_view)>& changed) {
    const std::string path = config_directory + "/main.cf";
    const auto text = read_file(path, kConfigFileBytesMax);
    if (!text) {
        std::fprintf(stderr, "postconf: fatal: %s: %s\n", path.c_str(),
                     text.error().text().c_str());
        return EX_NOINPUT;
    }
    const auto written = replace_file(path, changed(*text));
    if (!written) {
        std::fprintf(stderr, "postconf: fatal: %s: %s\n", path.c_str(),
                     written.error().text().c_str());
        return EX_CANTCREAT;
    }
    return EX_OK;
}

int edit(const std::string& config_directory, const std::vector<std::string>& words) {
    if (words.empty()) {
        std::fprintf(stderr, "postconf: fatal: -e requires name=value argument\n");
        return 1;
    }
    std::vector<std::pair<std::string, std::string>> values;
    for (const std::string& word : words) {
        const size_t equals = word.find('=');
        const std::string name(trimmed(std::string_view(word).substr(0, equals)));
        if (equals == std::string::npos || name.empty()) {
            std::fprintf(stderr, "postconf: fatal: missing %s: \"%s\"\n",
                         name.empty() ? "attribute name" : "'=' after attribute name",
                         word.c_str());
            return 1;
        }
        if (name.find_first_of(" \t\n") != std::string::npos ||
            word.find('\n') != std::string::npos) {
            std::fprintf(stderr, "postconf: fatal: \"%s\": write name=value\n", word.c_str());
            return 1;
        }
        values.emplace_back(name, trimmed(std::string_view(word).substr(equals + 1)));
    }
    return rewrite(config_directory,
                   [&](std::string_view text) { return edited_main_cf(text, values); });
}

int dispose(const std::string& config_directory, const std::vector<std::string>& names,
            Disposal disposal) {
    if (names.empty()) {
        std::fprintf(stderr, "postconf: fatal: missing service argument\n");
        return 1;
    }
    for (const std::string& name : names) {
        if (name.find_first_of("= \t\n") == std::string::npos) continue;
        std::fprintf(stderr, "postconf: fatal: -%c wants names alone, not \"%s\"\n",
                     disposal == Disposal::remove ? 'X' : '#', name.c_str());
        return EX_USAGE;
    }
    return rewrite(config_directory,
                   [&](std::string_view text) { return main_cf_without(text, names, disposal); });
}

// What a value mentions and what no parameter is, and what nothing reads: slips of the hand.
void warn_of_idle_names(const Instance& instance, const std::vector<MainCfEntry>& overrides,
                        bool of_unused) {
    const MainCf& main_cf = instance.main_cf();
    std::set<std::string, std::less<>> mentioned;
    const auto is_override = [&](std::string_view name) {
        return std::any_of(overrides.begin(), overrides.end(),
                           [&](const MainCfEntry& each) { return each.name == name; });
    };
    for (const MainCfEntry& entry : main_cf.entries)
        for_each_name(entry.value, [&](std::string_view name) { mentioned.emplace(name); });
    const auto is_known = [](std::string_view name) {
        return row_for(name) != nullptr || is_postfix_only(name);
    };
    if (of_unused) {
        std::fflush(stdout);
        for (const MainCfEntry& entry : main_cf.entries)
            if (!is_known(entry.name) && !mentioned.contains(entry.name))
                std::fprintf(stderr, "postconf: warning: %s: unused parameter: %s=%s\n",
                             main_cf.path.c_str(), entry.name.c_str(), entry.value.c_str());
        return;
    }
    for (const std::string& name : mentioned)
        if (!is_known(name) && main_cf.find(name) == nullptr && !is_override(name))
            std::fprintf(stderr, "postconf: warning: %s: undefined parameter: %s\n",
                         main_cf.path.c_str(), name.c_str());
}

bool is_of_use(const Instance& instance, std::string_view name) {
    bool found = is_postfix_only(name);
    for (const MainCfEntry& entry : instance.main_cf().entries)
        for_each_name(entry.value, [&](std::string_view other) { found = found || other == name; });
    return found;
}

std::vector<std::string> names_to_show(const Instance& instance, const PostconfOptions& options) {
    if (!options.words.empty()) return options.words;
    std::set<std::string> names;
    if (!options.only_set)
        for (const ParameterRow& row : parameter_table()) names.emplace(row.name);
    // As in Postfix: -c stands for a setting.
    if (options.only_set &&
        instance.config_directory() != find_parameter(kConfigDirectory)->initial)
        names.emplace(kConfigDirectory);
    if (!options.defaults)
        for (const MainCfEntry& entry : instance.main_cf().entries)
            if (row_for(entry.name) || (options.only_set && is_of_use(instance, entry.name)))
                names.insert(entry.name);
    return {names.begin(), names.end()};
}

// As Postfix shows values: with one blank where there are several, and none at the ends.
std::string one_line(std::string_view value) {
    std::string out;
    for (const std::string_view word : split(value, " \t\r\n")) {
        if (!out.empty()) out += ' ';
        out += word;
    }
    return out;
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
    const bool edits = options.edit || assigns;
    for (const auto& group : std::initializer_list<std::vector<std::pair<bool, std::string_view>>>{
             {{options.defaults, "-d"},
              {edits, "-e"},
              {options.only_set, "-n"},
              {options.comment_out, "-#"},
              {options.remove, "-X"}},
             {{options.defaults, "-d"}, {!options.overrides.empty(), "-o"}},
             {{options.without_names, "-h"}, {options.without_values, "-H"}},
             {{edits, "-e"},
              {options.comment_out, "-#"},
              {options.services, "-M"},
              {options.columns, "-F"},
              {options.parameters, "-P"},
              {options.remove, "-X"}}}) {
        std::string asked;
        for (const auto& [is_asked, flag] : group)
            if (is_asked) asked.append(" ").append(flag);
        if (asked.empty() || asked.find(' ', 1) == std::string::npos) continue;
        std::fprintf(stderr, "postconf: fatal: specify one of%s\n", asked.c_str());
        return 1;
    }
    if (options.remove || options.comment_out)
        return dispose(config_directory, options.words,
                       options.remove ? Disposal::remove : Disposal::comment_out);
    if (edits) return edit(config_directory, options.words);
    std::vector<MainCfEntry> overrides;
    for (const std::string& word : options.overrides) {
        const size_t equals = word.find('=');
        if (equals == std::string::npos) {
            std::fprintf(stderr,
                         "postconf: fatal: invalid parameter override: %s: missing '=' after "
                         "attribute name\n",
                         word.c_str());
            return 1;
        }
        overrides.push_back({std::string(trimmed(std::string_view(word).substr(0, equals))),
                             std::string(trimmed(std::string_view(word).substr(equals + 1))),
                             {}});
    }
    const Instance instance(config_directory);
    if (options.services || options.columns || options.parameters) {
        warn_of_idle_names(instance, overrides, false);
        return postconf_services(instance, options);
    }
    if (!options.defaults) {
        show_faults(instance.diagnostics());
        warn_of_idle_names(instance, overrides, false);
    }
    const MainCf nothing;
    // As in Postfix, what would hold here if main.cf said nothing: the machine has its say.
    const SettingsReader reader =
        options.defaults ? SettingsReader(nothing, instance.facts()) : instance.reader();
    for (const std::string& name : names_to_show(instance, options)) {
        const bool is_set = name == kConfigDirectory || instance.main_cf().find(name) != nullptr ||
                            std::any_of(overrides.begin(), overrides.end(),
                                        [&](const MainCfEntry& each) { return each.name == name; });
        const auto value = reader.raw(name, overrides);
        // A name of main.cf's own is a parameter when something mentions it.
        const bool is_own = value && row_for(name) == nullptr && name != kConfigDirectory;
        if (!value || (is_own && !is_of_use(instance, name))) {
            std::fflush(stdout);
            std::fprintf(stderr, "postconf: warning: %s: unknown parameter\n", name.c_str());
            continue;
        }
        if (options.only_set && !is_set) continue;
        if (!options.expanded) {
            print(name, one_line(*value), options);
            continue;
        }
        const auto expansion = reader.expanded(name, overrides);
        if (!expansion.fault.empty()) {
            std::fflush(stdout);
            std::fprintf(stderr, "postconf: fatal: %s: %s\n", name.c_str(),
                         expansion.fault.c_str());
            return 1;
        }
        print(name, one_line(expansion.text), options);
    }
    if (!options.defaults) warn_of_idle_names(instance, overrides, true);
    return !options.defaults && instance.diagnostics().has_errors() ? EX_NOINPUT : EX_OK;
}

}  // namespace posthaste
