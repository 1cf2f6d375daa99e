// relay_bugs: proves that the net holds: makes one bug on purpose (base/deliberate_bug.h) and runs
// seeds until the simulation finds it, which must be soon.
//
//   relay_bugs                       every one
//   relay_bugs --bug drop_reports    one
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "base/deliberate_bug.h"

#include "simulation/relay/scenario.h"

namespace {

using posthaste::DeliberateBug;

struct Row {
    DeliberateBug bug;
    const char* name;
};

constexpr Row kRows[] = {
    {DeliberateBug::ack_before_sync, "ack_before_sync"},
    {DeliberateBug::ack_failed_write, "ack_failed_write"},
    {DeliberateBug::reuse_id, "reuse_id"},
    {DeliberateBug::free_submitted, "free_submitted"},
    {DeliberateBug::free_lent, "free_lent"},
    {DeliberateBug::free_early, "free_early"},
    {DeliberateBug::leak_blocks, "leak_blocks"},
    {DeliberateBug::free_held, "free_held"},
    {DeliberateBug::drop_reports, "drop_reports"},
    {DeliberateBug::forget_jobs_on_drain, "forget_jobs_on_drain"},
    {DeliberateBug::forget_dead_agent, "forget_dead_agent"},
    {DeliberateBug::skip_due_time, "skip_due_time"},
    {DeliberateBug::forget_recipient, "forget_recipient"},
    {DeliberateBug::outlive_lifetime, "outlive_lifetime"},
    {DeliberateBug::refused_is_done, "refused_is_done"},
    {DeliberateBug::load_before_recorded, "load_before_recorded"},
    {DeliberateBug::believe_any_yes, "believe_any_yes"},
    {DeliberateBug::ignore_window, "ignore_window"},
    {DeliberateBug::ignore_active_limit, "ignore_active_limit"},
    {DeliberateBug::wait_for_others, "wait_for_others"},
};

// True: found.
bool hunt(const Row& row, uint64_t seeds) {
    posthaste::deliberate_bug = row.bug;
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
        const auto verdict = posthaste::simulation::run_scenario(seed, false, false);
        if (verdict.ok) continue;
        std::printf("%-22s found by seed %llu: %.160s\n", row.name,
                    static_cast<unsigned long long>(seed), verdict.why.c_str());
        std::fflush(stdout);
        return true;
    }
    std::printf("%-22s NOT FOUND in %llu seeds\n", row.name,
                static_cast<unsigned long long>(seeds));
    std::fflush(stdout);
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    uint64_t seeds = 1000;
    std::string only;
    CLI::App app{"Bugs made on purpose, each to be found by the simulation."};
    app.add_option("--seeds", seeds, "at most so many for each");
    app.add_option("--bug", only, "this one only");
    CLI11_PARSE(app, argc, argv);
    bool all_found = true;
    for (const Row& row : kRows) {
        if (only.empty() || only == row.name) all_found &= hunt(row, seeds);
    }
    return all_found ? 0 : 1;
}
