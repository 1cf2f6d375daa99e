// Two sides of one channel, each sending and receiving as fast as it can through a ring that is
// nearly always full or empty, and each asleep in poll() whenever the protocol of runtime/channel.h
// says that it may. A wake-up that is lost shows as a sleep that nobody ends: nothing else here
// waits.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <poll.h>
#include <random>
#include <string>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <thread>
#include <tuple>
#include <unistd.h>

#include "base/fd.h"

#include "runtime/channel.h"

namespace posthaste {
namespace {

// Far beyond any stall of the machine: reached only by a sleep that nobody will end.
constexpr int kLostAfterMs = 60'000;

uint64_t number_from_environment(const char* name, uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// As printf wants it.
unsigned long long number(uint64_t value) { return value; }

struct Side {
    Channel channel;
    int own_bell;
    int peer_bell;
    std::mt19937_64 random;
    uint64_t to_send;
    uint64_t to_receive;
    uint64_t sent = 0;
    uint64_t received = 0;
    uint64_t sleeps = 0;
    uint64_t rings = 0;
    const char* failure = nullptr;

    void ring() {
        ++rings;
        const uint64_t one = 1;
        if (::write(peer_bell, &one, sizeof(one)) != sizeof(one))
            failure = "the doorbell does not ring";
    }

    void send_some() {
        // A body says its number and fills itself with it, so that a mixed-up one shows.
        for (uint64_t left = random() % 40; left > 0 && sent < to_send && !channel.was_refused();
             --left) {
            std::string body(
                sizeof(sent) + 1 + random() % (channel.record_bytes_max() - sizeof(sent)),
                static_cast<char>(sent));
            std::memcpy(body.data(), &sent, sizeof(sent));
            if (channel.send(1, body)) ++sent;
        }
        if (channel.publish()) ring();
    }

    void receive_some() {
        Channel::Record record;
        for (uint64_t left = 1 + random() % 40; left > 0 && channel.receive(record); --left) {
            uint64_t number = 0;
            std::memcpy(&number, record.body.data(), sizeof(number));
            if (number != received || record.body.back() != static_cast<char>(number))
                failure = "out of order";
            ++received;
        }
        if (channel.release()) ring();
        if (channel.broken()) failure = channel.why_broken();
    }

    void sleep() {
        const bool has_work = sent < to_send && !channel.was_refused();
        if (has_work || !channel.prepare_sleep()) return channel.wake();
        ++sleeps;
        pollfd bell{own_bell, POLLIN, 0};
        if (::poll(&bell, 1, kLostAfterMs) != 1) failure = "a wake-up was lost";
        uint64_t count = 0;
        if (::read(own_bell, &count, sizeof(count)) < 0) failure = "the doorbell can not be read";
        channel.wake();
    }

    bool run() {
        while (failure == nullptr && (sent < to_send || received < to_receive)) {
            (void)channel.room_came();
            send_some();
            receive_some();
            if (sent < to_send || received < to_receive) sleep();
        }
        return failure == nullptr;
    }
};

struct Bells {
    Fd a{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    Fd b{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

// One way only, nothing but room wakes the sender and nothing but a record the receiver; both ways,
// each wakes the other for two reasons.
enum class Ways : uint8_t { one, both };

struct RingStress : testing::TestWithParam<std::tuple<uint32_t, Ways>> {
    RingStress() {
        seed = number_from_environment("POSTHASTE_SEED", std::random_device{}());
        records = number_from_environment("POSTHASTE_STRESS_RECORDS", 100'000);
        back = ways() == Ways::one ? 0 : records;
        std::printf("POSTHASTE_SEED=%llu\n", number(seed));
    }

    static uint32_t ring_bytes() { return std::get<0>(GetParam()); }

    static Ways ways() { return std::get<1>(GetParam()); }

    uint64_t seed = 0;
    uint64_t records = 0;
    uint64_t back = 0;
};

TEST_P(RingStress, ThreadsLoseNoWakeUpAndNoRecord) {
    const Bells bells;
    const Segment segment_a = Segment::create_private(ring_bytes());
    const Segment segment_b = Segment::create_private(ring_bytes());
    Side a{{Segment::alias(segment_a), Segment::alias(segment_b)},
           bells.a.get(),
           bells.b.get(),
           std::mt19937_64(seed),
           records,
           back};
    Side b{{Segment::alias(segment_b), Segment::alias(segment_a)},
           bells.b.get(),
           bells.a.get(),
           std::mt19937_64(seed + 1),
           back,
           records};
    std::thread other([&] { b.run(); });
    a.run();
    other.join();
    EXPECT_STREQ(a.failure, nullptr);
    EXPECT_STREQ(b.failure, nullptr);
    EXPECT_GT(a.sleeps + b.sleeps, 0U) << "nothing was tested";
    std::printf("records %llu, sleeps %llu, rings %llu\n", number(records),
                number(a.sleeps + b.sleeps), number(a.rings + b.rings));
}

TEST_P(RingStress, ProcessesLoseNoWakeUpAndNoRecord) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "TSan sees one process";
#endif
    const Bells bells;
    auto segment_a = Segment::create(ring_bytes());
    auto segment_b = Segment::create(ring_bytes());
    ASSERT_TRUE(segment_a && segment_b);
    const pid_t child = ::fork();
    const bool is_child = child == 0;
    Segment& own = is_child ? *segment_b : *segment_a;
    auto foreign =
        Segment::map_foreign(is_child ? segment_a->memfd() : segment_b->memfd(), ring_bytes());
    if (is_child && !foreign) ::_exit(2);
    ASSERT_TRUE(foreign);
    Side side{{std::move(own), std::move(*foreign)},
              is_child ? bells.b.get() : bells.a.get(),
              is_child ? bells.a.get() : bells.b.get(),
              std::mt19937_64(seed + (is_child ? 1 : 0)),
              is_child ? back : records,
              is_child ? records : back};
    const bool fine = side.run();
    if (is_child) ::_exit(fine ? 0 : 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_STREQ(side.failure, nullptr);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the other process failed";
}

// A ring of a few records is always full or empty; a larger one lets the two run apart.
INSTANTIATE_TEST_SUITE_P(Rings, RingStress,
                         testing::Combine(testing::Values(kRingBytesMin, 1024U, 64U * 1024U),
                                          testing::Values(Ways::one, Ways::both)));

}  // namespace
}  // namespace posthaste
