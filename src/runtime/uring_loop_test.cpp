#include "runtime/uring_loop.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <netinet/tcp.h>
#include <numeric>
#include <poll.h>
#include <seccomp.h>
#include <string>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/units.h"

#include "runtime/socket_address.h"

namespace posthaste {
namespace {

UringOptions everything() {
    UringOptions options;
    options.entries = 64;
    options.accept = options.connect = options.receive = options.send = options.files = true;
    return options;
}

std::unique_ptr<UringLoop> make_loop(const UringOptions& options = everything()) {
    auto loop = UringLoop::create(options);
    if (!loop) ADD_FAILURE() << loop.error().text() << ": " << uring_remedy(loop.error());
    return loop ? std::move(*loop) : nullptr;
}

// Turns until it is so; a test that never gets there is ended by ctest.
void turn_until(UringLoop& loop, const std::function<bool()>& done) {
    while (!done()) loop.turn(kNeverUs);
}

// Records every event of one completion.
struct Recorder {
    void on_event(const Event& event) {
        results.push_back(event.result);
        bytes.append(event.data);
        last = event.last;
        if (then) then(event);
    }

    bool idle() const { return !done.in_flight(); }

    std::vector<int32_t> results;
    std::string bytes;
    bool last = false;
    std::function<void(const Event&)> then;
    Completion done{runner_of<&Recorder::on_event, Recorder>(), this};
};

struct SocketPair {
    explicit SocketPair(int type_flags = 0) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | type_flags, 0, ends), 0);
        left.reset(ends[0]);
        right.reset(ends[1]);
    }

    Socket left_socket() const { return Socket{left.get()}; }

    Socket right_socket() const { return Socket{right.get()}; }

    Fd left;
    Fd right;
};

struct TcpListener {
    TcpListener() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof(any)), 0);
        EXPECT_EQ(::listen(fd.get(), 200), 0);
        socklen_t length = sizeof(any);
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&any), &length);
        endpoint = {IpAddress::v4(127, 0, 0, 1), ntohs(any.sin_port)};
    }

    Fd client() const {
        Fd out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const SocketAddress address = to_socket_address(endpoint);
        EXPECT_EQ(::connect(out.get(), address.get(), address.length), 0);
        return out;
    }

    Fd fd;
    Endpoint endpoint;
};

std::string pattern(size_t bytes) {
    std::string out(bytes, '\0');
    for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(i * 7 + i / 251);
    return out;
}

std::vector<iovec> pieces_of(const std::string& text, size_t piece_bytes) {
    std::vector<iovec> out;
    for (size_t at = 0; at < text.size(); at += piece_bytes) {
        out.push_back(
            {const_cast<char*>(text.data()) + at, std::min(piece_bytes, text.size() - at)});
    }
    return out;
}

