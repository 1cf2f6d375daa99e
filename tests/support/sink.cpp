// posthaste-sink: an SMTP server that takes mail and throws it away, as told. For benchmarks, tests
// and a first try. Runs until SIGTERM or SIGINT, then prints what it took.
#include <CLI/CLI.hpp>
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <netinet/in.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unordered_map>

#include "base/fd.h"

#include "tests/support/sink_session.h"
#include "tests/support/tool_loop.h"

namespace posthaste::support {
namespace {

class Sink {
 public:
    Sink(Loop& loop, const SinkOptions& options, int listener, int signals)
        : loop_(loop),
          options_(options),
          signals_(signals),
          accept_done_(runner_of<&Sink::on_accept, Sink>(), this),
          signal_done_(runner_of<&Sink::on_signal, Sink>(), this),
          flush_(timer_calls<&Sink::on_flush, Sink>(), this),
          listener_{listener} {
        loop_.accept(accept_done_, listener_);
        loop_.watch(signal_done_, signals);
        on_flush();
    }

    const SinkCounts& counts() const { return counts_; }

 private:
    void on_accept(const Event& event) {
        if (event.result >= 0) {
            auto session = std::make_unique<SinkSession>(
                loop_, Socket{event.result}, options_, counts_,
                [this](SinkSession& gone) { gone_.push_back(sessions_.extract(&gone)); });
            sessions_.emplace(session.get(), std::move(session));
        }
        if (event.last) loop_.accept(accept_done_, listener_);
    }

    void on_signal(const Event&) {
        signalfd_siginfo info{};
        if (::read(signals_, &info, sizeof info) == sizeof info) loop_.stop();
    }

    // What was recorded reaches the file while we run, so that a test can look.
    void on_flush() {
        gone_.clear();
        std::fflush(nullptr);
        loop_.timers().set(flush_, loop_.now_us() + 50 * kMsUs);
    }

    Loop& loop_;
    const SinkOptions& options_;
    int signals_;
    Completion accept_done_;
    Completion signal_done_;
    Timer flush_;
    Socket listener_;
    SinkCounts counts_;
    using Sessions = std::unordered_map<SinkSession*, std::unique_ptr<SinkSession>>;
    Sessions sessions_;
    std::vector<Sessions::node_type> gone_;
};

int listen_on(const Endpoint& endpoint) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    std::memcpy(&address.sin_addr, endpoint.ip.bytes.data(), 4);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd, 4096) != 0) {
        std::fprintf(stderr, "posthaste-sink: cannot listen on %s: %s\n", endpoint.text().c_str(),
                     std::strerror(errno));
        std::exit(1);
    }
    return fd;
}

}  // namespace
}  // namespace posthaste::support

int main(int argc, char** argv) {
    using namespace posthaste;
    using namespace posthaste::support;
    SinkOptions options;
    std::string listen = "127.0.0.1:2526";
    std::string record;
    bool no_pipelining = false;
    CLI::App app{"An SMTP server that takes mail and throws it away, as told."};
    app.add_option("--listen", listen, "ADDRESS:PORT to listen on (IPv4)");
    app.add_option("--record", record, "append a line for each message: tag recipients bytes");
    app.add_option("--rcpt-reply", options.rcpt_reply, "answer to every RCPT instead of 250");
    app.add_option("--data-reply", options.data_reply, "answer to every DATA instead of 354");
    app.add_option("--final-reply", options.final_reply, "answer to every message instead of 250");
    app.add_option("--final-delay-ms", options.final_delay_ms,
                   "wait before the answer to a message");
    app.add_option("--disconnect-every", options.disconnect_every,
                   "close without an answer behind every n-th message");
    app.add_flag("--no-pipelining", no_pipelining, "do not offer PIPELINING");
    app.add_flag("--chunking", options.chunking, "offer CHUNKING");
    CLI11_PARSE(app, argc, argv);
    options.pipelining = !no_pipelining;
    const auto endpoint = Endpoint::parse(listen);
    if (!endpoint || endpoint->ip.v6) {
        std::fprintf(stderr, "posthaste-sink: --listen wants IPv4:PORT, not %s\n", listen.c_str());
        return 1;
    }
    std::FILE* file = nullptr;
    if (!record.empty() && (file = std::fopen(record.c_str(), "a")) == nullptr) {
        std::fprintf(stderr, "posthaste-sink: cannot write %s: %s\n", record.c_str(),
                     std::strerror(errno));
        return 1;
    }
    if (file != nullptr) {
        options.on_message = [file](std::string_view tag, uint32_t recipients, uint64_t bytes) {
            std::fprintf(file, "%.*s %u %llu\n", static_cast<int>(tag.size()), tag.data(),
                         recipients, static_cast<unsigned long long>(bytes));
        };
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    const Fd signal_fd(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
    const Fd listener(listen_on(*endpoint));

    auto loop = make_tool_loop();
    Sink sink(*loop, options, listener.get(), signal_fd.get());
    loop->run();
    const SinkCounts& counts = sink.counts();
    std::printf("%llu messages, %llu recipients, %llu bytes, %llu connections\n",
                static_cast<unsigned long long>(counts.messages),
                static_cast<unsigned long long>(counts.recipients),
                static_cast<unsigned long long>(counts.bytes),
                static_cast<unsigned long long>(counts.connections));
    std::fflush(nullptr);
    std::_Exit(0);  // sessions still open go with the process
}
