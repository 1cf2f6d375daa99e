// posthaste-fill-queue: writes deferred messages into a relay's queue, through the store's own code
// and format, while the relay is stopped: a backlog that would take days to come about. Run it as
// the owner of the directory.
//
// Message i is for u<i>@d<i mod destinations>.<domain>, was attempted `attempts` times, and is due
// at an even pace over the spread. Ids lie before the mark from which the relay will lease its own.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "base/units.h"

#include "mail/envelope.h"
#include "mail/queue_state.h"
#include "runtime/stderr_log.h"

#include "store/queue_store.h"

namespace {

using namespace posthaste;

int failed(const Error& error) {
    std::fprintf(stderr, "posthaste-fill-queue: %s\n", error.text().c_str());
    return 1;
}

std::string content_of(uint64_t size_bytes) {
    std::string text =
        "Received: by backlog.test\r\nFrom: <sender@source.test>\r\nTo: <u@backlog.test>\r\n"
        "Subject: waits\r\nDate: Sun, 22 Nov 2026 07:30:00 +0000\r\n"
        "Message-Id: <waits@source.test>\r\n\r\n";
    constexpr std::string_view kLine = "the quick brown fox jumps over the lazy dog, again\r\n";
    while (text.size() + kLine.size() <= size_bytes) text += kLine;
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    std::string directory;
    std::string domain = "backlog.test";
    uint64_t messages = 1'000'000;
    uint64_t destinations = 100'000;
    uint64_t size_bytes = 4096;
    uint32_t due_in_s = 0;
    uint32_t spread_s = 4000;
    uint16_t attempts = 4;
    uint32_t batch = 500;
    CLI::App app{"Writes deferred messages into the queue of a relay that is stopped."};
    app.add_option("directory", directory, "the queue's database")->required();
    app.add_option("--messages", messages);
    app.add_option("--destinations", destinations)->check(CLI::Range(1, 100'000'000));
    app.add_option("--domain", domain, "message i is for d<i mod destinations>.<domain>");
    app.add_option("--size", size_bytes, "bytes a message");
    app.add_option("--due-in-s", due_in_s, "when the first is due");
    app.add_option("--spread-s", spread_s, "over which the others come due")
        ->check(CLI::Range(1, 10'000'000));
    app.add_option("--attempts", attempts, "that failed so far");
    CLI11_PARSE(app, argc, argv);

    StderrLog log("posthaste-fill-queue");
    auto opened = store::QueueStore::open(directory, {}, log);
    if (!opened) return failed(opened.error());
    store::QueueStore& queue = **opened;
    const int64_t now_us = std::chrono::duration_cast<std::chrono::microseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
    // The relay's own ids begin at the clock: ours end there, or behind what it leased already.
    const MessageId first =
        std::max(static_cast<MessageId>(now_us) - messages, queue.id_mark() + 1);

    const std::string content = content_of(size_bytes);
    const std::string_view pieces[] = {content};
    Envelope envelope;
    envelope.size_bytes = content.size();
    envelope.sender = "sender@source.test";
    envelope.client_name = "localhost";
    envelope.client_address = "127.0.0.1";
    envelope.helo = "source.test";
    envelope.protocol = "ESMTP";
    envelope.recipients.resize(1);
    QueueState state;
    state.queue = QueueName::deferred;
    state.groups.resize(1);
    state.groups[0].attempts = attempts;
    state.groups[0].recipients = {0};
    std::string envelope_bytes;
    std::string state_bytes;
    for (uint64_t i = 0; i < messages; ++i) {
        envelope.id = first + i;
        envelope.arrived_wall_us = now_us - kHourUs;
        envelope.recipients[0].address =
            "u" + std::to_string(i) + "@d" + std::to_string(i % destinations) + "." + domain;
        encode_envelope(envelope, envelope_bytes);
        state.groups[0].due_s = static_cast<uint32_t>(now_us / kSecondUs) + due_in_s +
                                static_cast<uint32_t>(i * spread_s / messages);
        encode_queue_state(state, state_bytes);
        queue.add_message(envelope.id, envelope_bytes, pieces);
        queue.put_state(envelope.id, state_bytes);
        queue.put_reason(envelope.id, 0, "4.4.1",
                         "connect to d" + std::to_string(i % destinations) + "." + domain +
                             "[127.1.2.3]:9: Connection refused");
        if ((i + 1) % batch != 0 && i + 1 != messages) continue;
        if (i + 1 == messages) queue.put_id_mark(first + messages);
        if (const auto written = queue.commit(); !written) return failed(written.error());
    }
    if (const auto flushed = queue.flush(); !flushed) return failed(flushed.error());
    std::printf("%llu messages for %llu destinations\n", static_cast<unsigned long long>(messages),
                static_cast<unsigned long long>(std::min(messages, destinations)));
    return 0;
}