TEST(UringLoop, AcceptsConnectsAndEchoesOverTcp) {
    auto loop = make_loop();
    TcpListener listener;
    Recorder accepting;
    Recorder connecting;
    loop->accept(accepting.done, Socket{listener.fd.get()});
    const IpAddress from = IpAddress::v4(127, 0, 0, 1);
    loop->connect(connecting.done, listener.endpoint, &from);
    EXPECT_TRUE(connecting.results.empty()) << "no callback from inside a start";
    turn_until(*loop, [&] { return !accepting.results.empty() && connecting.idle(); });
    const Fd server(accepting.results.at(0));
    const Fd client(connecting.results.at(0));
    ASSERT_GE(server.get(), 0);
    ASSERT_GE(client.get(), 0);
    EXPECT_EQ(loop->peer_of(Socket{client.get()}), listener.endpoint);
    EXPECT_EQ(loop->peer_of(Socket{server.get()}), loop->local_of(Socket{client.get()}));
    EXPECT_FALSE(loop->has_input(Socket{server.get()}));
    ASSERT_EQ(::send(client.get(), "x", 1, 0), 1);
    EXPECT_TRUE(loop->has_input(Socket{server.get()}));
    EXPECT_TRUE(loop->has_input(Socket{server.get()})) << "it is still there";
    char byte = 0;
    ASSERT_EQ(::recv(server.get(), &byte, 1, 0), 1);
    for (const int fd : {server.get(), client.get()}) {
        int no_delay = 0;
        socklen_t length = sizeof(no_delay);
        ::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &length);
        EXPECT_EQ(no_delay, 1);
    }

    Recorder echoing;
    Recorder echoed;
    Recorder reading;
    std::string reply;
    iovec reply_piece{};
    echoing.then = [&](const Event& event) {
        if (event.result <= 0) return;
        reply.assign(event.data);
        reply_piece = {reply.data(), reply.size()};
        loop->send(echoed.done, Socket{server.get()}, {&reply_piece, 1});
    };
    loop->receive(echoing.done, Socket{server.get()});
    loop->receive(reading.done, Socket{client.get()});
    std::string hello = "EHLO client\r\n";
    const iovec piece{hello.data(), hello.size()};
    Recorder sending;
    loop->send(sending.done, Socket{client.get()}, {&piece, 1});
    turn_until(*loop, [&] {
        return reading.bytes.size() == hello.size() && echoed.idle() && sending.idle();
    });
    EXPECT_EQ(reading.bytes, hello);
    EXPECT_EQ(sending.results, std::vector<int32_t>{static_cast<int32_t>(hello.size())});

    loop->shutdown_send(Socket{client.get()});
    turn_until(*loop, [&] { return echoing.idle(); });
    EXPECT_EQ(echoing.results.back(), 0);
    loop->shutdown_send(Socket{server.get()});
    loop->cancel(accepting.done);
    turn_until(*loop, [&] { return reading.idle() && accepting.idle(); });
    EXPECT_EQ(accepting.results.back(), -ECANCELED);
}

TEST(UringLoop, ReportsARefusedConnection) {
    auto loop = make_loop();
    Endpoint nobody;
    {
        TcpListener listener;
        nobody = listener.endpoint;
    }
    Recorder connecting;
    loop->connect(connecting.done, nobody, nullptr);
    turn_until(*loop, [&] { return connecting.idle(); });
    EXPECT_EQ(connecting.results, std::vector<int32_t>{-ECONNREFUSED});
}

TEST(UringLoop, ReportsASourceAddressThatIsNotOurs) {
    auto loop = make_loop();
    TcpListener listener;
    Recorder connecting;
    const IpAddress foreign = IpAddress::v4(192, 0, 2, 1);
    loop->connect(connecting.done, listener.endpoint, &foreign);
    EXPECT_TRUE(connecting.results.empty());
    turn_until(*loop, [&] { return connecting.idle(); });
    EXPECT_EQ(connecting.results, std::vector<int32_t>{-EADDRNOTAVAIL});
}

// Small socket buffers force the kernel to take the bytes in many steps, in both directions at
// once.
class UringLoopTransfer : public testing::TestWithParam<int> {};

TEST_P(UringLoopTransfer, MovesMegabytesBothWaysAtOnceInManyPieces) {
    auto loop = make_loop();
    SocketPair pair(GetParam());
    for (const int fd : {pair.left.get(), pair.right.get()}) {
        const int small = 4096;
        ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    }
    const std::string text = pattern(3'000'000);
    const auto pieces = pieces_of(text, 7001);
    ASSERT_LE(pieces.size(), Loop::kSendPiecesMax);
    Recorder left_sending, right_sending, left_reading, right_reading;
    loop->receive(left_reading.done, pair.left_socket());
    loop->receive(right_reading.done, pair.right_socket());
    loop->send(left_sending.done, pair.left_socket(), pieces);
    loop->send(right_sending.done, pair.right_socket(), pieces);
    turn_until(*loop, [&] {
        return left_reading.bytes.size() >= text.size() &&
               right_reading.bytes.size() >= text.size() && left_sending.idle() &&
               right_sending.idle();
    });
    EXPECT_TRUE(left_reading.bytes == text);
    EXPECT_TRUE(right_reading.bytes == text);
    EXPECT_EQ(left_sending.results, std::vector<int32_t>{static_cast<int32_t>(text.size())});
    loop->cancel(left_reading.done);
    loop->cancel(right_reading.done);
    turn_until(*loop, [&] { return left_reading.idle() && right_reading.idle(); });
}

