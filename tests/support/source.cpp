// posthaste-source: sends tagged messages over many sessions and says how fast they were taken.
// Closed loop: each session sends its next message when the last one was answered. Ends when
// --messages were answered, or after --timeout-s.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/support/source_session.h"
#include "tests/support/tool_loop.h"

namespace posthaste::support {
namespace {

class Source {
 public:
    Source(Loop& loop, const SourceOptions& options, uint32_t sessions, int64_t timeout_s,
           bool progress)
        : loop_(loop),
          options_(options),
          timeout_us_(timeout_s * kSecondUs),
          progress_(progress),
          tick_(timer_calls<&Source::on_tick, Source>(), this) {
        for (size_t line = 0; run_.filler.size() < options.size_bytes; ++line) {
            run_.filler +=
                "line " + std::to_string(line) + " the quick brown fox jumps over the lazy dog\r\n";
        }
        for (uint32_t i = 0; i < sessions; ++i) {
            sessions_.push_back(std::make_unique<SourceSession>(loop, options, run_));
        }
    }

    int run() {
        began_us_ = shown_us_ = loop_.now_us();
        for (auto& session : sessions_) session->start();
        loop_.timers().set(tick_, began_us_ + kTickUs);
        loop_.run();
        const double seconds = static_cast<double>(loop_.now_us() - began_us_) / kSecondUs;
        if (progress_) std::fprintf(stderr, "\n");
        std::printf("%llu accepted, %llu refused, %llu connections lost, %.3f s, %.1f messages/s\n",
                    static_cast<unsigned long long>(run_.acked),
                    static_cast<unsigned long long>(run_.refused),
                    static_cast<unsigned long long>(run_.connections_lost), seconds,
                    static_cast<double>(run_.acked) / seconds);
        return run_.acked + run_.refused >= options_.messages ? 0 : 1;
    }

 private:
    static constexpr int64_t kTickUs = 20 * kMsUs;

    void on_tick() {
        const int64_t now_us = loop_.now_us();
        std::fflush(nullptr);  // what was acknowledged is on record, also if we are killed
        if (progress_ && now_us - shown_us_ >= kSecondUs / 2) {
            shown_us_ = now_us;
            std::fprintf(stderr, "\r%llu of %llu messages accepted, %.0f a second ",
                         static_cast<unsigned long long>(run_.acked),
                         static_cast<unsigned long long>(options_.messages),
                         static_cast<double>(run_.acked) * kSecondUs /
                             static_cast<double>(now_us - began_us_));
        }
        bool all_finished = true;
        for (const auto& session : sessions_) all_finished = all_finished && session->finished();
        if (all_finished || run_.acked + run_.refused >= options_.messages ||
            now_us - began_us_ > timeout_us_)
            return loop_.stop();
        loop_.timers().set(tick_, now_us + kTickUs);
    }

    Loop& loop_;
    const SourceOptions& options_;
    int64_t timeout_us_;
    bool progress_;
    Timer tick_;
    SourceRun run_;
    std::vector<std::unique_ptr<SourceSession>> sessions_;
    int64_t began_us_ = 0;
    int64_t shown_us_ = 0;
};

}  // namespace
}  // namespace posthaste::support

int main(int argc, char** argv) {
    using namespace posthaste;
    using namespace posthaste::support;
    SourceOptions options;
    std::string server = "127.0.0.1:2525";
    std::string acked;
    uint32_t sessions = 20;
    int64_t timeout_s = 300;
    bool progress = false;
    CLI::App app{"Sends tagged messages and says how fast they were taken."};
    app.add_option("--server", server, "ADDRESS:PORT of the relay");
    app.add_option("--messages", options.messages);
    app.add_option("--sessions", sessions)->check(CLI::Range(1, 20000));
    app.add_option("--size", options.size_bytes, "bytes a message");
    app.add_option("--recipients", options.recipients, "recipients a message")
        ->check(CLI::Range(1, 10000));
    app.add_option("--domains", options.domains, "spread over so many recipient domains")
        ->check(CLI::Range(1, 1000000));
    app.add_option("--domain", options.domain, "recipient domain");
    app.add_option("--sender", options.sender);
    app.add_option("--tag", options.tag_prefix, "prefix of each message's tag");
    app.add_option("--acked", acked, "append the tag of each message answered 250");
    app.add_option("--timeout-s", timeout_s);
    app.add_flag("--pipelining", options.pipelining, "send MAIL, RCPT and DATA at once");
    app.add_flag("--progress", progress, "show progress on standard error");
    CLI11_PARSE(app, argc, argv);
    const auto endpoint = Endpoint::parse(server);
    if (!endpoint) {
        std::fprintf(stderr, "posthaste-source: --server wants ADDRESS:PORT, not %s\n",
                     server.c_str());
        return 1;
    }
    options.server = *endpoint;
    std::FILE* record = nullptr;
    if (!acked.empty() && (record = std::fopen(acked.c_str(), "a")) == nullptr) {
        std::fprintf(stderr, "posthaste-source: cannot write %s: %s\n", acked.c_str(),
                     std::strerror(errno));
        return 1;
    }
    if (record != nullptr) {
        options.on_acked = [record](std::string_view tag, std::string_view,
                                    const std::vector<uint32_t>&) {
            std::fprintf(record, "%.*s\n", static_cast<int>(tag.size()), tag.data());
        };
    }
    auto loop = make_tool_loop();
    Source source(*loop, options, sessions, timeout_s, progress);
    const int status = source.run();
    std::fflush(nullptr);
    std::_Exit(status);  // sessions still open go with the process
}
