#include "simulation/sim_network.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "base/units.h"

#include "simulation/sim_loop.h"
#include "simulation/sim_recorder.h"
#include "simulation/sim_world.h"

namespace posthaste::simulation {
namespace {

constexpr uint64_t kSteps = 1'000'000;
const Endpoint kServer{IpAddress::v4(192, 0, 2, 25), 25};

std::string pattern(size_t bytes) {
    std::string out(bytes, '\0');
    for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(i * 7 + i / 251);
    return out;
}

iovec piece_of(const std::string& text) { return {const_cast<char*>(text.data()), text.size()}; }

class SimNetworkTest : public testing::Test {
 protected:
    // Before the recorders of operations that go on forever go.
    void end() {
        world_.kill(left_);
        world_.kill(right_);
    }

    bool reach(const std::function<bool()>& done) {
        return world_.run_until(done, kSteps) == SimWorld::Outcome::reached;
    }

    SimWorld world_{7};
    SimLoop& left_ = world_.make_loop("left");
    SimLoop& right_ = world_.make_loop("right");
};

TEST_F(SimNetworkTest, ConnectsToAListenerAndKnowsBothAddresses) {
    const Socket listener = world_.network().listen(kServer);
    Recorder accepting, connecting;
    right_.accept(accepting.done, listener);
    left_.connect(connecting.done, kServer, nullptr);
    EXPECT_TRUE(connecting.results.empty());
    ASSERT_TRUE(reach([&] { return connecting.idle() && !accepting.results.empty(); }));
    const Socket client{connecting.results.at(0)};
    const Socket server{accepting.results.at(0)};
    EXPECT_EQ(left_.peer_of(client), kServer);
    EXPECT_EQ(left_.local_of(client).ip, left_.address());
    EXPECT_EQ(right_.peer_of(server), left_.local_of(client));
    EXPECT_FALSE(accepting.idle()) << "multishot";
    left_.close(client);
    right_.close(server);
    EXPECT_EQ(world_.network().streams_open(), 0u);
    end();
}

TEST_F(SimNetworkTest, RefusesWhereNobodyListens) {
    Recorder connecting;
    left_.connect(connecting.done, kServer, nullptr);
    ASSERT_TRUE(reach([&] { return connecting.idle(); }));
    EXPECT_EQ(connecting.results, std::vector<int32_t>{-ECONNREFUSED});
    end();
}

TEST_F(SimNetworkTest, AnUnansweredConnectEndsByCancelOnly) {
    world_.network().listen(kServer);
    world_.network().set_unanswering(kServer.ip, true);
    Recorder connecting;
    left_.connect(connecting.done, kServer, nullptr);
    world_.run_for(kDayUs, kSteps);
    EXPECT_FALSE(connecting.idle());
    left_.cancel(connecting.done);
    EXPECT_TRUE(connecting.results.empty()) << "not from inside cancel";
    ASSERT_TRUE(reach([&] { return connecting.idle(); }));
    EXPECT_EQ(connecting.results, std::vector<int32_t>{-ECANCELED});
    end();
}

TEST_F(SimNetworkTest, CarriesBytesBothWaysInOrderWhateverTheCuts) {
    world_.network().conditions.cut_permille = 900;
    world_.network().conditions.in_flight_bytes_max = 5000;
    const auto [a, b] = world_.network().pair(left_, right_);
    const std::string text = pattern(300'000);
    const std::string reverse(text.rbegin(), text.rend());
    const iovec piece = piece_of(text);
    const iovec reverse_piece = piece_of(reverse);
    Recorder a_reads, b_reads, a_sends, b_sends;
    left_.receive(a_reads.done, a);
    right_.receive(b_reads.done, b);
    left_.send(a_sends.done, a, {&piece, 1});
    right_.send(b_sends.done, b, {&reverse_piece, 1});
    ASSERT_TRUE(reach([&] {
        return a_reads.bytes.size() == text.size() && b_reads.bytes.size() == text.size() &&
               a_sends.idle() && b_sends.idle();
    }));
    EXPECT_TRUE(b_reads.bytes == text);
    EXPECT_TRUE(a_reads.bytes == reverse);
    EXPECT_EQ(a_sends.results, std::vector<int32_t>{static_cast<int32_t>(text.size())});
    EXPECT_GT(b_reads.results.size(), 60u);
    end();
}

TEST_F(SimNetworkTest, ReadsTheSendersMemoryAfterTheCall) {
    const auto [a, b] = world_.network().pair(left_, right_);
    std::string text = "what was meant";
    const iovec piece = piece_of(text);
    Recorder reads, sends;
    right_.receive(reads.done, b);
    left_.send(sends.done, a, {&piece, 1});
    text = "what was wrong";
    ASSERT_TRUE(reach([&] { return reads.bytes.size() == text.size() && sends.idle(); }));
    EXPECT_EQ(reads.bytes, "what was wrong");
    end();
}

TEST_F(SimNetworkTest, BoundsWhatIsInFlight) {
    const auto [a, b] = world_.network().pair(left_, right_);
    const std::string text = pattern(100'000);
    const iovec piece = piece_of(text);
    Recorder sends, reads;
    left_.send(sends.done, a, {&piece, 1});
    world_.run_for(kMinuteUs, kSteps);
    EXPECT_FALSE(sends.idle()) << "nobody reads";
    right_.receive(reads.done, b);
    ASSERT_TRUE(reach([&] { return sends.idle(); }));
    end();
}

TEST_F(SimNetworkTest, CloseEndsTheStreamAfterItsBytes) {
    const auto [a, b] = world_.network().pair(left_, right_);
    const std::string text = "bye";
    const iovec piece = piece_of(text);
    Recorder sends, reads;
    left_.send(sends.done, a, {&piece, 1});
    ASSERT_TRUE(reach([&] { return sends.idle(); }));
    left_.close(a);
    right_.receive(reads.done, b);
    ASSERT_TRUE(reach([&] { return reads.idle(); }));
    EXPECT_EQ(reads.bytes, "bye");
    EXPECT_EQ(reads.results.back(), 0);
    right_.close(b);
    end();
}

TEST_F(SimNetworkTest, WritingToAClosedEndResets) {
    const auto [a, b] = world_.network().pair(left_, right_);
    right_.close(b);
    const std::string text = "into the void";
    const iovec piece = piece_of(text);
    Recorder sends;
    left_.send(sends.done, a, {&piece, 1});
    ASSERT_TRUE(reach([&] { return sends.idle(); }));
    EXPECT_EQ(sends.results.back(), static_cast<int32_t>(text.size()));
    world_.run_for(kSecondUs, kSteps);
    left_.send(sends.done, a, {&piece, 1});
    ASSERT_TRUE(reach([&] { return sends.idle(); }));
    EXPECT_EQ(sends.results.back(), -EPIPE);
    Recorder reads;
    left_.receive(reads.done, a);
    ASSERT_TRUE(reach([&] { return reads.idle(); }));
    EXPECT_EQ(reads.results.back(), -ECONNRESET);
    end();
}

TEST_F(SimNetworkTest, CancelEndsReceiveSendAndAccept) {
    const auto [a, b] = world_.network().pair(left_, right_);
    const std::string text = pattern(100'000);
    const iovec piece = piece_of(text);
    Recorder reads, sends, accepts;
    left_.receive(reads.done, a);
    left_.send(sends.done, a, {&piece, 1});
    left_.accept(accepts.done, world_.network().listen(kServer));
    world_.run_for(kSecondUs, kSteps);
    for (Recorder* recorder : {&reads, &sends, &accepts}) left_.cancel(recorder->done);
    ASSERT_TRUE(reach([&] { return reads.idle() && sends.idle() && accepts.idle(); }));
    for (Recorder* recorder : {&reads, &sends, &accepts}) {
        EXPECT_EQ(recorder->results, std::vector<int32_t>{-ECANCELED});
    }
    end();
}

TEST_F(SimNetworkTest, AListenerOutlivesWhoAcceptsOnIt) {
    const Socket listener = world_.network().listen(kServer);
    Recorder accepting, connecting;
    right_.accept(accepting.done, listener);
    world_.kill(right_);
    EXPECT_TRUE(accepting.idle());
    left_.connect(connecting.done, kServer, nullptr);
    ASSERT_TRUE(reach([&] { return connecting.idle(); }));
    EXPECT_GE(connecting.results.at(0), 0) << "waits in the backlog";
    SimLoop& next = world_.make_loop("next");
    Recorder accepting_next;
    next.accept(accepting_next.done, world_.network().listen(kServer));
    ASSERT_TRUE(reach([&] { return !accepting_next.results.empty(); }));
    EXPECT_EQ(next.peer_of(Socket{accepting_next.results.at(0)}),
              left_.local_of(Socket{connecting.results.at(0)}));
    world_.network().unlisten(kServer);
    ASSERT_TRUE(reach([&] { return accepting_next.idle(); }));
    EXPECT_EQ(accepting_next.results.back(), -EINVAL);
    end();
}

TEST_F(SimNetworkTest, TheWeatherResetsStreams) {
    world_.network().conditions.reset_permille = 1000;
    const auto [a, b] = world_.network().pair(left_, right_);
    const std::string text = "lost";
    const iovec piece = piece_of(text);
    Recorder sends, reads_here, reads_there;
    left_.receive(reads_here.done, a);
    right_.receive(reads_there.done, b);
    left_.send(sends.done, a, {&piece, 1});
    ASSERT_TRUE(reach([&] { return reads_here.idle() && reads_there.idle() && sends.idle(); }));
    EXPECT_EQ(reads_here.results.back(), -ECONNRESET);
    EXPECT_EQ(reads_there.results.back(), -ECONNRESET);
    EXPECT_EQ(reads_there.bytes, "");
    end();
}

}  // namespace
}  // namespace posthaste::simulation