INSTANTIATE_TEST_SUITE_P(Sockets, UringLoopTransfer, testing::Values(0, SOCK_NONBLOCK));

TEST(UringLoop, ServesMoreSocketsThanItHasBuffers) {
    UringOptions options = everything();
    options.receive_buffers = 2;
    options.receive_buffer_bytes = 512;
    auto loop = make_loop(options);
    constexpr size_t kPairs = 20;
    const std::string text = pattern(50'000);
    const iovec piece{const_cast<char*>(text.data()), text.size()};
    std::vector<std::unique_ptr<SocketPair>> pairs;
    std::vector<std::unique_ptr<Recorder>> readers;
    std::vector<std::unique_ptr<Recorder>> senders;
    for (size_t i = 0; i < kPairs; ++i) {
        pairs.push_back(std::make_unique<SocketPair>());
        readers.push_back(std::make_unique<Recorder>());
        senders.push_back(std::make_unique<Recorder>());
        loop->receive(readers[i]->done, pairs[i]->left_socket());
        loop->send(senders[i]->done, pairs[i]->right_socket(), {&piece, 1});
    }
    for (size_t i = 0; i < kPairs; ++i) {
        turn_until(*loop, [&] { return readers[i]->bytes.size() >= text.size(); });
        EXPECT_TRUE(readers[i]->bytes == text) << i;
        EXPECT_FALSE(readers[i]->last);
        pairs[i]->right.reset();
        turn_until(*loop, [&] { return readers[i]->idle() && senders[i]->idle(); });
        EXPECT_EQ(readers[i]->results.back(), 0) << i;
    }
}

// More completions than the completion queue holds make the kernel end a multishot early.
TEST(UringLoop, GoesOnWhenTheKernelEndsAMultishot) {
    UringOptions options = everything();
    options.entries = 2;
    auto loop = make_loop(options);
    TcpListener listener;
    constexpr size_t kClients = 150;
    std::vector<Fd> clients;
    for (size_t i = 0; i < kClients; ++i) clients.push_back(listener.client());
    Recorder accepting;
    std::vector<Fd> accepted;
    accepting.then = [&](const Event& event) {
        if (event.result >= 0) accepted.emplace_back(event.result);
    };
    loop->accept(accepting.done, Socket{listener.fd.get()});
    turn_until(*loop, [&] { return accepted.size() == kClients; });
    EXPECT_FALSE(accepting.idle());
    loop->cancel(accepting.done);
    turn_until(*loop, [&] { return accepting.idle(); });
}

// The kernel wakes one of those that wait at a listener: here the first, which is about to go.
TEST(UringLoop, AnAcceptThatEndsLeavesNoClientToAWaiterThatSleeps) {
    TcpListener listener;
    auto going = make_loop();
    auto staying = make_loop();
    std::vector<Fd> accepted;
    Recorder goes;
    Recorder stays;
    for (Recorder* each : {&goes, &stays}) {
        each->then = [&](const Event& event) {
            if (event.result >= 0) accepted.emplace_back(event.result);
        };
    }
    going->accept(goes.done, Socket{listener.fd.get()});
    going->turn(0);
    staying->accept(stays.done, Socket{listener.fd.get()});
    staying->turn(0);
    going->cancel(goes.done);
    const Fd client = listener.client();
    turn_until(*going, [&] { return goes.idle(); });
    staying->turn(0);
    EXPECT_EQ(accepted.size(), 1U);
    staying->cancel(stays.done);
    turn_until(*staying, [&] { return stays.idle(); });
}

TEST(UringLoop, SubmitsWhenItsQueueIsFullAndLosesNothing) {
    UringOptions options = everything();
    options.entries = 4;
    auto loop = make_loop(options);
    SocketPair pair;
    std::vector<std::unique_ptr<Recorder>> watchers;
    std::vector<Fd> doorbells;
    for (int i = 0; i < 50; ++i) {
        doorbells.emplace_back(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        watchers.push_back(std::make_unique<Recorder>());
        loop->watch(watchers.back()->done, doorbells.back().get());
        loop->ring_doorbell(doorbells.back().get());
    }
    for (auto& watcher : watchers) turn_until(*loop, [&] { return !watcher->results.empty(); });
    for (auto& watcher : watchers) loop->cancel(watcher->done);
    for (auto& watcher : watchers) turn_until(*loop, [&] { return watcher->idle(); });
}

TEST(UringLoop, RingingADoorbellThatIsFullAndBlocksLeavesNothingWaiting) {
    auto loop = make_loop();
    const Fd doorbell(::eventfd(0, EFD_CLOEXEC));  // blocking, as its owner may make it
    const uint64_t brim = UINT64_MAX - 1;
    ASSERT_EQ(::write(doorbell.get(), &brim, sizeof brim), 8);
    for (int i = 0; i < 10; ++i) loop->ring_doorbell(doorbell.get());
    loop->turn(0);
    uint64_t count = 0;
    ASSERT_EQ(::read(doorbell.get(), &count, sizeof count), 8);  // room now
    for (int i = 0; i < 10; ++i) loop->turn(kMsUs);
    pollfd readable{doorbell.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&readable, 1, 50), 0) << "a ring came late";
}

TEST(UringLoop, CancelEndsAReceiveASendAndAWatch) {
    auto loop = make_loop();
    SocketPair pair;
    const Fd doorbell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const std::string text = pattern(5'000'000);
    const iovec piece{const_cast<char*>(text.data()), text.size()};
    Recorder reading, sending, watching;
    loop->receive(reading.done, pair.left_socket());
    loop->send(sending.done, pair.left_socket(), {&piece, 1});
    loop->watch(watching.done, doorbell.get());
    loop->turn(0);
    EXPECT_FALSE(reading.idle() || sending.idle() || watching.idle());
    for (Recorder* recorder : {&reading, &sending, &watching}) {
        loop->cancel(recorder->done);
        loop->cancel(recorder->done);
        EXPECT_TRUE(recorder->results.empty()) << "no callback from inside cancel";
    }
    turn_until(*loop, [&] { return reading.idle() && sending.idle() && watching.idle(); });
    for (Recorder* recorder : {&reading, &sending, &watching}) {
        EXPECT_EQ(recorder->results, std::vector<int32_t>{-ECANCELED});
    }
}

TEST(UringLoop, CancelOfAnIdleCompletionIsNothing) {
    auto loop = make_loop();
    Recorder idle;
    loop->cancel(idle.done);
    loop->turn(0);
    EXPECT_TRUE(idle.results.empty());
}

TEST(UringLoop, ACompletionCanBeStartedAgainFromItsLastCallback) {
    auto loop = make_loop();
    SocketPair pair;
    Recorder sending;
    std::string text = "x";
    const iovec piece{text.data(), 1};
    sending.then = [&](const Event&) {
        if (sending.results.size() < 5) loop->send(sending.done, pair.left_socket(), {&piece, 1});
    };
    loop->send(sending.done, pair.left_socket(), {&piece, 1});
    turn_until(*loop, [&] { return sending.results.size() == 5 && sending.idle(); });
}

TEST(UringLoop, RunsTimersInOrderAndSleepsUntilThem) {
    auto loop = make_loop();

    struct Wait {
        void on_time() {
            fired_at_us = loop.now_us();
            if (last) loop.stop();
        }

        UringLoop& loop;
        bool last;
        int64_t fired_at_us = 0;
        Timer timer{timer_calls<&Wait::on_time, Wait>(), this};
    } soon{*loop, false}, later{*loop, true};

    const int64_t begin_us = loop->now_us();
    loop->timers().set(later.timer, begin_us + 60 * kMsUs);
    loop->timers().set(soon.timer, begin_us + 20 * kMsUs);
    loop->run();
    EXPECT_GE(soon.fired_at_us, begin_us + 20 * kMsUs);
    EXPECT_GE(later.fired_at_us, begin_us + 60 * kMsUs);
    EXPECT_LE(soon.fired_at_us, later.fired_at_us);
    EXPECT_LE(loop->turns(), 12u) << "no periodic wake-ups";
}

TEST(UringLoop, DoesNotSleepWhileAListenerHasWork) {
    auto loop = make_loop();

    struct Busy final : TurnListener {
        void on_turn_end() override { ++turn_ends; }

        bool before_sleep() override { return turn_ends < 10; }

        void after_sleep() override { ++woken; }

        int turn_ends = 0;
        int woken = 0;
    } busy;

    loop->add_listener(busy);
    for (int i = 0; i < 9; ++i) loop->turn(kNeverUs);  // would hang
    EXPECT_EQ(busy.turn_ends, 9);
    EXPECT_EQ(busy.woken, 9);
    loop->remove_listener(busy);
}

TEST(UringLoop, DoorbellsWakeTheOtherLoopEveryTime) {
    static constexpr int kRounds = 2000;
    const Fd to_left(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const Fd to_right(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    // A ring, an answer: each side sleeps until it is rung, nobody ever reads the eventfd.
    const auto play = [](int own, int other, bool begins) {
        auto loop = make_loop();
        int rung = 0;
        Recorder watching;
        watching.then = [&](const Event& event) {
            if (event.last) return;
            ++rung;
            if (begins ? rung < kRounds : rung <= kRounds) loop->ring_doorbell(other);
            if (rung == kRounds) loop->stop();
        };
        loop->watch(watching.done, own);
        if (begins) loop->ring_doorbell(other);
        loop->run();
        EXPECT_EQ(rung, kRounds);
        loop->cancel(watching.done);
        turn_until(*loop, [&] { return watching.idle(); });
    };
    std::thread right([&] { play(to_right.get(), to_left.get(), false); });
    play(to_left.get(), to_right.get(), true);
    right.join();
}

TEST(UringLoop, RingingADoorbellNeedsNoCallOfItsOwn) {
    auto loop = make_loop();
    const Fd doorbell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    loop->ring_doorbell(doorbell.get());
    uint64_t count = 0;
    EXPECT_EQ(::read(doorbell.get(), &count, sizeof(count)), -1)
        << "rung before the turn's submission";
    loop->turn(0);
    EXPECT_EQ(::read(doorbell.get(), &count, sizeof(count)), 8)
        << "not rung by the turn's submission";
    EXPECT_EQ(count, 1u);
}

TEST(UringLoop, WritesAFileAndSyncsIt) {
    auto loop = make_loop();
    const Fd file(::memfd_create("file", MFD_CLOEXEC));
    const std::string text = pattern(100'000);
    const auto pieces = pieces_of(text, 999);
    Recorder writing;
    loop->write_file(writing.done, file.get(), pieces, 10, FileSync::durable);
    turn_until(*loop, [&] { return writing.idle(); });
    EXPECT_EQ(writing.results, std::vector<int32_t>{static_cast<int32_t>(text.size())});
    std::string read_back(text.size(), '\0');
    EXPECT_EQ(::pread(file.get(), read_back.data(), read_back.size(), 10),
              static_cast<ssize_t>(text.size()));
    EXPECT_TRUE(read_back == text);
    loop->write_file(writing.done, -1, pieces, 0, FileSync::durable);
    turn_until(*loop, [&] { return writing.idle(); });
    EXPECT_EQ(writing.results.back(), -EBADF);
}

TEST(UringLoop, WhatBeginsToGoToTheDiskIsWrittenEvenWhereNothingCanBegin) {
    auto loop = make_loop();
    const Fd file(::memfd_create("file", MFD_CLOEXEC));
    int pipe_ends[2];
    ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
    const Fd out(pipe_ends[0]), in(pipe_ends[1]);
    std::string text = "line\n";
    const iovec piece{text.data(), text.size()};
    for (const int descriptor : {file.get(), in.get()}) {
        Recorder writing;
        loop->write_file(writing.done, descriptor, {&piece, 1}, 0, FileSync::begin);
        turn_until(*loop, [&] { return writing.idle(); });
        EXPECT_EQ(writing.results, std::vector<int32_t>{5});
    }
    char read_back[8] = {};
    EXPECT_EQ(::read(out.get(), read_back, sizeof(read_back)), 5);
}

TEST(UringLoop, TheKernelRefusesAnOperationThatWasNotListed) {
    UringOptions options = everything();
    options.connect = false;
    options.files = false;
    auto loop = make_loop(options);
    TcpListener listener;
    Recorder connecting, writing;
    loop->connect(connecting.done, listener.endpoint, nullptr);
    const Fd file(::memfd_create("file", MFD_CLOEXEC));
    std::string text = "x";
    const iovec piece{text.data(), 1};
    loop->write_file(writing.done, file.get(), {&piece, 1}, 0, FileSync::none);
    turn_until(*loop, [&] { return connecting.idle() && writing.idle(); });
    EXPECT_EQ(connecting.results, std::vector<int32_t>{-EACCES});
    EXPECT_EQ(writing.results, std::vector<int32_t>{-EACCES});
}

TEST(UringLoop, AbandonsWhatIsInFlightWhenItGoes) {
    SocketPair pair;
    Recorder reading;
    auto loop = make_loop();
    loop->receive(reading.done, pair.left_socket());
    loop->turn(0);
    loop.reset();
    EXPECT_TRUE(reading.idle());
    EXPECT_TRUE(reading.results.empty());
}

TEST(UringLoop, ReadsNobodysMemoryAfterAbandoning) {
    auto loop = make_loop();
    SocketPair pair;
    std::string text(3'000'000, 'a');
    const auto pieces = pieces_of(text, 10'000);
    Recorder sending;
    loop->send(sending.done, pair.left_socket(), pieces);
    loop->turn(0);
    ASSERT_FALSE(sending.idle());
    loop->abandon_all();
    EXPECT_TRUE(sending.idle());
    text.assign(text.size(), 'z');
    // Room for the rest, if anybody were still sending.
    std::string arrived;
    char chunk[65536];
    for (ssize_t got = 0;
         (got = ::recv(pair.right.get(), chunk, sizeof(chunk), MSG_DONTWAIT)) > 0;) {
        arrived.append(chunk, static_cast<size_t>(got));
        loop->turn(0);
    }
    EXPECT_FALSE(arrived.empty());
    EXPECT_EQ(arrived.find('z'), std::string::npos);
}

// What a container's seccomp profile or an old kernel does to io_uring_setup.
class UringLoopRefused : public testing::TestWithParam<int> {};

TEST_P(UringLoopRefused, NamesTheRemedy) {
    const int refusal = GetParam();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        const bool loaded = seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<uint16_t>(refusal)),
                                             425 /* io_uring_setup */, 0) == 0 &&
                            seccomp_load(filter) == 0;
        const auto loop = UringLoop::create(everything());
        const bool right = loaded && !loop && loop.error().code == Errc::unsupported &&
                           loop.error().os_errno == refusal &&
                           uring_remedy(loop.error()).find("io_uring") != std::string::npos;
        ::_exit(right ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

INSTANTIATE_TEST_SUITE_P(Errors, UringLoopRefused, testing::Values(ENOSYS, EPERM, EINVAL));

}  // namespace
}  // namespace posthaste
