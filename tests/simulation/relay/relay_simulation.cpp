// relay_simulation: runs seeds; a failing one is printed with its plan and replays exactly.
//
//   relay_simulation --seeds 1000             seeds 1 … 1000
//   relay_simulation --seed 17                one seed; with everybody's log if it fails
//   relay_simulation --seed 17 --story        … or does not; --trace: with every callback
//
// One seed in fifty is run twice and must be the same run to the last event. Seeds run in batches, each
// in a process of its own: a database whose disk failed is never closed (store/queue_store.cpp), and
// must not stay for thousands of seeds.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <sys/wait.h>
#include <unistd.h>

#include "simulation/relay/scenario.h"

namespace {

using posthaste::simulation::Verdict;

constexpr uint64_t kTwiceEvery = 50;
constexpr uint64_t kBatchSeeds = 20;

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

struct Sum {
    uint64_t failed = 0, acked = 0, taken = 0, duplicates = 0, held = 0, attempts = 0, deaths = 0;
    int64_t virtual_us = 0;

    void add(const Verdict& verdict) {
        add(Sum{.failed = verdict.ok ? 0u : 1u,
                .acked = verdict.acked,
                .taken = verdict.taken,
                .duplicates = verdict.duplicates,
                .held = verdict.held,
                .attempts = verdict.attempts,
                .deaths = verdict.deaths,
                .virtual_us = verdict.virtual_us});
    }

    void add(const Sum& other) {
        failed += other.failed;
        acked += other.acked;
        taken += other.taken;
        duplicates += other.duplicates;
        held += other.held;
        attempts += other.attempts;
        deaths += other.deaths;
        virtual_us += other.virtual_us;
    }
};

struct Wish {
    bool only_one = false;
    bool story = false;
    bool trace = false;
};

Sum run_seeds(uint64_t first, uint64_t end, const Wish& wish) {
    using posthaste::simulation::run_scenario;
    Sum sum;
    for (uint64_t seed = first; seed < end; ++seed) {
        Verdict verdict = run_scenario(seed, wish.story || wish.only_one, wish.trace);
        if (wish.only_one || seed % kTwiceEvery == 0) {
            const Verdict again = run_scenario(seed, false, wish.trace);
            if (again.trace_hash != verdict.trace_hash) {
                verdict.ok = false;
                verdict.why += " the same seed gave another run";
            }
        }
        sum.add(verdict);
        if (!wish.only_one) verdict.story.clear();
        if (!verdict.ok || wish.story) print(seed, verdict);
    }
    return sum;
}

// A batch that dies counts as one failed seed, of those it names.
Sum run_in_child(uint64_t first, uint64_t end, const Wish& wish) {
    Sum lost;
    lost.failed = 1;
    int ends[2];
    if (::pipe(ends) != 0) return lost;
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
        const Sum sum = run_seeds(first, end, wish);
        std::fflush(stdout);
        const bool told = ::write(ends[1], &sum, sizeof sum) == static_cast<ssize_t>(sizeof sum);
        ::_exit(told ? 0 : 1);
    }
    ::close(ends[1]);
    Sum sum;
    const bool told =
        child > 0 && ::read(ends[0], &sum, sizeof sum) == static_cast<ssize_t>(sizeof sum);
    ::close(ends[0]);
    if (child > 0) ::waitpid(child, nullptr, 0);
    if (told) return sum;
    std::printf("a seed from %llu to %llu ended the program\n", number(first), number(end - 1));
    return lost;
}

}  // namespace

int main(int argc, char** argv) {
    uint64_t seeds = 1000;
    uint64_t first = 1;
    uint64_t only = 0;
    Wish wish;
    CLI::App app{"The whole relay on simulated time, network and disk."};
    app.add_option("--seeds", seeds, "how many");
    app.add_option("--first", first, "the first seed");
    app.add_option("--seed", only, "this one only");
    app.add_flag("--story", wish.story, "print everybody's log even when all is well");
    app.add_flag("--trace", wish.trace, "every callback of every process too");
    CLI11_PARSE(app, argc, argv);
    if (only != 0) {
        first = only;
        seeds = 1;
        wish.only_one = true;
    }
    Sum sum;
    const auto began = std::chrono::steady_clock::now();
    const uint64_t end = first + seeds;
    for (uint64_t seed = first; seed < end; seed += kBatchSeeds)
        sum.add(run_in_child(seed, std::min(seed + kBatchSeeds, end), wish));
    const double minutes =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() / 60;
    std::printf(
        "%llu seeds, %llu failed; %llu messages acknowledged, %llu taken, %llu twice, %llu held, "
        "%llu attempts, %llu deaths, %.0f virtual days; %.0f seeds a minute\n",
        number(seeds), number(sum.failed), number(sum.acked), number(sum.taken),
        number(sum.duplicates), number(sum.held), number(sum.attempts), number(sum.deaths),
        static_cast<double>(sum.virtual_us) / 1e6 / 86400, static_cast<double>(seeds) / minutes);
    return sum.failed == 0 ? 0 : 1;
}
