// The timer wheel with as many timers as a busy relay has deadlines and retries, beside the sorted
// map one would use otherwise.
#include <benchmark/benchmark.h>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/units.h"

#include "runtime/random.h"
#include "runtime/timer_wheel.h"

#include "bench_size.h"

namespace posthaste {
namespace {

struct Waiter {
    void on_time() { ++fired; }

    uint64_t fired = 0;
    Timer timer{timer_calls<&Waiter::on_time, Waiter>(), this};
};

// Command deadlines (5 minutes) and retries (up to 4000 s), spread as they are in life.
std::vector<int64_t> deadlines(int64_t count) {
    Random random(1);
    std::vector<int64_t> out;
    out.reserve(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
        out.push_back(kSecondUs + static_cast<int64_t>(random.below(4000 * kSecondUs)));
    }
    return out;
}

// One timer moved, as with every command of a session, while all the others wait.
void BM_timer_wheel_set_again(benchmark::State& state) {
    const int64_t count = bench::size_or_tiny(state.range(0), 1000);
    const auto when = deadlines(count);
    TimerWheel wheel(0);
    std::vector<Waiter> waiters(static_cast<size_t>(count));
    for (size_t i = 0; i < waiters.size(); ++i) wheel.set(waiters[i].timer, when[i]);
    size_t i = 0;
    size_t w = 0;
    for (auto _ : state) {
        wheel.set(waiters[i].timer, when[w]);
        // Steps without a common factor with the count: neighbours in memory are not neighbours
        // here.
        i = (i + 7919) % waiters.size();
        w = (w + 104729) % when.size();
    }
    state.SetItemsProcessed(state.iterations());
}

BENCHMARK(BM_timer_wheel_set_again)->ArgName("timers")->Arg(10'000)->Arg(1'000'000);

void BM_sorted_map_set_again(benchmark::State& state) {
    const int64_t count = bench::size_or_tiny(state.range(0), 1000);
    const auto when = deadlines(count);
    std::multimap<int64_t, size_t> sorted;
    std::vector<std::multimap<int64_t, size_t>::iterator> positions;
    for (size_t i = 0; i < when.size(); ++i) positions.push_back(sorted.emplace(when[i], i));
    size_t i = 0;
    size_t w = 0;
    for (auto _ : state) {
        sorted.erase(positions[i]);
        positions[i] = sorted.emplace(when[w], i);
        i = (i + 7919) % positions.size();
        w = (w + 104729) % when.size();
    }
    state.SetItemsProcessed(state.iterations());
}

BENCHMARK(BM_sorted_map_set_again)->ArgName("timers")->Arg(10'000)->Arg(1'000'000);

// A whole life: all are set, half are cancelled, time passes until the rest has fired.
void BM_timer_wheel_set_cancel_fire(benchmark::State& state) {
    const int64_t count = bench::size_or_tiny(state.range(0), 1000);
    const auto when = deadlines(count);
    std::vector<Waiter> waiters(static_cast<size_t>(count));
    uint64_t fired = 0;
    for (auto _ : state) {
        TimerWheel wheel(0);
        for (size_t i = 0; i < waiters.size(); ++i) wheel.set(waiters[i].timer, when[i]);
        for (size_t i = 0; i < waiters.size(); i += 2) waiters[i].timer.cancel();
        while (wheel.size() > 0) fired += wheel.advance(wheel.next_deadline_us());
    }
    if (fired != static_cast<uint64_t>(state.iterations()) * (waiters.size() / 2)) {
        state.SkipWithError("a timer was lost");
    }
    state.SetItemsProcessed(state.iterations() * count);
}

BENCHMARK(BM_timer_wheel_set_cancel_fire)
    ->ArgName("timers")
    ->Arg(1'000'000)
    ->Unit(benchmark::kMillisecond);

// What a turn of the loop pays for nothing: is anything due, and when next?
void BM_timer_wheel_idle_turn(benchmark::State& state) {
    const int64_t count = bench::size_or_tiny(state.range(0), 1000);
    const auto when = deadlines(count);
    TimerWheel wheel(0);
    std::vector<Waiter> waiters(static_cast<size_t>(count));
    for (size_t i = 0; i < waiters.size(); ++i) wheel.set(waiters[i].timer, when[i]);
    int64_t now_us = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(wheel.advance(now_us));
        benchmark::DoNotOptimize(wheel.next_deadline_us());
        now_us = (now_us + 10) % kSecondUs;
    }
}

BENCHMARK(BM_timer_wheel_idle_turn)->ArgName("timers")->Arg(0)->Arg(1'000'000);

}  // namespace
}  // namespace posthaste
