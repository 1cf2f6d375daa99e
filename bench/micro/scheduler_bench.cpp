// The scheduler without processes: what a pick costs with many destinations, what a waiting message
// costs in memory, and what a message costs from announcement to removal.
#include <benchmark/benchmark.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench_size.h"
#include "scheduler/fair_queue.h"
#include "scheduler/hash.h"
#include "scheduler/scheduler.h"

namespace posthaste {
namespace {

// Pick the next entry and put one back at the end, with every destination having mail; half of them
// have no room.
void BM_scheduler_pick(benchmark::State& state) {
    const auto count = static_cast<uint32_t>(bench::size_or_tiny(state.range(0), 100));
    EntrySlab entries;
    DestinationTable destinations(1, count);
    FairQueue queue(entries, destinations, 2);
    std::vector<std::string> senders;
    for (int i = 0; i < 100; ++i) senders.push_back("sender" + std::to_string(i) + ".example");
    const auto push = [&](uint32_t entry, uint32_t number) {
        entries[entry] = {};
        entries[entry].message = number;
        entries[entry].destination = number % count;
        entries[entry].count = 1;
        queue.push_back(entry, {"192.0.2.1", senders[number % senders.size()], false});
    };
    for (uint32_t i = 0; i < count; ++i) {
        bool is_new = false;
        destinations.find_or_add(0, "smtp", "d" + std::to_string(i) + ".example", is_new);
    }
    for (uint32_t i = 0; i < 2 * count; ++i) push(entries.allocate(), i);
    const auto has_room = [](uint32_t destination) { return destination % 2 == 0; };
    for (auto _ : state) {
        const uint32_t entry = queue.pop(has_room);
        benchmark::DoNotOptimize(entry);
        push(entry, entries[entry].message);
    }
    state.SetItemsProcessed(state.iterations());
}

BENCHMARK(BM_scheduler_pick)->ArgName("destinations")->Arg(1'000)->Arg(100'000);

// Messages on the retry wheel: bytes each, and the time to take in one of a scan and to give it out
// when due.
void BM_scheduler_deferred(benchmark::State& state) {
    const auto count = static_cast<uint32_t>(bench::size_or_tiny(state.range(0), 1'000));
    constexpr uint32_t kNow = 1'700'000'000;
    size_t bytes = 0;
    for (auto _ : state) {
        MessageTable table(count);
        RetryWheel wheel(table, kNow);
        const uint32_t due = table.make_list();
        for (uint32_t i = 0; i < count; ++i) {
            const uint32_t node = table.insert(uint64_t{kNow} * 1'000'000 + uint64_t{i} * 977);
            table[node].due_s = kNow + 300 + static_cast<uint32_t>(hash_of(uint64_t{i}) % 3700);
            wheel.add(node);
        }
        bytes = table.memory_bytes();
        wheel.advance(kNow + 5000, due);
        uint32_t out = 0;
        for (uint32_t node = table.front(due); node != kNone; node = table.front(due)) {
            table.unlink(node);
            ++out;
        }
        if (out != count) state.SkipWithError("a message was not due");
    }
    state.SetItemsProcessed(state.iterations() * count);
    state.counters["bytes_per_message"] = static_cast<double>(bytes) / count;
    state.counters["megabytes"] = static_cast<double>(bytes) / 1e6;
}

BENCHMARK(BM_scheduler_deferred)
    ->ArgName("messages")
    ->Arg(1'000'000)
    ->Unit(benchmark::kMillisecond);

// A world in which everything succeeds at once, without any cost of its own.
class InstantWorld final : public Outside {
 public:
    int64_t now_us() const override { return now_us_; }

    int64_t wall_us() const override { return 1'700'000'000 * kSecondUs + now_us_; }

    uint64_t random() override { return hash_of(seed_++); }

    TransportConfig transport_config(std::string_view) override { return {}; }

    void log(std::string_view line) override { logged_ += line.size(); }

    void warn(std::string_view) override {}

    void want_dispatch() override {}

    bool load(MessageId) override { return true; }

    void release_content(MessageId) override {}

    uint64_t record(wire::RecordOutcome& outcome, bool final) override {
        recorded_.push_back({outcome.id, final});
        return ++sequence_;
    }

    size_t unrecorded() const override { return recorded_.size(); }

    void want_scan() override {}

    bool open_lane(uint32_t, uint32_t, const Transport&, const Destination&) override {
        return true;
    }

    bool start_job(uint32_t agent, uint32_t lane, uint64_t job, const Message& message,
                   std::span<const uint32_t> recipients) override {
        started_.push_back({agent, lane, job, message.envelope.id, recipients.front()});
        return true;
    }

    void close_lane(uint32_t, uint32_t lane) override { closed_.push_back(lane); }

    void report_covered(const Receipt&, uint64_t) override {}

    bool resolve(uint64_t cookie, std::string_view recipient) override {
        asked_.emplace_back(cookie, recipient);
        return true;
    }

    struct Started {
        uint32_t agent;
        uint32_t lane;
        uint64_t job;
        MessageId id;
        uint32_t recipient;
    };

    int64_t now_us_ = 0;
    uint64_t seed_ = 1;
    uint64_t sequence_ = 0;
    size_t logged_ = 0;
    std::vector<std::pair<MessageId, bool>> recorded_;
    std::vector<Started> started_;
    std::vector<uint32_t> closed_;
    std::vector<std::pair<uint64_t, std::string>> asked_;
};

// One message of one recipient: announced, resolved from the cache, started, reported, recorded,
// removed; and log lines.
void BM_scheduler_message(benchmark::State& state) {
    const auto count = static_cast<uint32_t>(bench::size_or_tiny(state.range(0), 10));
    InstantWorld world;
    TimerWheel timers(0);
    SchedulerConfig config;
    Scheduler scheduler(world, timers, config);
    scheduler.on_store_up();
    scheduler.on_agent_up(7, Role::smtp);
    scheduler.on_agent_ready(7);
    scheduler.open();
    Envelope envelope;
    envelope.sender = "newsletter@sender.example";
    envelope.size_bytes = 4096;
    envelope.recipients.resize(1);
    envelope.client_name = "client.example";
    envelope.client_address = "192.0.2.1";
    envelope.helo = "client.example";
    envelope.protocol = "ESMTP";
    std::string bytes;
    std::vector<wire::Extent> content;
    std::vector<InstantWorld::Started> started;
    std::vector<std::pair<MessageId, bool>> recorded;
    wire::DeliveryReport report;
    uint64_t number = 0;
    constexpr int kBatch = 16;
    for (auto _ : state) {
        for (int i = 0; i < kBatch; ++i) {
            ++number;
            envelope.id = 1'700'000'000'000'000 + number;
            envelope.arrived_wall_us = world.wall_us();
            envelope.recipients[0].address =
                "somebody@destination" + std::to_string(number % count) + ".example";
            encode_envelope(envelope, bytes);
            content.assign(1, {1, 0, 0, 4096});
            scheduler.on_queued(bytes, {}, content);
        }
        for (const auto& [cookie, recipient] : std::exchange(world.asked_, {})) {
            wire::ResolveReply reply;
            reply.cookie = cookie;
            reply.outcome = wire::ResolveOutcome::ok;
            reply.ttl_s = 86'400;
            reply.transport = "smtp";
            reply.nexthop = reply.site =
                std::string_view(recipient).substr(recipient.find('@') + 1);
            reply.hosts.resize(1);
            scheduler.on_resolved(reply);
        }
        scheduler.dispatch();
        while (!world.started_.empty() || !world.closed_.empty()) {
            for (const uint32_t lane : std::exchange(world.closed_, {}))
                scheduler.on_lane_closed(7, {lane, false, false, {}, {}});
            started.swap(world.started_);
            for (const auto& job : started) {
                ++report.sequence;
                report.lane = job.lane;
                report.job = job.job;
                report.id = job.id;
                report.results.assign(1, {job.recipient, Outcome::sent, "2.0.0", "250 2.0.0 Ok"});
                scheduler.on_report(job.agent, report);
            }
            started.clear();
            scheduler.dispatch();
        }
        recorded.swap(world.recorded_);
        for (const auto& [id, final] : recorded) scheduler.on_recorded(id, final);
        recorded.clear();
        world.now_us_ += 100;
    }
    if (scheduler.messages() != 0) state.SkipWithError("a message was left");
    state.SetItemsProcessed(state.iterations() * kBatch);
    benchmark::DoNotOptimize(world.logged_);
}

BENCHMARK(BM_scheduler_message)->ArgName("destinations")->Arg(1)->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace posthaste
