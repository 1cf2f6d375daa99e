// UringLoop and Connection: what a command and its reply cost, what bytes cost, what a doorbell
// costs. Both ends live on one loop, so a figure pays for client and server together; the kernel's
// part of socket and eventfd is in it too.
#include <benchmark/benchmark.h>
#include <memory>
#include <string>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <vector>

#include "base/fd.h"
#include "base/units.h"

#include "runtime/connection.h"
#include "runtime/uring_loop.h"

#include "bench_size.h"

namespace posthaste {
namespace {

std::unique_ptr<UringLoop> make_loop(benchmark::State& state) {
    UringOptions options;
    options.receive = options.send = true;
    auto loop = UringLoop::create(options);
    if (!loop) {
        state.SkipWithError(uring_remedy(loop.error()).c_str());
        return nullptr;
    }
    return std::move(*loop);
}

// Sends back what it gets, or says the next line when a reply has come.
class Talker final : public Connection::Handler {
 public:
    Talker(Loop& loop, int socket, std::string_view line)
        : line_(line), connection_(loop, Socket{socket}, *this) {
        connection_.start();
    }

    void say() { connection_.send(line_); }

    uint64_t heard = 0;
    bool answers = true;

 private:
    size_t on_bytes(std::string_view bytes) override {
        ++heard;
        if (answers) connection_.send(line_);
        return bytes.size();
    }

    void on_end(Connection::End, int) override { connection_.close(); }

    void on_closed() override {}

    std::string_view line_;
    Connection connection_;
};

void BM_connection_command_and_reply(benchmark::State& state) {
    const auto loop = make_loop(state);
    if (loop == nullptr) return;
    const auto sessions = static_cast<size_t>(bench::size_or_tiny(state.range(0), 4));
    std::vector<std::unique_ptr<Talker>> servers;
    std::vector<std::unique_ptr<Talker>> clients;
    for (size_t i = 0; i < sessions; ++i) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
            state.SkipWithError("too few descriptors");
            break;
        }
        servers.push_back(std::make_unique<Talker>(*loop, ends[0], "250 2.1.5 Ok\r\n"));
        clients.push_back(
            std::make_unique<Talker>(*loop, ends[1], "RCPT TO:<somebody@example.com>\r\n"));
        clients.back()->say();
    }
    const uint64_t turns_before = loop->turns();
    uint64_t heard_before = 0;
    for (const auto& client : clients) heard_before += client->heard;
    for (auto _ : state) loop->turn(kNeverUs);
    uint64_t heard = 0;
    for (const auto& client : clients) heard += client->heard;
    heard -= heard_before;
    state.SetItemsProcessed(static_cast<int64_t>(heard));
    state.counters["calls_per_round_trip"] =
        static_cast<double>(loop->turns() - turns_before) / static_cast<double>(heard + 1);
    loop->abandon_all();
}

BENCHMARK(BM_connection_command_and_reply)->ArgName("sessions")->Arg(1)->Arg(20)->Arg(200);

// Message bytes lent from an arena, received and counted.
void BM_connection_bulk(benchmark::State& state) {
    const auto loop = make_loop(state);
    if (loop == nullptr) return;

    struct Sink final : Connection::Handler {
        size_t on_bytes(std::string_view bytes) override {
            received += bytes.size();
            return bytes.size();
        }

        void on_end(Connection::End, int) override {}

        void on_closed() override {}

        uint64_t received = 0;
    } sink, source;

    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
    Connection from(*loop, Socket{ends[0]}, source);
    Connection to(*loop, Socket{ends[1]}, sink);
    from.start();
    to.start();
    const std::string message(static_cast<size_t>(state.range(0)), 'm');
    uint64_t expected = 0;
    for (auto _ : state) {
        from.send_borrowed(message);
        expected += message.size();
        while (sink.received < expected) loop->turn(kNeverUs);
    }
    state.SetBytesProcessed(static_cast<int64_t>(expected));
    loop->abandon_all();
}

BENCHMARK(BM_connection_bulk)->ArgName("message_bytes")->Arg(4 << 10)->Arg(64 << 10)->Arg(1 << 20);

void BM_loop_doorbell(benchmark::State& state) {
    const auto loop = make_loop(state);
    if (loop == nullptr) return;

    struct Watcher {
        void on_ring(const Event&) { ++rung; }

        uint64_t rung = 0;
        Completion done{runner_of<&Watcher::on_ring, Watcher>(), this};
    } watcher;

    const Fd doorbell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    loop->watch(watcher.done, doorbell.get());
    uint64_t expected = 0;
    for (auto _ : state) {
        loop->ring_doorbell(doorbell.get());
        ++expected;
        while (watcher.rung < expected) loop->turn(kNeverUs);
    }
    state.SetItemsProcessed(state.iterations());
    loop->abandon_all();
}

BENCHMARK(BM_loop_doorbell);

}  // namespace
}  // namespace posthaste
