// The pass over DATA: end-of-data found, doubled dots taken out, line ends mended, the bytes copied
// once into what stands for smtpd's arena; and the way back, dots doubled for the next server.
// Every byte of every message goes through both.
#include <benchmark/benchmark.h>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "mail/data_scanner.h"

namespace posthaste {
namespace {

// The copy belongs to the price: it is the only one a byte pays in smtpd.
class FlatSink final : public ByteSink {
 public:
    explicit FlatSink(size_t size_bytes) : bytes_(size_bytes) {}

    void append(std::string_view more) override {
        std::memcpy(bytes_.data() + used_, more.data(), more.size());
        used_ += more.size();
    }

    void reset() { used_ = 0; }

    size_t used() const { return used_; }

 private:
    std::vector<char> bytes_;
    size_t used_ = 0;
};

std::string text_of(size_t size_bytes, size_t line_bytes, std::string_view line_start,
                    std::string_view line_end) {
    std::string out;
    while (out.size() < size_bytes) {
        out += line_start;
        out.append(line_bytes, 'x');
        out += line_end;
    }
    return out;
}

// Fed as TCP delivers it: in pieces of `piece_bytes`.
void scan(benchmark::State& state, const std::string& message, size_t piece_bytes) {
    FlatSink sink(message.size() * 2);
    for (auto _ : state) {
        sink.reset();
        DataScanner scanner(BareNewline::normalize);
        std::string_view left = message;
        while (!left.empty()) {
            left.remove_prefix(scanner.consume(left.substr(0, piece_bytes), sink));
            if (scanner.done()) break;
        }
        if (!scanner.done()) state.SkipWithError("the end was not found");
        benchmark::DoNotOptimize(sink.used());
    }
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(message.size()));
}

constexpr size_t kReceiveBytes = 16384;

void BM_data_scan(benchmark::State& state) {
    scan(state, text_of(static_cast<size_t>(state.range(0)), 72, "", "\r\n") + ".\r\n",
         kReceiveBytes);
}

BENCHMARK(BM_data_scan)
    ->ArgName("message_bytes")
    ->Arg(1 << 10)
    ->Arg(4 << 10)
    ->Arg(64 << 10)
    ->Arg(1 << 20);

void BM_data_scan_line(benchmark::State& state) {
    scan(state, text_of(64 << 10, static_cast<size_t>(state.range(0)), "", "\r\n") + ".\r\n",
         kReceiveBytes);
}

BENCHMARK(BM_data_scan_line)->ArgName("line_bytes")->Arg(0)->Arg(20)->Arg(72)->Arg(990);

// What an attacker would send: the slow path at every line.
void BM_data_scan_every_line_dotted(benchmark::State& state) {
    scan(state, text_of(64 << 10, 1, "..", "\r\n") + ".\r\n", kReceiveBytes);
}

BENCHMARK(BM_data_scan_every_line_dotted);

void BM_data_scan_bare_newlines(benchmark::State& state) {
    scan(state, text_of(64 << 10, 1, "", "\n") + "\r\n.\r\n", kReceiveBytes);
}

BENCHMARK(BM_data_scan_bare_newlines);

void BM_data_scan_cut(benchmark::State& state) {
    scan(state, text_of(4 << 10, 72, "", "\r\n") + ".\r\n", static_cast<size_t>(state.range(0)));
}

BENCHMARK(BM_data_scan_cut)->ArgName("piece_bytes")->Arg(1)->Arg(16)->Arg(1448);

void BM_dot_stuff(benchmark::State& state) {
    const std::string message = text_of(static_cast<size_t>(state.range(0)), 72, "", "\r\n");
    for (auto _ : state) {
        DotStuffer stuffer;
        size_t pieces = 0;
        stuffer.feed(message, [&](std::string_view piece) {
            benchmark::DoNotOptimize(piece.data());
            ++pieces;
        });
        benchmark::DoNotOptimize(pieces);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(message.size()));
}

BENCHMARK(BM_dot_stuff)->ArgName("message_bytes")->Arg(4 << 10)->Arg(64 << 10);

}  // namespace
}  // namespace posthaste
