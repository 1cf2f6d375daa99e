// The header pass: from a copy of the message's beginning to the new header section. Cleanup's
// share of a message's price beside the envelope and the ring.
#include <benchmark/benchmark.h>
#include <string>

#include "cleanup/cleanup/header_pass.h"
#include "cleanup/cleanup/recipients.h"

namespace posthaste::cleanup {
namespace {

CleanupPolicy policy() {
    CleanupPolicy out;
    out.host = "mx.example.com";
    out.origin = "example.com";
    out.mail_name = "Posthaste";
    out.envelope = out.local_headers = {"example.com", ""};
    OpenReport report;
    if (!out.local_clients.open("127.0.0.0/8 [::1]/128", report)) std::abort();
    out.always_add_missing_headers = true;
    out.dropped_headers = {"bcc", "content-length", "resent-bcc", "return-path"};
    out.header_bytes_max = 102400;
    out.header_addresses_max = 10240;
    out.hops_max = 50;
    out.duplicates_max = 1000;
    return out;
}

Envelope envelope(int64_t recipients) {
    Envelope out;
    out.id = 1'700'000'000'000'000;
    out.sender = "sender@customer.example.org";
    for (int64_t i = 0; i < recipients; ++i) {
        out.recipients.push_back(
            {"recipient" + std::to_string(i) + "@somewhere.example.net", "", kNotifyUnset});
    }
    out.client_name = "app1.example.com";
    out.client_address = "127.0.0.1";
    out.helo = "app1.example.com";
    out.protocol = "ESMTP";
    return out;
}

std::string message_with(int64_t fields) {
    std::string out =
        "From: Sender <sender@customer.example.org>\r\nTo: recipient0@somewhere.example.net\r\n"
        "Message-ID: <20261122073000.1@customer.example.org>\r\nDate: Sun, 22 Nov 2026 07:30:00 "
        "+0000\r\n"
        "Subject: A subject of the usual length\r\n";
    for (int64_t i = 5; i < fields; ++i) {
        out += "X-Field-" + std::to_string(i) +
               ": some value of sixty bytes, as fields have them mostly\r\n";
    }
    return out + "\r\n";
}

void BM_header_pass(benchmark::State& state) {
    const CleanupPolicy with = policy();
    const Envelope from = envelope(1);
    const std::string message = message_with(state.range(0));
    constexpr HeaderPass::Times kTimes{"Sun, 22 Nov 2026 07:30:00 +0000 (UTC)"};
    HeaderPass pass;
    std::string out;
    for (auto _ : state) {
        benchmark::DoNotOptimize(pass.run(with, from, kTimes, message, true, out).body_offset);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(message.size()));
}

BENCHMARK(BM_header_pass)->ArgName("fields")->Arg(5)->Arg(20)->Arg(100);

void BM_header_pass_envelope(benchmark::State& state) {
    const CleanupPolicy with = policy();
    std::string encoded;
    encode_envelope(envelope(state.range(0)), encoded);
    std::string out;
    for (auto _ : state) {
        auto decoded = decode_envelope(encoded);
        complete_envelope(with, *decoded);
        drop_duplicates(with, *decoded);
        encode_envelope(*decoded, out);
        benchmark::DoNotOptimize(out.data());
    }
}

BENCHMARK(BM_header_pass_envelope)->ArgName("recipients")->Arg(1)->Arg(50);

}  // namespace
}  // namespace posthaste::cleanup
