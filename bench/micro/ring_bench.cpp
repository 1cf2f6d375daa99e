// Channel and Arena: what a record costs from send() to the consumer's private copy, in batches as
// a turn sends them, and what it costs to lend a block and take it back. One thread: the caches'
// part between two cores is not in it.
#include <benchmark/benchmark.h>
#include <string>
#include <vector>

#include "runtime/arena.h"
#include "runtime/channel.h"

#include "bench_size.h"

namespace posthaste {
namespace {

constexpr int kBatch = 16;

void BM_ring_publish_consume(benchmark::State& state) {
    const auto payload_bytes = static_cast<size_t>(state.range(0));
    const Segment ours = Segment::create_private(1024 * 1024);
    const Segment theirs = Segment::create_private(1024 * 1024);
    Channel producer(Segment::alias(ours), Segment::alias(theirs));
    Channel consumer(Segment::alias(theirs), Segment::alias(ours));
    const std::string payload(payload_bytes, 'x');
    Channel::Record record;
    for (auto _ : state) {
        for (int i = 0; i < kBatch; ++i) benchmark::DoNotOptimize(producer.send(1, payload));
        benchmark::DoNotOptimize(producer.publish());
        while (consumer.receive(record)) benchmark::DoNotOptimize(record.body.data());
        benchmark::DoNotOptimize(consumer.release());
    }
    state.SetItemsProcessed(state.iterations() * kBatch);
    state.SetBytesProcessed(state.iterations() * kBatch * state.range(0));
}

BENCHMARK(BM_ring_publish_consume)->ArgName("payload_bytes")->Arg(64)->Arg(1024)->Arg(16 << 10);

// What an idle turn costs for each peer: announce sleep, look, wake.
void BM_ring_sleep_wake(benchmark::State& state) {
    const Segment ours = Segment::create_private(4096);
    const Segment theirs = Segment::create_private(4096);
    Channel consumer(Segment::alias(theirs), Segment::alias(ours));
    for (auto _ : state) {
        benchmark::DoNotOptimize(consumer.prepare_sleep());
        consumer.wake();
    }
}

BENCHMARK(BM_ring_sleep_wake);

// run_blocks 1: a stack of warm blocks; more: the lowest gap of a bitmap, in an arena half of whose
// blocks are lent in stretches.
void BM_arena_lend_return(benchmark::State& state) {
    const auto run_blocks = static_cast<uint32_t>(state.range(0));
    const auto blocks = static_cast<uint32_t>(bench::size_or_tiny(65'536, 512));
    Arena arena = Arena::create_private(1, uint64_t{blocks} * kBlockBytes);
    std::vector<uint32_t> lent;
    while (const auto number = arena.allocate()) lent.push_back(*number);
    for (const uint32_t number : lent) {
        if (number / 24 % 2 == 0) arena.free(number);
    }
    for (auto _ : state) {
        const auto first = arena.allocate_run(run_blocks);
        benchmark::DoNotOptimize(first);
        for (uint32_t i = 0; first && i < run_blocks; ++i) arena.free(*first + i);
    }
}

BENCHMARK(BM_arena_lend_return)->ArgName("run_blocks")->Arg(1)->Arg(5)->Arg(24);

}  // namespace
}  // namespace posthaste
