#include "runtime/settings/master_cf.h"

#include <algorithm>

#include "base/strings.h"

#include "runtime/settings/file.h"

namespace posthaste {

namespace {

constexpr size_t kServicesMax = 256;
constexpr uint32_t kWakeupMaxS = 30 * 86400;
constexpr uint32_t kProcessesMax = 100'000;

using Word = MasterCfWord;

// One line's reading: the first fault is reported and ends it.
class LineReader {
 public:
    LineReader(Place place, Diagnostics& diagnostics) : diagnostics_(diagnostics) {
        service_.place = std::move(place);
    }

    std::optional<MasterCfService> read(std::string_view line) {
        const auto words = master_cf_words(line);
        if (!words) return fault("\"{\" without its \"}\"");
        if (words->size() < 8)
            return fault(
                "has " + std::to_string(words->size()) +
                " columns; write service, type, private, unpriv, chroot, wakeup, maxproc, command");
        service_.name = (*words)[0].text;
        service_.program = (*words)[7].text;
        for (const std::string& name : {service_.name, service_.program}) {
            if (!is_plain(name))
                return fault("\"" + printable(name, 60) +
                             "\" is no name; write one without blanks, braces and control "
                             "characters");
        }
        if (service_.program.find('/') != std::string::npos)
            return fault("command \"" + service_.program +
                         "\" holds a \"/\"; write the program's name, it is found in "
                         "daemon_directory");
        const bool good = read_type((*words)[1].text) &&
                          read_flag((*words)[2].text, "private", service_.is_private) &&
                          read_flag((*words)[3].text, "unpriv", service_.unprivileged) &&
                          read_flag((*words)[4].text, "chroot", service_.chroot) &&
                          read_wakeup((*words)[5].text) && read_process_limit((*words)[6].text) &&
                          read_arguments(*words);
        if (!good) return std::nullopt;
        // As in Postfix: what listens on the network is nobody's private matter.
        if (service_.type == ServiceType::inet) {
            if (service_.is_private && (*words)[2].text != "-")
                return fault("a service of type inet is never private; write n");
            service_.is_private = false;
        }
        return std::move(service_);
    }

 private:
    static bool is_plain(std::string_view name) {
        return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
            return c > ' ' && c < 0x7f && c != '{' && c != '}';
        });
    }

    std::nullopt_t fault(std::string text) {
        diagnostics_.error(service_.place, std::move(text));
        return std::nullopt;
    }

    bool read_type(std::string_view text) {
        if (text == "inet") return service_.type = ServiceType::inet, true;
        if (text == "unix") return service_.type = ServiceType::unix_stream, true;
        if (text == "unix-dgram") return service_.type = ServiceType::unix_dgram, true;
        fault("type \"" + std::string(text) +
              "\" does not exist here; write inet, unix or unix-dgram");
        return false;
    }

    bool read_flag(std::string_view text, std::string_view column, bool& flag) {
        if (text == "-") return true;
        if (text == "y" || text == "n") return flag = text == "y", true;
        fault(std::string(column) + " column \"" + std::string(text) + "\"; write y, n or -");
        return false;
    }

    bool read_wakeup(std::string_view text) {
        if (text == "-") return true;
        std::string_view digits = text;
        service_.wakeup_if_used = digits.ends_with('?');
        if (service_.wakeup_if_used) digits.remove_suffix(1);
        const auto seconds = parse_number(digits, kWakeupMaxS);
        if (!seconds)
            return fault("wakeup column \"" + std::string(text) +
                         "\"; write seconds, as in 300 or 300?"),
                   false;
        service_.wakeup_s = static_cast<uint32_t>(*seconds);
        return true;
    }

    bool read_process_limit(std::string_view text) {
        if (text == "-") return true;
        const auto limit = parse_number(text, kProcessesMax);
        if (!limit)
            return fault("maxproc column \"" + std::string(text) + "\"; write a number or -"),
                   false;
        service_.process_limit = static_cast<uint32_t>(*limit);
        return true;
    }

