// relay_simulation: runs seeds; a failing one is printed with its plan and replays exactly.
//
//   relay_simulation --seeds 1000             seeds 1 … 1000
//   relay_simulation --seed 17                one seed; with everybody's log if it fails
//   relay_simulation --seed 17 --story        … or does not; --trace: with every callback
//
// One seed in fifty is run twice and must be the same run to the last event.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

#include "simulation/relay/scenario.h"

namespace {

using posthaste::simulation::Verdict;

constexpr uint64_t kTwiceEvery = 50;

unsigned long long number(uint64_t value) { return value; }

void print(uint64_t seed, const Verdict& verdict) {
    std::printf("seed %llu: %s\n    %s\n", number(seed), verdict.ok ? "ok" : verdict.why.c_str(),
                verdict.plan.c_str());
    std::printf(
        "    %llu acknowledged, %llu taken, %llu twice, %llu held, %llu attempts, %llu deaths, "
        "%llu steps, %.1f virtual s, trace %016llx\n",
        number(verdict.acked), number(verdict.taken), number(verdict.duplicates),
        number(verdict.held), number(verdict.attempts), number(verdict.deaths),
        number(verdict.steps), static_cast<double>(verdict.virtual_us) / 1e6,
        number(verdict.trace_hash));
    for (const std::string& line : verdict.story) std::printf("    %s\n", line.c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    using posthaste::simulation::run_scenario;
    uint64_t seeds = 1000;
    uint64_t first = 1;
    uint64_t only = 0;
    bool story = false;
    bool trace = false;
    CLI::App app{"The whole relay on simulated time, network and disk."};
    app.add_option("--seeds", seeds, "how many");
    app.add_option("--first", first, "the first seed");
    app.add_option("--seed", only, "this one only");
    app.add_flag("--story", story, "print everybody's log even when all is well");
    app.add_flag("--trace", trace, "every callback of every process too");
    CLI11_PARSE(app, argc, argv);
    if (only != 0) {
        first = only;
        seeds = 1;
    }
    uint64_t failed = 0;
    Verdict sum;
    const auto began = std::chrono::steady_clock::now();
    for (uint64_t seed = first; seed < first + seeds; ++seed) {
        Verdict verdict = run_scenario(seed, story, trace);
        if (only != 0 || seed % kTwiceEvery == 0) {
            const Verdict again = run_scenario(seed, false, trace);
            if (again.trace_hash != verdict.trace_hash) {
                verdict.ok = false;
                verdict.why += " the same seed gave another run";
            }
        }
        sum.acked += verdict.acked;
        sum.taken += verdict.taken;
        sum.duplicates += verdict.duplicates;
        sum.held += verdict.held;
        sum.attempts += verdict.attempts;
        sum.deaths += verdict.deaths;
        sum.virtual_us += verdict.virtual_us;
        if (!verdict.ok) ++failed;
        if (only == 0) verdict.story.clear();
        if (!verdict.ok || story) print(seed, verdict);
    }
    const double minutes =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() / 60;
    std::printf(
        "%llu seeds, %llu failed; %llu messages acknowledged, %llu taken, %llu twice, %llu held, "
        "%llu attempts, %llu deaths, %.0f virtual days; %.0f seeds a minute\n",
        number(seeds), number(failed), number(sum.acked), number(sum.taken), number(sum.duplicates),
        number(sum.held), number(sum.attempts), number(sum.deaths),
        static_cast<double>(sum.virtual_us) / 1e6 / 86400, static_cast<double>(seeds) / minutes);
    return failed == 0 ? 0 : 1;
}
