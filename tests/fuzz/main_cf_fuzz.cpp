// main.cf as somebody may have written it, behind a choice (bit 0: a snapshot instead; bit 1: the
// machine has a name and a network). Reading it ends, whatever it says; what it says is the same
// after an edit of something else, and arrives in a service unchanged; a snapshot that nobody wrote
// is refused or read once and for all.
#include <algorithm>

#include "base/strings.h"

#include "runtime/settings/edit.h"
#include "runtime/settings/main_cf.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/line_mutator.h"

using namespace posthaste;

namespace {

constexpr std::string_view kLines[] = {
    "myhostname = mx.example\n",
    "mydomain = example\n",
    "myhostname = mx.$mydomain\n",
    "mynetworks = 10.0.0.0/8, [::1]/128\n",
    "mynetworks_style = host\n",
    "relay_domains = $mydestination\n",
    "mydestination = $myhostname, localhost.$mydomain\n",
    "message_size_limit = ${a?{1}:{2}}\n",
    "maximal_queue_lifetime = 3\n",
    "smtp_destination_concurrency_limit = 7\n",
    "default_destination_rate_delay = 2s\n",
    "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n",
    "# comment\n",
    "   continued\n",
    "a = ${b}${b}${b}${b}${b}${b}${b}${b}\n",
    "b = $a\n",
    "inet_interfaces = loopback-only\n",
    "transport_maps = inline:{ { a = b }, { c = d } }\n",
};

void check_settings(const MainCf& main_cf, const SystemFacts& facts) {
    Diagnostics diagnostics;
    const SettingsReader reader(main_cf, facts);
    reader.warn_of_unknown({}, diagnostics);
    ASSERT(!diagnostics.has_errors());
    const auto settings = reader.read({}, diagnostics);
    ASSERT(settings.has_value() != diagnostics.has_errors());
    for (const Diagnostic& each : diagnostics.all()) ASSERT(!each.text.empty());
    if (!settings) return;
    const auto there = Settings::parse_snapshot(settings->snapshot());
    ASSERT(there && there->snapshot() == settings->snapshot());
    // Every value can be asked for by its kind.
    for (const ParameterRow& row : parameter_table()) {
        switch (row.kind) {
            case ParameterKind::boolean:
                (void)there->boolean(row.name);
                break;
            case ParameterKind::integer:
            case ParameterKind::size: {
                const int64_t number = there->integer(row.name);
                ASSERT(number >= row.min && number <= row.max);
                break;
            }
            case ParameterKind::time:
                ASSERT(there->time_us(row.name) >= 0);
                break;
            case ParameterKind::text:
                (void)there->list(row.name);
                break;
        }
    }
}

void check_main_cf(std::string_view text, bool has_facts) {
    Diagnostics diagnostics;
    const MainCf main_cf = MainCf::parse("main.cf", text, diagnostics);
    const size_t lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    for (const MainCfEntry& entry : main_cf.entries) {
        ASSERT(entry.place.line >= 1 && entry.place.line <= lines);
        ASSERT(!entry.name.empty() && entry.name.find_first_of("=\n") == std::string::npos);
        ASSERT(entry.value.find('\n') == std::string::npos);
        ASSERT(main_cf.find(entry.name) != nullptr);
    }
    if (text.size() > 20'000) return;  // expansion is bounded, but not quick a thousand times over
    SystemFacts facts;
    if (has_facts) {
        facts.hostname = "mx";
        facts.networks_host = "127.0.0.1/32";
    }
    check_settings(main_cf, facts);

    // An edit changes what it names and nothing else.
    const std::string edited = edited_main_cf(text, {{"edited_name", "edited value"}});
    Diagnostics again;
    const MainCf after = MainCf::parse("main.cf", edited, again);
    const auto* changed = after.find("edited_name");
    ASSERT(changed != nullptr && changed->value == "edited value");
    // A faulty line of the same name is mended by it.
    const auto logical = logical_lines(text);
    const bool mends = std::any_of(logical.begin(), logical.end(), [](const LogicalLine& line) {
        return trimmed(line.text) == "edited_name";
    });
    ASSERT(again.has_errors() == diagnostics.has_errors() || (mends && diagnostics.has_errors()));
    for (const MainCfEntry& entry : main_cf.entries) {
        if (entry.name == "edited_name") continue;
        const auto* still = after.find(entry.name);
        ASSERT(still != nullptr && still->value == main_cf.find(entry.name)->value);
    }
}

void check_snapshot(std::string_view text) {
    const auto settings = Settings::parse_snapshot(text);
    if (!settings) return;
    const std::string first = settings->snapshot();
    const auto again = Settings::parse_snapshot(first);
    ASSERT(again && again->snapshot() == first);
}

}  // namespace

POSTHASTE_LINE_MUTATOR(1, kLines)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view text = fuzz::text_of(data, size);
    const uint8_t choice = fuzz::take_choice(text);
    if ((choice & 1) != 0) {
        check_snapshot(text);
    } else {
        check_main_cf(text, (choice & 2) != 0);
    }
    return 0;
}
