#include "runtime/connection.h"

#include <cerrno>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <sys/socket.h>

#include "runtime/uring_loop.h"

namespace posthaste {
namespace {

// A protocol that writes down what happens to it.
struct Script final : Connection::Handler {
    size_t on_bytes(std::string_view bytes) override {
        ++offers;
        const size_t take = consume ? consume(bytes) : bytes.size();
        heard.append(bytes.substr(0, take));
        return take;
    }

    void on_end(Connection::End reason, int os_errno) override {
        ends.push_back(reason);
        end_errno = os_errno;
        if (on_end_do) on_end_do();
    }

    void on_sent() override {
        ++sent;
        if (on_sent_do) on_sent_do();
    }

    void on_send_progress() override { ++progress; }

    void on_closed() override { ++closed; }

    std::function<size_t(std::string_view)> consume;
    std::function<void()> on_end_do;
    std::function<void()> on_sent_do;
    std::string heard;
    int offers = 0;
    std::vector<Connection::End> ends;
    int end_errno = 0;
    int sent = 0;
    int progress = 0;
    int closed = 0;
};

class ConnectionTest : public testing::Test {
 protected:
    ConnectionTest() {
        UringOptions options;
        options.entries = 64;
        options.receive = options.send = true;
        auto made = UringLoop::create(options);
        EXPECT_TRUE(made);
        loop_ = std::move(*made);
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        connection_ = std::make_unique<Connection>(*loop_, Socket{ends[0]}, script_);
        peer_ = std::make_unique<Connection>(*loop_, Socket{ends[1]}, peer_script_);
    }

    ~ConnectionTest() override {
        if (loop_) loop_->abandon_all();
    }

    void turn_until(const std::function<bool()>& done) {
        while (!done()) loop_->turn(kNeverUs);
    }

    void start() {
        connection_->start();
        peer_->start();
    }

    void close_both() {
        connection_->close();
        peer_->close();
        turn_until([&] { return script_.closed == 1 && peer_script_.closed == 1; });
    }

