// Connections on simulated loops: a whole conversation in any weather, from a seed.
#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"

#include "runtime/connection.h"

#include "simulation/sim_loop.h"
#include "simulation/sim_recorder.h"
#include "simulation/sim_world.h"

namespace posthaste::simulation {
namespace {

constexpr uint64_t kSteps = 3'000'000;
constexpr int kClients = 5;
constexpr int kLines = 40;
const Endpoint kServer{IpAddress::v4(192, 0, 2, 25), 25};

// Answers each line with itself, pausing now and then as somebody who waits for another process.
class EchoSession final : public Connection::Handler {
 public:
    EchoSession(SimLoop& loop, SimWorld& world, Socket socket)
        : world_(world), connection_(loop, socket, *this) {
        connection_.start();
    }

    bool is_closed() const { return closed_; }

 private:
    size_t on_bytes(std::string_view bytes) override {
        const size_t end = bytes.find('\n');
        if (end == std::string_view::npos) return 0;
        connection_.send(bytes.substr(0, end + 1));
        // One line an offer; the rest is kept and offered later.
        connection_.pause();
        world_.after(world_.between(1, 500), [this] {
            if (!closed_ && !connection_.closing()) connection_.resume();
        });
        return end + 1;
    }

    void on_end(Connection::End, int) override { connection_.close(); }

    void on_closed() override { closed_ = true; }

    SimWorld& world_;
    bool closed_ = false;
    Connection connection_;
};

class EchoServer {
 public:
    EchoServer(SimWorld& world, SimLoop& loop) : world_(world), loop_(loop) {
        accepting_.then = [this](const Event& event) {
            if (event.result < 0) return;
            sessions_.push_back(std::make_unique<EchoSession>(loop_, world_, Socket{event.result}));
        };
        loop_.accept(accepting_.done, world_.network().listen(kServer));
    }

    bool all_closed() const {
        for (const auto& session : sessions_) {
            if (!session->is_closed()) return false;
        }
        return true;
    }

 private:
    SimWorld& world_;
    SimLoop& loop_;
    Recorder accepting_;
    std::vector<std::unique_ptr<EchoSession>> sessions_;
};

// Says its lines, pipelined, and hangs up when all have come back.
class Client final : public Connection::Handler {
 public:
    Client(SimLoop& loop, int number) : loop_(loop) {
        for (int i = 0; i < kLines; ++i) {
            says_ +=
                std::to_string(number) + " " + std::string(static_cast<size_t>(i * 37), 'x') + "\n";
        }
        connecting_.then = [this](const Event& event) {
            if (event.result < 0) {
                over_ = true;
                return;
            }
            connection_ = std::make_unique<Connection>(loop_, Socket{event.result}, *this);
            connection_->start();
            connection_->send_borrowed(says_);
            connection_->set_deadline(loop_.now_us() + kHourUs);
        };
        loop_.connect(connecting_.done, kServer, nullptr);
    }

    bool over() const { return over_; }

    bool heard_all() const { return heard_ == says_; }

    bool heard_a_beginning() const { return says_.compare(0, heard_.size(), heard_) == 0; }

 private:
    size_t on_bytes(std::string_view bytes) override {
        heard_ += bytes;
        if (heard_.size() == says_.size()) connection_->close();
        return bytes.size();
    }

    void on_end(Connection::End, int) override { connection_->close(); }

    void on_closed() override { over_ = true; }

    SimLoop& loop_;
    Recorder connecting_;
    std::string says_;
    std::string heard_;
    bool over_ = false;
    std::unique_ptr<Connection> connection_;
};

struct Outcome {
    uint64_t trace_hash;
    bool all_over = false;
    int complete = 0;
    bool nothing_invented = true;
    bool server_closed_all = false;
    size_t streams_open = 0;
};

Outcome converse(uint64_t seed, const NetworkConditions& weather, bool crash) {
    SimWorld world(seed);
    world.network().conditions = weather;
    SimLoop* server_loop = &world.make_loop("server");
    auto server = std::make_unique<EchoServer>(world, *server_loop);
    std::vector<SimLoop*> loops;
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < kClients; ++i) {
        loops.push_back(&world.make_loop("client" + std::to_string(i)));
        clients.push_back(std::make_unique<Client>(*loops.back(), i));
    }
    const auto all_over = [&] {
        for (const auto& client : clients) {
            if (!client->over()) return false;
        }
        return true;
    };
    std::vector<std::unique_ptr<EchoServer>> dead;
    if (crash) {
        world.run_until(all_over, static_cast<uint64_t>(world.between(1, 600)));
        world.kill(*server_loop);
        dead.push_back(std::move(server));
        server_loop = &world.make_loop("server again");
        server = std::make_unique<EchoServer>(world, *server_loop);
    }
    Outcome out{};
    out.all_over = world.run_until(all_over, kSteps) == SimWorld::Outcome::reached;
    world.run_for(kHourUs, kSteps);
    for (const auto& client : clients) {
        out.complete += client->heard_all();
        out.nothing_invented = out.nothing_invented && client->heard_a_beginning();
    }
    out.server_closed_all = server->all_closed();
    out.streams_open = world.network().streams_open();
    out.trace_hash = world.trace_hash();
    for (SimLoop* loop : loops) world.kill(*loop);
    world.kill(*server_loop);
    return out;
}

uint64_t first_seed() {
    const char* given = std::getenv("POSTHASTE_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

TEST(SimConnection, EveryLineComesBackHoweverTheBytesAreCut) {
    NetworkConditions weather;
    weather.cut_permille = 600;
    weather.in_flight_bytes_max = 3000;
    weather.stall_permille = 2;
    for (uint64_t seed = first_seed(); seed < first_seed() + 50; ++seed) {
        SCOPED_TRACE(seed);
        const Outcome out = converse(seed, weather, false);
        ASSERT_TRUE(out.all_over);
        ASSERT_EQ(out.complete, kClients);
        ASSERT_TRUE(out.server_closed_all);
        ASSERT_EQ(out.streams_open, 0u);
    }
}

TEST(SimConnection, EverybodyComesToAnEndThroughResetsAndCrashes) {
    NetworkConditions weather;
    weather.reset_permille = 10;
    weather.refuse_permille = 50;
    weather.stall_permille = 5;
    int complete = 0;
    for (uint64_t seed = first_seed(); seed < first_seed() + 100; ++seed) {
        SCOPED_TRACE(seed);
        const Outcome out = converse(seed, weather, seed % 2 == 0);
        ASSERT_TRUE(out.all_over);
        ASSERT_TRUE(out.nothing_invented);
        ASSERT_TRUE(out.server_closed_all);
        ASSERT_EQ(out.streams_open, 0u);
        complete += out.complete;
    }
    EXPECT_GT(complete, 50);
    EXPECT_LT(complete, 100 * kClients) << "the weather was too good to prove anything";
}

TEST(SimConnection, TheSameSeedGivesTheSameRun) {
    NetworkConditions weather;
    weather.reset_permille = 5;
    for (uint64_t seed = 1; seed < 10; ++seed) {
        const uint64_t hash = converse(seed, weather, true).trace_hash;
        EXPECT_EQ(hash, converse(seed, weather, true).trace_hash);
        EXPECT_NE(hash, converse(seed + 1, weather, true).trace_hash);
    }
}

}  // namespace
}  // namespace posthaste::simulation
