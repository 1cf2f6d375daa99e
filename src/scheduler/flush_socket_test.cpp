// The public socket of qmgr, and what those who may not be trusted do with it.
#include "scheduler/flush_socket.h"

#include <gtest/gtest.h>
#include <memory>

#include "scheduler/testing_world.h"
#include "simulation/sim_loop.h"
#include "simulation/sim_world.h"

namespace posthaste {
namespace {

const Endpoint kQmgr{IpAddress::v4(127, 0, 0, 1), 9};

class Client final : public Connection::Handler {
 public:
    Client(Loop& loop, std::string lines, bool reads = true)
        : loop_(loop),
          lines_(std::move(lines)),
          reads_(reads),
          connected_(runner_of<&Client::on_connect, Client>(), this) {
        loop_.connect(connected_, kQmgr, nullptr);
    }

    void on_connect(const Event& event) {
        ASSERT_GE(event.result, 0);
        connection_ = std::make_unique<Connection>(loop_, static_cast<Socket>(event.result), *this);
        if (!reads_) connection_->pause();
        connection_->start();
        connection_->send(lines_);
    }

    size_t on_bytes(std::string_view bytes) override {
        heard += bytes;
        return bytes.size();
    }

    void on_end(Connection::End, int) override { connection_->close(); }

    void on_closed() override { closed = true; }

    std::string heard;
    bool closed = false;

 private:
    Loop& loop_;
    std::string lines_;
    bool reads_;
    Completion connected_;
    std::unique_ptr<Connection> connection_;
};

// A deferred message: each flush attempts it once more.
class FlushSocketTest : public testing::Test {
 protected:
    FlushSocketTest() {
        queue_.start();
        queue_.sites_["y.example"].outcome = Outcome::deferred;
        id_ = queue_.submit("a@x.example", {"b@y.example"});
        queue_.run_for(kSecondUs);
    }

    ~FlushSocketTest() override {
        socket_.stop();
        run(2 * kMinuteUs);
        EXPECT_TRUE(socket_.is_stopped());
    }

    void run(int64_t us = 100 * kMsUs) {
        world_.run_for(us, 3'000'000);
        queue_.run_for(us);
    }

    size_t attempts() { return queue_.starts_.size(); }

    simulation::SimWorld world_{7};
    simulation::SimLoop& loop_ = world_.make_loop("qmgr");
    simulation::SimLoop& other_ = world_.make_loop("client");
    TestingWorld queue_;
    FlushSocket socket_{loop_, queue_.scheduler(), world_.network().listen(kQmgr)};
    MessageId id_ = kNoMessage;
};

TEST_F(FlushSocketTest, FlushesEverythingOrOneMessage) {
    Client all(other_, "flush\n");
    run();
    EXPECT_EQ(all.heard, "ok\n");
    EXPECT_TRUE(all.closed);
    EXPECT_EQ(attempts(), 2U);
    Client one(other_, "flush " + queue_id_text(id_) + "\n");
    Client unknown(other_, "flush " + queue_id_text(id_ + 1) + "\n");
    Client nonsense(other_, "explode\n");
    run();
    EXPECT_EQ(one.heard, "ok\n");
    EXPECT_EQ(unknown.heard, "unknown\n");
    EXPECT_EQ(nonsense.heard, "what?\n");
    EXPECT_EQ(attempts(), 3U);
}

TEST_F(FlushSocketTest, AnswersOneLineAConnection) {
    std::string lines;
    for (int i = 0; i < 1000; ++i) lines += "x\n";
    Client client(other_, lines);
    run();
    EXPECT_EQ(client.heard, "what?\n");
    EXPECT_TRUE(client.closed);
}

TEST_F(FlushSocketTest, FlushesOnceASecondAndForgetsNobody) {
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 20; ++i) {
        clients.push_back(std::make_unique<Client>(other_, "flush\n"));
        run(10 * kMsUs);
    }
    for (const auto& client : clients) EXPECT_EQ(client->heard, "ok\n");
    EXPECT_EQ(attempts(), 2U);
    run(FlushSocket::kFlushEveryUs);
    EXPECT_EQ(attempts(), 3U) << "for all who came in that second";
    run(10 * FlushSocket::kFlushEveryUs);
    EXPECT_EQ(attempts(), 3U);
}

TEST_F(FlushSocketTest, ClientsThatSayNothingOrTooMuchAreSentAway) {
    Client silent(other_, "flu");
    Client endless(other_, std::string(5000, 'x'));
    Client deaf(other_, "flush\n", false);
    run(kSecondUs);
    EXPECT_TRUE(endless.closed);
    EXPECT_FALSE(silent.closed);
    run(FlushSocket::kPatienceUs + kMinuteUs);
    EXPECT_TRUE(silent.closed);
    EXPECT_EQ(silent.heard, "");
    EXPECT_EQ(attempts(), 2U) << "the deaf one's";
}

}  // namespace
}  // namespace posthaste