    bool read_arguments(const std::vector<Word>& words) {
        for (size_t i = 8; i < words.size(); ++i) {
            const std::string& word = words[i].text;
            if (words[i].braced || !word.starts_with('-'))
                return fault("argument \"" + printable(word, 60) +
                             "\": only options are understood, as -o name=value"),
                       false;
            if (word == "-v" || word == "-D") {
                diagnostics_.warning(service_.place, word + " does nothing here");
                continue;
            }
            if (!word.starts_with("-o"))
                return fault("option \"" + printable(word, 60) +
                             "\" does not exist; write -o name=value"),
                       false;
            Word assignment{word.substr(2), false};
            if (assignment.text.empty()) {
                if (++i == words.size()) return fault("-o without name=value"), false;
                assignment = words[i];
            }
            if (!read_override(assignment)) return false;
        }
        return true;
    }

    bool read_override(const Word& word) {
        const std::string_view text = word.text;
        const size_t equals = text.find('=');
        const auto name = trimmed(text.substr(0, equals));
        if (equals == std::string_view::npos || name.empty() ||
            name.find_first_of(" \t") != std::string_view::npos)
            return fault("-o " + printable(text, 60) +
                         ": write -o name=value, or -o { name = value with blanks }"),
                   false;
        if (!is_plain(name))
            return fault("-o " + printable(text, 60) +
                         ": a parameter's name has no braces and control characters; write "
                         "-o name=value"),
                   false;
        service_.overrides.push_back(
            {std::string(name), std::string(trimmed(text.substr(equals + 1))), service_.place});
        return true;
    }

    MasterCfService service_;
    Diagnostics& diagnostics_;
};

}  // namespace

std::optional<std::vector<MasterCfWord>> master_cf_words(std::string_view line) {
    std::vector<MasterCfWord> words;
    for (line = trimmed(line); !line.empty(); line = trimmed(line)) {
        if (line[0] != '{') {
            const size_t end = std::min(line.find_first_of(" \t"), line.size());
            words.push_back({std::string(line.substr(0, end)), false});
            line.remove_prefix(end);
            continue;
        }
        size_t open = 0;
        size_t end = 0;
        for (; end < line.size(); ++end) {
            if (line[end] == '{') ++open;
            if (line[end] == '}' && --open == 0) break;
        }
        if (end == line.size()) return std::nullopt;
        words.push_back({std::string(trimmed(line.substr(1, end - 1))), true});
        line.remove_prefix(end + 1);
    }
    return words;
}

std::string_view name_of(ServiceType type) noexcept {
    switch (type) {
        case ServiceType::inet:
            return "inet";
        case ServiceType::unix_stream:
            return "unix";
        case ServiceType::unix_dgram:
            return "unix-dgram";
    }
    return "?";
}

MasterCf MasterCf::parse(std::string path, std::string_view text, Diagnostics& diagnostics) {
    MasterCf out;
    out.path = std::move(path);
    for (const LogicalLine& line : logical_lines(text)) {
        const Place place{out.path, line.first_line};
        auto service = LineReader(place, diagnostics).read(line.text);
        if (!service) continue;
        const auto same = std::find_if(
            out.services.begin(), out.services.end(), [&](const MasterCfService& other) {
                return other.name == service->name && other.type == service->type;
            });
        if (same != out.services.end()) {
            diagnostics.warning(place, "overrides the earlier service " + service->name +
                                           " of line " + std::to_string(same->place.line));
            *same = std::move(*service);
        } else if (out.services.size() < kServicesMax) {
            out.services.push_back(std::move(*service));
        } else {
            diagnostics.error(place, "more than " + std::to_string(kServicesMax) + " services");
        }
    }
    return out;
}

MasterCf MasterCf::load(const std::string& path, Diagnostics& diagnostics) {
    const auto text = read_file(path, kConfigFileBytesMax);
    if (!text) {
        diagnostics.error({path, 0}, "cannot be read: " + text.error().text() +
                                         "; `posthaste init` writes a working configuration");
        return {path, {}};
    }
    return parse(path, *text, diagnostics);
}

}  // namespace posthaste