    std::unique_ptr<UringLoop> loop_;
    Script script_;
    Script peer_script_;
    std::unique_ptr<Connection> connection_;
    std::unique_ptr<Connection> peer_;
};

TEST_F(ConnectionTest, SendsCopiedAndBorrowedTextInOrderInOneGo) {
    start();
    const std::string borrowed(5000, 'b');
    std::string expected;
    for (int i = 0; i < 3; ++i) {
        const std::string line = "line " + std::to_string(i) + "\r\n";
        connection_->send(line);
        connection_->send_borrowed(borrowed);
        expected += line + borrowed;
    }
    connection_->send("end\r\n");
    expected += "end\r\n";
    EXPECT_EQ(connection_->unsent_bytes(), expected.size());
    turn_until([&] { return peer_script_.heard.size() == expected.size() && script_.sent > 0; });
    EXPECT_EQ(peer_script_.heard, expected);
    EXPECT_EQ(script_.sent, 1);
    EXPECT_EQ(connection_->unsent_bytes(), 0u);
    close_both();
}

TEST_F(ConnectionTest, SendsMorePiecesThanOneCallTakes) {
    start();
    const std::string borrowed(300, 'b');
    std::string expected;
    for (size_t i = 0; i < 3 * Loop::kSendPiecesMax; ++i) {
        const std::string line = std::to_string(i) + "\r\n";
        connection_->send(line);
        connection_->send_borrowed(borrowed);
        expected += line + borrowed;
    }
    EXPECT_FALSE(connection_->can_send());
    turn_until([&] { return script_.sent > 0 && peer_script_.heard.size() == expected.size(); });
    EXPECT_TRUE(peer_script_.heard == expected);
    EXPECT_TRUE(connection_->can_send());
    close_both();
}

TEST_F(ConnectionTest, TellsHowFarALargeOutputHasCome) {
    start();
    const std::string borrowed(8 * Connection::kSendBytesMax, 'b');
    connection_->send_borrowed(std::string_view(borrowed).substr(0, 300'000));
    const uint64_t first = connection_->output_mark();
    connection_->send_borrowed(std::string_view(borrowed).substr(300'000));
    const uint64_t all = connection_->output_mark();
    EXPECT_EQ(all, borrowed.size());
    EXPECT_FALSE(connection_->is_taken(first));
    turn_until([&] { return script_.progress >= 2; });
    EXPECT_TRUE(connection_->is_taken(first));
    EXPECT_FALSE(connection_->is_taken(all));
    turn_until([&] { return script_.sent > 0 && peer_script_.heard.size() == all; });
    EXPECT_TRUE(connection_->is_taken(all));
    EXPECT_TRUE(peer_script_.heard == borrowed);
    EXPECT_GE(script_.progress, 6);
    close_both();
}

TEST_F(ConnectionTest, WhatIsSentWhileASendIsInFlightFollowsIt) {
    start();
    std::string expected;
    int rounds = 0;
    const auto say = [&] {
        const std::string line = "round " + std::to_string(rounds) + "\r\n";
        connection_->send(line);
        expected += line;
    };
    say();
    script_.on_sent_do = [&] {
        if (++rounds < 100) say();
    };
    turn_until([&] { return rounds == 100 && peer_script_.heard.size() == expected.size(); });
    EXPECT_EQ(peer_script_.heard, expected);
    close_both();
}

TEST_F(ConnectionTest, KeepsWhatIsNotConsumedUntilMoreArrives) {
    start();
    // Whole lines only.
    script_.consume = [](std::string_view bytes) { return bytes.rfind('\n') + 1; };
    peer_->send("first\nsec");
    turn_until([&] { return script_.offers == 1; });
    EXPECT_EQ(script_.heard, "first\n");
    EXPECT_EQ(connection_->kept(), "sec");
    peer_->send("ond\n");
    turn_until([&] { return script_.offers == 2; });
    EXPECT_EQ(script_.heard, "first\nsecond\n");
    EXPECT_EQ(connection_->kept(), "");
    close_both();
}

TEST_F(ConnectionTest, OffersNothingWhilePausedAndKeptBytesAfterResume) {
    start();
    script_.consume = [&](std::string_view) -> size_t {
        connection_->pause();
        return 1;
    };
    peer_->send("abc");
    turn_until([&] { return script_.offers == 1; });
    peer_->send("def");
    turn_until([&] { return connection_->kept() == "bcdef"; });
    EXPECT_EQ(script_.offers, 1);
    connection_->resume();
    EXPECT_EQ(script_.offers, 1) << "not from inside resume()";
    turn_until([&] { return script_.offers == 2; });
    EXPECT_EQ(script_.heard, "ab");
    connection_->discard_kept();
    EXPECT_EQ(connection_->kept(), "");
    close_both();
}

TEST_F(ConnectionTest, StopsReadingWhenItKeepsTooMuchAndGoesOnAfterwards) {
    start();
    connection_->pause();
    const std::string text(8'000'000, 't');
    peer_->send_borrowed(text);
    turn_until([&] { return connection_->kept().size() >= Connection::kReceiveKeptBytesMax; });
    // The loop's receive buffers may still come; then the kernel's socket buffers are full.
    for (int i = 0; i < 50; ++i) loop_->turn(0);
    EXPECT_LT(connection_->kept().size(), Connection::kReceiveKeptBytesMax + 128 * 16 * kKiB + 1);
    EXPECT_EQ(peer_script_.sent, 0);
    EXPECT_EQ(script_.offers, 0);
    connection_->resume();
    turn_until([&] { return script_.heard.size() == text.size() && peer_script_.sent == 1; });
    EXPECT_TRUE(script_.heard == text);
    close_both();
}

TEST_F(ConnectionTest, TellsThePeersEndAfterItsBytes) {
    start();
    connection_->pause();
    peer_->send("last words");
    peer_->close();
    turn_until([&] { return peer_script_.closed == 1 && !connection_->kept().empty(); });
    for (int i = 0; i < 5; ++i) loop_->turn(0);
    EXPECT_TRUE(script_.ends.empty()) << "it is paused";
    connection_->resume();
    turn_until([&] { return !script_.ends.empty(); });
    EXPECT_EQ(script_.heard, "last words");
    EXPECT_EQ(script_.ends, std::vector{Connection::End::peer_closed});
    connection_->close();
    turn_until([&] { return script_.closed == 1; });
    EXPECT_EQ(script_.ends.size(), 1u);
}

TEST_F(ConnectionTest, ReportsAFailureOnceAndThenCloses) {
    start();
    peer_->abort();
    turn_until([&] { return peer_script_.closed == 1; });
    const std::string text(5'000'000, 't');
    connection_->send_borrowed(text);
    turn_until([&] {
        for (const auto end : script_.ends) {
            if (end == Connection::End::failed) return true;
        }
        return false;
    });
    EXPECT_EQ(script_.end_errno, EPIPE);
    connection_->send("no use");
    connection_->close();
    turn_until([&] { return script_.closed == 1; });
    EXPECT_EQ(script_.closed, 1);
}

TEST_F(ConnectionTest, CloseSendsWhatWasToBeSent) {
    start();
    const std::string text(3'000'000, 't');
    connection_->send_borrowed(text);
    connection_->send("bye");
    connection_->close();
    connection_->send("too late");
    EXPECT_TRUE(connection_->closing());
    turn_until([&] { return script_.closed == 1 && peer_script_.ends.size() == 1; });
    EXPECT_TRUE(peer_script_.heard == text + "bye");
    EXPECT_TRUE(script_.ends.empty());
    peer_->close();
    turn_until([&] { return peer_script_.closed == 1; });
}

TEST_F(ConnectionTest, AbortDropsWhatWasToBeSent) {
    start();
    const std::string text(5'000'000, 't');
    peer_->pause();
    connection_->send_borrowed(text);
    loop_->turn(0);
    connection_->abort();
    EXPECT_EQ(script_.closed, 0) << "not from inside abort()";
    turn_until([&] { return script_.closed == 1; });
    EXPECT_LT(peer_->kept().size(), text.size());
    peer_->abort();
    turn_until([&] { return peer_script_.closed == 1; });
}

TEST_F(ConnectionTest, TellsADeadlineAndLetsTheHandlerAnswer) {
    start();
    script_.on_end_do = [&] {
        connection_->send("421 too slow\r\n");
        connection_->close();
    };
    connection_->set_deadline(loop_->now_us() + 5 * kMsUs);
    turn_until([&] { return script_.closed == 1 && !peer_script_.ends.empty(); });
    EXPECT_EQ(script_.ends, std::vector{Connection::End::deadline});
    EXPECT_EQ(peer_script_.heard, "421 too slow\r\n");
    peer_->close();
    turn_until([&] { return peer_script_.closed == 1; });
}

TEST_F(ConnectionTest, GivesUpFlushingAtTheDeadline) {
    start();
    peer_->pause();
    const std::string text(9'000'000, 't');
    connection_->send_borrowed(text);
    connection_->set_deadline(loop_->now_us() + 20 * kMsUs);
    connection_->close();
    turn_until([&] { return script_.closed == 1; });
    EXPECT_TRUE(script_.ends.empty());
    peer_->abort();
    turn_until([&] { return peer_script_.closed == 1; });
}

TEST_F(ConnectionTest, MayBeDeletedInOnClosedAndClosedFromOnBytes) {
    struct Owner final : Connection::Handler {
        size_t on_bytes(std::string_view bytes) override {
            connection->send(bytes);
            connection->close();
            return bytes.size();
        }

        void on_end(Connection::End, int) override { connection->abort(); }

        void on_closed() override { connection.reset(); }

        std::unique_ptr<Connection> connection;
    } owner;

    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    owner.connection = std::make_unique<Connection>(*loop_, Socket{ends[0]}, owner);
    owner.connection->start();
    Script other_script;
    Connection other(*loop_, Socket{ends[1]}, other_script);
    other.start();
    other.send("echo");
    turn_until([&] { return owner.connection == nullptr && other_script.ends.size() == 1; });
    EXPECT_EQ(other_script.heard, "echo");
    other.close();
    turn_until([&] { return other_script.closed == 1; });
}

}  // namespace
}  // namespace posthaste
