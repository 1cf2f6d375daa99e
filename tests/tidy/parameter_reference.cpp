// Prints docs/parameters.md: the table of parameters for people. tests/tidy/reference writes the
// page, tidy.reference fails when it is stale.
#include <cinttypes>
#include <cstdio>
#include <span>
#include <string>

#include "runtime/settings/main_cf.h"
#include "runtime/settings/parameters.h"
#include "runtime/settings/settings.h"

namespace posthaste {
namespace {

struct Area {
    const char* title;
    const char* about;
    std::span<const ParameterRow> rows;
};

const char* name_of(ParameterKind kind) {
    switch (kind) {
        case ParameterKind::text:
            return "text";
        case ParameterKind::integer:
            return "number";
        case ParameterKind::boolean:
            return "yes or no";
        case ParameterKind::time:
            return "time";
        case ParameterKind::size:
            return "bytes";
    }
    return "";
}

// '|' would end a cell, '<' begin a tag, '*' and '_' emphasis.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|' || c == '<' || c == '*') out += '\\';
        out += c;
    }
    return out;
}

std::string range_of(const ParameterRow& row) {
    if (!row.choices.empty()) {
        std::string out;
        for (const char c : row.choices) {
            if (c == '|') {
                out += "`, `";
            } else {
                out += c;
            }
        }
        return " (one of `" + out + "`)";
    }
    if (row.kind == ParameterKind::text || row.kind == ParameterKind::boolean) return "";
    if (row.max >= parameters::kIntMax)
        return row.min == 0 ? "" : " (at least " + std::to_string(row.min) + ")";
    return " (" + std::to_string(row.min) + " to " + std::to_string(row.max) + ")";
}

void print(const ParameterRow& row) {
    std::printf("### %.*s\n\n", static_cast<int>(row.name.size()), row.name.data());
    std::printf("%s  \n", escaped(row.why).c_str());
    std::printf("%s%s; default: ", name_of(row.kind), range_of(row).c_str());
    if (is_machines_own(row.name)) {
        std::printf("this machine's, as `postconf -d` prints it");
    } else if (row.initial.empty()) {
        std::printf("empty");
    } else if (row.initial.find('`') == std::string_view::npos) {
        std::printf("`%.*s`", static_cast<int>(row.initial.size()), row.initial.data());
    }
    std::printf("; %s.\n\n",
                row.applies == Applies::live ? "a reload applies it" : "applies at the next start");
}

constexpr const char* kHead =
    "# Parameters of main.cf\n\n"
    "Made from the table in `src/runtime/settings/parameters_*.cpp` by `tests/tidy/reference`; "
    "change the table, not this page.\n\n"
    "Names, meanings and defaults are Postfix's where Postfix has the parameter. `postconf -d` "
    "prints the defaults, `postconf -n`\n"
    "what a main.cf sets, `postconf -e 'name = value'` sets it; a parameter that is not here is "
    "warned of and ignored.\n\n"
    "Times take `s`, `m`, `h`, `d`, `w`, and `ms`, `us` where a fraction of a second makes sense; "
    "bytes take `K`, `M`, `G`.\n"
    "A `default_...` parameter holds for each transport without one of its own: "
    "`slow_destination_rate_delay` for the\n"
    "transport `slow` of master.cf.\n\n";

}  // namespace
}  // namespace posthaste

int main() {
    using namespace posthaste;
    const Area areas[] = {
        {"Names, addresses and places", "What every process may ask for.", parameters::general()},
        {"The SMTP server", "What a client may do, and how much of it.", parameters::smtpd()},
        {"Headers and addresses", "What becomes of them on the way into the queue.",
         parameters::cleanup()},
        {"Routes", "Where a recipient's mail goes.", parameters::rewrite()},
        {"The queue", "When mail is tried, how often and how much of it at once.",
         parameters::queue()},
        {"The SMTP client", "How it speaks and how long it waits.", parameters::smtp()},
        {"What Postfix does not have",
         "Processes of many sessions, shared memory, the embedded store.", parameters::ours()},
    };
    std::fputs(kHead, stdout);
    for (const Area& area : areas) {
        std::printf("## %s\n\n%s\n\n", area.title, area.about);
        for (const ParameterRow& row : area.rows) print(row);
    }
    return 0;
}
