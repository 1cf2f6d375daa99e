// What a batch of messages costs the store: into the log and synced, then removed four batches
// later, as delivery does it. By log I/O:
//   0 RocksDB's own: write and fdatasync on a growing file
//   1 ours: one io_uring submission past the page cache, over a file zeroed beforehand
//   2 ours without zeroed files: how much of the gain the zeros are
// Reports messages a second and CPU of the whole process (RocksDB's threads included) for each
// message. The disk is the one under the current directory; shared disks change their mind from
// minute to minute: compare runs in turn.
#include <benchmark/benchmark.h>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <vector>

#include "base/units.h"

#include "mail/envelope.h"
#include "runtime/log.h"

#include "store/log_file_system.h"
#include "store/queue_store.h"

namespace posthaste::store {
namespace {

class SilentLog final : public Log {
 public:
    void line(wire::Severity, std::string_view) override {}
};

constexpr MessageId kFirstId = 1'700'000'000'000'000;

double process_cpu_us() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto us = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
    };
    return us(usage.ru_utime) + us(usage.ru_stime);
}

std::string envelope_of(MessageId id) {
    Envelope envelope;
    envelope.id = id;
    envelope.arrived_wall_us = static_cast<int64_t>(id);
    envelope.size_bytes = 4096;
    envelope.sender = "sender@example.org";
    envelope.recipients.push_back({"recipient@example.com", "", kNotifyUnset});
    envelope.client_name = "client.example.org";
    envelope.client_address = "192.0.2.1";
    envelope.helo = "client.example.org";
    envelope.protocol = "ESMTP";
    std::string out;
    encode_envelope(envelope, out);
    return out;
}

void BM_store_commit(benchmark::State& state) {
    const auto batch_messages = static_cast<size_t>(state.range(0));
    const auto message_bytes = static_cast<size_t>(state.range(2));
    SilentLog log;
    // In the build tree, not in /tmp: a memory file system has nothing to sync.
    std::string directory = (std::filesystem::current_path() / "store-bench-XXXXXX").string();
    if (mkdtemp(directory.data()) == nullptr) return state.SkipWithError("no directory");
    QueueStoreOptions options;
    if (std::getenv("POSTHASTE_BENCH_TINY") != nullptr) options.memtable_bytes = 4 * kMiB;
    options.log_io = state.range(1) == 0 ? LogIo::posix : LogIo::uring;
    if (state.range(1) == 2) {
        LogFileOptions log_options;
        log_options.zeroed_bytes = 0;
        options.file_system =
            make_log_file_system(nullptr, directory, log_options, log).file_system;
    }
    auto opened = QueueStore::open(directory, options, log);
    if (!opened) return state.SkipWithError(opened.error().where);
    QueueStore& store = **opened;

    std::string content(message_bytes, 'x');
    for (size_t i = 0; i < content.size(); i += 7) content[i] = static_cast<char>(i * 131);
    const std::string envelope = envelope_of(1);
    const std::string_view piece = content;
    MessageId next = kFirstId;
    const double cpu_before = process_cpu_us();
    for (auto _ : state) {
        // As the service reads its peers: what cleanup brought, then what qmgr reported.
        for (size_t i = 0; i < batch_messages; ++i, ++next) {
            store.add_message(next, envelope, {&piece, 1});
        }
        for (MessageId id = next - 5 * batch_messages; id < next - 4 * batch_messages; ++id) {
            if (id >= kFirstId) store.remove_message(id, false);
        }
        if (!store.commit()) return state.SkipWithError("commit failed");
    }
    const double cpu_us = process_cpu_us() - cpu_before;
    const auto messages =
        static_cast<double>(state.iterations()) * static_cast<double>(batch_messages);
    state.counters["messages/s"] = benchmark::Counter(messages, benchmark::Counter::kIsRate);
    state.counters["cpu_us/message"] = cpu_us / messages;
    opened->reset();
    std::filesystem::remove_all(directory);
}

BENCHMARK(BM_store_commit)
    ->ArgNames({"batch_messages", "log_io", "message_bytes"})
    ->ArgsProduct({{1, 20, 100, 500}, {0, 1, 2}, {4096}})
    ->ArgsProduct({{20}, {0, 1, 2}, {65536}})
    ->UseRealTime();

}  // namespace
}  // namespace posthaste::store
