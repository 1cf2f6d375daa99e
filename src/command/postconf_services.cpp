#include "command/postconf_services.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <sysexits.h>

#include "base/strings.h"

#include "runtime/settings/expand.h"
#include "runtime/settings/file.h"
#include "runtime/settings/master_cf.h"
#include "runtime/settings/postfix_names.h"

#include "command/instance.h"

namespace posthaste {

namespace {

constexpr size_t kColumns = 8;  // the last is the command
constexpr std::array<std::string_view, kColumns> kColumnNames = {
    "service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"};
// Where each begins, as in Postfix; one that is too long pushes the next along.
constexpr std::array<size_t, kColumns> kColumnStarts = {0, 11, 17, 25, 33, 41, 49, 57};

struct Line {
    std::array<std::string, kColumns> columns;
    std::vector<std::string> arguments;  // "-v", "-o name=value", "-o {name=value with blanks}"
    std::map<std::string, std::string> parameters;

    std::string command() const {
        std::string out = columns.back();
        for (const std::string& argument : arguments) out += " " + argument;
        return out;
    }
};

// Blanks around the "=" mean nothing.
std::string tight(std::string_view assignment) {
    const size_t equals = assignment.find('=');
    if (equals == std::string_view::npos) return std::string(assignment);
    return std::string(trimmed(assignment.substr(0, equals))) + "=" +
           std::string(trimmed(assignment.substr(equals + 1)));
}

std::string as_one_word(const std::string& text) {
    return text.find_first_of(" \t") == std::string::npos ? text : "{" + text + "}";
}

std::optional<Line> read_line(std::string_view text) {
    const auto words = master_cf_words(text);
    if (!words || words->size() < kColumns) return std::nullopt;
    Line out;
    for (size_t i = 0; i < kColumns; ++i) out.columns[i] = (*words)[i].text;
    for (size_t i = kColumns; i < words->size(); ++i) {
        const MasterCfWord& word = (*words)[i];
        const bool is_override = !word.braced && word.text.starts_with("-o");
        std::string assignment = is_override ? word.text.substr(2) : std::string();
        if (is_override && assignment.empty() && i + 1 < words->size())
            assignment = (*words)[++i].text;
        if (!is_override) {
            out.arguments.push_back(as_one_word(word.text));
            continue;
        }
        assignment = tight(assignment);
        out.arguments.push_back("-o " + as_one_word(assignment));
        const size_t equals = assignment.find('=');
        if (equals != std::string::npos)
            out.parameters[assignment.substr(0, equals)] = assignment.substr(equals + 1);
    }
    return out;
}

void print_line(const Line& line, bool folded) {
    std::string out;
    for (size_t i = 0; i < kColumns; ++i) {
        if (i > 0) out += ' ';
        out.resize(std::max(out.size(), kColumnStarts[i]), ' ');
        out += line.columns[i];
    }
    bool is_first_line = true;
    for (const std::string& argument : line.arguments) {
        is_first_line = is_first_line && argument.size() == 2;  // -v, -D
        out += (folded && !is_first_line ? "\n    " : " ") + argument;
    }
    std::printf("%s\n", out.c_str());
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

bool fits(std::string_view wanted, std::string_view what) {
    return wanted.empty() || wanted == "*" || wanted == what;
}

class Printer {
 public:
    Printer(const Instance& instance, const PostconfOptions& options, std::vector<Line> lines)
        : instance_(instance), options_(options), lines_(std::move(lines)) {}

    // "service/type/column or parameter", each part "*" or left out for all. False: a usage fault.
    bool show(const std::string& request) {
        std::array<std::string_view, 3> parts;
        std::string_view rest = request;
        for (std::string_view& part : parts) {
            const size_t slash = rest.find('/');
            part = rest.substr(0, slash);
            rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
        }
        if (options_.services && (!parts[2].empty() || !rest.empty()))
            return fail("-M option requires service_name[/type]");
        if (options_.columns && !fits(parts[2], parts[2] == "*" ? "*" : column_named(parts[2])))
            return fail("invalid service attribute name: \"" + std::string(parts[2]) + "\"");
        bool found = false;
        for (const Line& line : lines_) {
            if (!fits(parts[0], line.columns[0]) || !fits(parts[1], line.columns[1])) continue;
            found = show(line, parts[2]) || found;
        }
        if (!found && !request.empty())
            std::fprintf(stderr, "postconf: warning: unmatched request: \"%s\"\n", request.c_str());
        return true;
    }

 private:
    static bool fail(const std::string& why) {
        std::fprintf(stderr, "postconf: fatal: %s\n", why.c_str());
        return false;
    }

    static std::string_view column_named(std::string_view name) {
        const auto* const found = std::find(kColumnNames.begin(), kColumnNames.end(), name);
        return found == kColumnNames.end() ? std::string_view() : *found;
    }

    bool show(const Line& line, std::string_view wanted) {
        const std::string prefix = line.columns[0] + "/" + line.columns[1] + "/";
        if (options_.services) {
            print_line(line, options_.folded);
            return true;
        }
        bool found = false;
        if (options_.columns) {
            for (size_t i = 0; i < kColumns; ++i) {
                if (!fits(wanted, kColumnNames[i])) continue;
                print(prefix + std::string(kColumnNames[i]),
                      i + 1 < kColumns ? line.columns[i] : line.command(), options_);
                found = true;
            }
            return found;
        }
        for (const auto& [name, value] : line.parameters) {
            if (!fits(wanted, name)) continue;
            print(prefix + name, options_.expanded ? expanded(line, value) : value, options_);
            found = true;
        }
        return found;
    }

    std::string expanded(const Line& line, const std::string& value) const {
        std::vector<MainCfEntry> overrides;
        for (const auto& [name, text] : line.parameters) overrides.push_back({name, text, {}});
        return expand(
                   value,
                   [&](std::string_view name) { return instance_.reader().raw(name, overrides); })
            .text;
    }

    const Instance& instance_;
    const PostconfOptions& options_;
    const std::vector<Line> lines_;
};

// Names that parameters of a service mention, and that neither it nor main.cf nor anybody defines.
void warn_of_undefined(const Instance& instance, const std::string& path,
                       const std::vector<Line>& lines) {
    std::set<std::string> undefined;
    for (const Line& line : lines) {
        for (const auto& [_, value] : line.parameters) {
            for_each_name(value, [&](std::string_view name) {
                if (row_for(name) == nullptr && !is_postfix_only(name) &&
                    instance.main_cf().find(name) == nullptr &&
                    !line.parameters.contains(std::string(name)))
                    undefined.emplace(name);
            });
        }
    }
    for (const std::string& name : undefined)
        std::fprintf(stderr, "postconf: warning: %s: undefined parameter: %s\n", path.c_str(),
                     name.c_str());
}

}  // namespace

int postconf_services(const Instance& instance, const PostconfOptions& options) {
    if (options.services && (options.without_names || options.without_values)) {
        std::fprintf(stderr, "postconf: fatal: with option -M, do not specify -%c\n",
                     options.without_names ? 'h' : 'H');
        return 1;
    }
    const std::string path = instance.config_directory() + "/master.cf";
    const auto text = read_file(path, kConfigFileBytesMax);
    if (!text) {
        std::fprintf(stderr, "postconf: fatal: open %s: %s\n", path.c_str(),
                     text.error().text().c_str());
        return EX_NOINPUT;
    }
    std::vector<Line> lines;
    for (const LogicalLine& logical : logical_lines(*text)) {
        auto line = read_line(logical.text);
        if (!line) {
            std::fprintf(stderr, "postconf: fatal: file %s: line %u: bad field count\n",
                         path.c_str(), logical.first_line);
            return 1;
        }
        lines.push_back(std::move(*line));
    }
    warn_of_undefined(instance, path, lines);
    Printer printer(instance, options, std::move(lines));
    if (options.words.empty()) return printer.show("") ? EX_OK : 1;
    for (const std::string& word : options.words)
        if (!printer.show(word)) return 1;
    return EX_OK;
}

}  // namespace posthaste
