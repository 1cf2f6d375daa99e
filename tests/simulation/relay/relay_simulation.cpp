// relay_simulation: runs seeds; a failing one is printed with its story and replays exactly.
//
//   relay_simulation --seeds 200              seeds 1 … 200
//   relay_simulation --seed 17 --story        one seed, with everybody's log
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

#include "simulation/relay/scenario.h"

int main(int argc, char** argv) {
    using namespace posthaste::simulation;
    uint64_t seeds = 200;
    uint64_t first = 1;
    uint64_t only = 0;
    bool story = false;
    CLI::App app{"The whole relay on simulated time, network and disk."};
    app.add_option("--seeds", seeds, "how many");
    app.add_option("--first", first, "the first seed");
    app.add_option("--seed", only, "this one only");
    app.add_flag("--story", story, "print everybody's log even when all is well");
    CLI11_PARSE(app, argc, argv);
    if (only != 0) {
        first = only;
        seeds = 1;
    }
    uint64_t failed = 0;
    uint64_t acked = 0;
    uint64_t duplicates = 0;
    uint64_t deaths = 0;
    const auto began = std::chrono::steady_clock::now();
    for (uint64_t seed = first; seed < first + seeds; ++seed) {
        const Verdict verdict = run_scenario(seed, story);
        acked += verdict.acked;
        duplicates += verdict.duplicates;
        deaths += verdict.deaths;
        if (verdict.ok && !story) continue;
        if (!verdict.ok) ++failed;
        std::printf(
            "seed %llu: %s (%llu acknowledged, %llu delivered, %llu deaths, %llu steps, %.1f "
            "virtual s, trace %016llx)\n",
            static_cast<unsigned long long>(seed), verdict.ok ? "ok" : verdict.why.c_str(),
            static_cast<unsigned long long>(verdict.acked),
            static_cast<unsigned long long>(verdict.delivered),
            static_cast<unsigned long long>(verdict.deaths),
            static_cast<unsigned long long>(verdict.steps),
            static_cast<double>(verdict.virtual_us) / 1e6,
            static_cast<unsigned long long>(verdict.trace_hash));
        if (only != 0) {
            for (const std::string& line : verdict.story) std::printf("    %s\n", line.c_str());
        }
    }
    const double minutes =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() / 60;
    std::printf(
        "%llu seeds, %llu failed; %llu messages acknowledged, %llu duplicates, %llu deaths; %.0f "
        "seeds a minute\n",
        static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(failed),
        static_cast<unsigned long long>(acked), static_cast<unsigned long long>(duplicates),
        static_cast<unsigned long long>(deaths), static_cast<double>(seeds) / minutes);
    return failed == 0 ? 0 : 1;
}
