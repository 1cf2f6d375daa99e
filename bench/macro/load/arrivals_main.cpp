// posthaste-arrivals: messages at given times, open loop; one line of JSON with the time to 250.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/macro/load/open_loop.h"
#include "tests/support/tool_loop.h"

namespace {

nlohmann::json percentiles(const posthaste::bench::Latencies& latencies) {
    nlohmann::json out = {
        {"count", latencies.count()}, {"mean", latencies.mean_us()}, {"max", latencies.max_us()}};
    for (const auto& [name, share] :
         {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}})
        out[name] = latencies.percentile_us(share);
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace posthaste;
    bench::OpenLoopOptions options;
    std::string server = "127.0.0.1:2525";
    double seconds = 10;
    double warmup_s = 2;
    bool even = false;
    CLI::App app{
        "Messages at given times, whatever becomes of those before. One line of JSON; times in us "
        "from the intended moment to the 250."};
    app.add_option("--server", server, "ADDRESS:PORT of the relay");
    app.add_option("--rate", options.rate_per_s, "messages a second")->check(CLI::Range(0.1, 1e6));
    app.add_option("--seconds", seconds, "that count")->check(CLI::Range(0.1, 86400.0));
    app.add_option("--warmup-s", warmup_s, "before them")->check(CLI::Range(0.0, 3600.0));
    app.add_option("--connections", options.connections)->check(CLI::Range(1, 20000));
    app.add_option("--size", options.size_bytes, "bytes a message");
    app.add_option("--seed", options.seed, "of the arrivals");
    app.add_option("--sender", options.sender);
    app.add_option("--recipient", options.recipient);
    app.add_flag("--even", even, "the same gap between all arrivals, instead of Poisson's");
    CLI11_PARSE(app, argc, argv);
    const auto endpoint = Endpoint::parse(server);
    if (!endpoint) {
        std::fprintf(stderr, "posthaste-arrivals: --server wants ADDRESS:PORT, not %s\n",
                     server.c_str());
        return 1;
    }
    options.server = *endpoint;
    options.kind = even ? bench::Arrivals::Kind::even : bench::Arrivals::Kind::poisson;
    options.duration_us = static_cast<int64_t>(seconds * kSecondUs);
    options.warmup_us = static_cast<int64_t>(warmup_s * kSecondUs);
    const auto loop = support::make_tool_loop();
    bench::OpenLoop open_loop(*loop, options);
    const bench::OpenLoopResult result = open_loop.run();
    if (!result.connected) {
        std::fprintf(stderr, "posthaste-arrivals: %s did not take %u connections\n", server.c_str(),
                     options.connections);
    }
    const nlohmann::json out = {
        {"rate", options.rate_per_s},         {"arrived", result.arrived},
        {"refused", result.refused},          {"lost", result.lost},
        {"unanswered", result.unanswered},    {"waited_for_connection", result.waited},
        {"busy_peak", result.busy_peak},      {"to_250_us", percentiles(result.to_250)},
        {"late_us", percentiles(result.late)}};
    std::printf("%s\n", out.dump().c_str());
    std::fflush(nullptr);
    std::_Exit(result.connected ? 0 : 1);  // connections still open go with the process
}
