#include "runtime/channel.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "runtime/channel_layout.h"

namespace posthaste {
namespace {

struct Pair {
    explicit Pair(uint32_t ring_bytes)
        : own_a(Segment::create_private(ring_bytes)),
          own_b(Segment::create_private(ring_bytes)),
          a(Segment::alias(own_a), Segment::alias(own_b)),
          b(Segment::alias(own_b), Segment::alias(own_a)) {}

    Segment own_a;
    Segment own_b;
    Channel a;
    Channel b;
};

std::string body_of(uint64_t number, size_t size) {
    std::string body(size, static_cast<char>('a' + number % 26));
    return body;
}

TEST(Channel, NothingIsVisibleBeforePublish) {
    Pair pair(4096);
    Channel::Record record;
    ASSERT_TRUE(pair.a.send(7, "hello"));
    EXPECT_TRUE(pair.a.has_unpublished());
    EXPECT_FALSE(pair.b.receive(record));
    pair.a.publish();
    ASSERT_TRUE(pair.b.receive(record));
    EXPECT_EQ(record.type, 7);
    EXPECT_EQ(record.body, "hello");
    EXPECT_FALSE(pair.b.receive(record));
    EXPECT_FALSE(pair.b.broken());
}

TEST(Channel, CarriesRecordsOfEverySizeAcrossTheWrap) {
    Pair pair(1024);
    std::mt19937 random(7);
    Channel::Record record;
    for (uint64_t number = 0; number < 20'000; ++number) {
        const auto body = body_of(number, random() % (pair.a.record_bytes_max() + 1));
        ASSERT_TRUE(pair.a.send(1 + static_cast<uint16_t>(number % 9), body)) << number;
        pair.a.publish();
        ASSERT_TRUE(pair.b.receive(record))
            << number << ' ' << (pair.b.broken() ? pair.b.why_broken() : "");
        ASSERT_EQ(record.body, body);
        ASSERT_EQ(record.type, 1 + number % 9);
        pair.b.release();
    }
}

TEST(Channel, RefusesWhenFullAndTellsWhenRoomCame) {
    Pair pair(1024);
    size_t sent = 0;
    while (pair.a.send(1, std::string(100, 'x'))) ++sent;
    EXPECT_EQ(sent, 1024U / record_span(100));
    EXPECT_TRUE(pair.a.was_refused());
    EXPECT_FALSE(pair.a.has_room(100));
    EXPECT_FALSE(pair.a.room_came());
    pair.a.publish();
    Channel::Record record;
    ASSERT_TRUE(pair.b.receive(record));
    EXPECT_FALSE(pair.b.release()) << "a quarter of the ring is not free yet";
    EXPECT_FALSE(pair.a.room_came());
    ASSERT_TRUE(pair.b.receive(record));
    ASSERT_TRUE(pair.b.receive(record));
    EXPECT_TRUE(pair.b.release()) << "the producer waits for room";
    EXPECT_TRUE(pair.a.room_came());
    EXPECT_FALSE(pair.a.room_came()) << "told once";
    EXPECT_FALSE(pair.a.was_refused());
    EXPECT_TRUE(pair.a.send(1, std::string(100, 'x')));
}

TEST(Channel, ARefusedRecordTakesNoRoomFromSmallerOnes) {
    Pair pair(1024);
    ASSERT_TRUE(pair.a.send(1, std::string(200, 'x')));
    ASSERT_TRUE(pair.a.send(1, std::string(400, 'x')));
    EXPECT_FALSE(pair.a.send(1, std::string(504, 'x')))
        << "408 bytes are left to the end, and no room to wrap";
    EXPECT_TRUE(pair.a.send(1, std::string(400, 'x')));
}

TEST(Channel, ASmallerRecordThatFitsDoesNotTakeBackARefusedOnesWish) {
    Pair pair(1024);
    while (pair.a.has_room(100)) ASSERT_TRUE(pair.a.send(1, std::string(100, 'x')));
    (void)pair.a.room_came();
    pair.a.publish();
    ASSERT_FALSE(pair.a.send(1, std::string(500, 'x')));
    Channel::Record record;
    ASSERT_TRUE(pair.b.receive(record));
    EXPECT_FALSE(pair.b.release());
    ASSERT_TRUE(pair.a.send(1, std::string(20, 'x')));
    EXPECT_TRUE(pair.a.was_refused());
    pair.a.publish();
    while (pair.b.receive(record)) {
    }
    EXPECT_TRUE(pair.b.release()) << "somebody waits";
    EXPECT_TRUE(pair.a.room_came());
}

TEST(Channel, AskingForTheDoorbellOncePerSleepIsEnough) {
    Pair pair(1024);
    EXPECT_FALSE((pair.a.send(1, "1"), pair.a.publish())) << "the consumer is awake";
    Channel::Record record;
    while (pair.b.receive(record)) {
    }
    ASSERT_TRUE(pair.b.prepare_sleep());
    EXPECT_TRUE((pair.a.send(1, "2"), pair.a.publish()));
    EXPECT_FALSE((pair.a.send(1, "3"), pair.a.publish())) << "rung for this sleep already";
    pair.b.wake();
    EXPECT_FALSE((pair.a.send(1, "4"), pair.a.publish())) << "awake";
    EXPECT_FALSE(pair.b.prepare_sleep()) << "there is input";
    pair.b.wake();
    while (pair.b.receive(record)) {
    }
    ASSERT_TRUE(pair.b.prepare_sleep());
    EXPECT_TRUE((pair.a.send(1, "5"), pair.a.publish())) << "a new sleep";
}

TEST(Channel, AnEmptyPublishRingsNobody) {
    Pair pair(1024);
    ASSERT_TRUE(pair.b.prepare_sleep());
    EXPECT_FALSE(pair.a.publish());
}

TEST(Channel, ASideThatOnlyListensNeedsButASmallSegment) {
    Segment talker = Segment::create_private(64 * 1024);
    Segment listener = Segment::create_private(kRingBytesMin);
    Channel a(Segment::alias(talker), Segment::alias(listener));
    Channel b(Segment::alias(listener), Segment::alias(talker));
    const std::string large(a.record_bytes_max(), 'l');
    ASSERT_TRUE(a.send(3, large));
    a.publish();
    Channel::Record record;
    ASSERT_TRUE(b.receive(record));
    EXPECT_EQ(record.body, large);
}

// What a hostile peer may do to its own segment while we use it: everything.
TEST(Channel, AHostileSegmentBreaksTheChannelAndNothingElse) {
    std::mt19937_64 random(20'240'501);
    int broken = 0;
    for (int round = 0; round < 4'000; ++round) {
        Pair pair(kRingBytesMin << (random() % 4));
        auto* header = pair.own_a.header();
        char* slots = pair.own_a.slots();
        for (int i = 0; i < 3; ++i) (void)pair.b.send(1, "ours");
        pair.b.publish();
        for (uint32_t i = 0; i < pair.own_a.ring_bytes(); i += 8) {
            const uint64_t garbage = random();
            std::memcpy(slots + i, &garbage, sizeof(garbage));
        }
        const auto number = [&]() -> uint64_t {
            switch (random() % 4) {
                case 0:
                    return random();
                case 1:
                    return random() % 2048;
                case 2:
                    return (random() % 128) * 8;
                default:
                    return UINT64_MAX - random() % 64;
            }
        };
        // Often plausible, so that the checks behind the first one are reached.
        if (random() % 2 != 0) {
            const RecordHeader plausible{static_cast<uint32_t>(random() % 300),
                                         static_cast<uint16_t>(random() % 2), 0};
            std::memcpy(slots, &plausible, sizeof(plausible));
        }
        for (int step = 0; step < 8; ++step) {
            header->tail.store(number(), std::memory_order_relaxed);
            header->head.store(number(), std::memory_order_relaxed);
            header->sleep_count.store(number(), std::memory_order_relaxed);
            header->wants_room.store(number(), std::memory_order_relaxed);
            Channel::Record record;
            size_t received = 0;
            while (pair.b.receive(record)) {
                ASSERT_LE(record.body.size(), pair.own_a.ring_bytes());
                ASSERT_LE(++received, pair.own_a.ring_bytes() / 8);
            }
            (void)pair.b.release();
            while (pair.b.send(2, std::string(random() % 100, 'o'))) {
            }
            (void)pair.b.publish();
            (void)pair.b.room_came();
            (void)pair.b.prepare_sleep();
            pair.b.wake();
        }
        if (pair.b.broken()) {
            ++broken;
            EXPECT_FALSE(pair.b.send(1, ""));
            EXPECT_FALSE(pair.b.has_input());
        }
    }
    EXPECT_GT(broken, 3'800);
}

TEST(Channel, AHeadBeyondWhatWasPublishedIsBroken) {
    Pair pair(1024);
    ASSERT_TRUE(pair.b.send(1, std::string(400, 'x')));
    pair.b.publish();
    ASSERT_TRUE(pair.b.send(1, std::string(400, 'x')));
    pair.own_a.header()->head.store(
        816, std::memory_order_relaxed);  // consumed what was not yet published
    EXPECT_FALSE(pair.b.send(1, std::string(400, 'x')));
    EXPECT_TRUE(pair.b.broken());
}

TEST(Channel, WhoGoesOnWritingWithoutRoomIsBroken) {
    Pair pair(4096);
    const std::string body(56, 'x');
    for (int i = 0; i < 64; ++i) ASSERT_TRUE(pair.a.send(1, body));
    EXPECT_FALSE(pair.a.send(1, body));
    pair.a.publish();
    Channel::Record record;
    for (int i = 0; i < 64; ++i) ASSERT_TRUE(pair.b.receive(record));
    EXPECT_FALSE(pair.b.receive(record));
    EXPECT_FALSE(pair.b.broken()) << "that was the whole ring";
    pair.own_a.header()->tail.fetch_add(64);
    EXPECT_FALSE(pair.b.receive(record));
    EXPECT_TRUE(pair.b.broken());
}

TEST(Channel, AFillerThatDoesNotEndWithTheRingIsBroken) {
    Pair pair(1024);
    const RecordHeader filler{56, kFillerType, 0};
    std::memcpy(pair.own_a.slots(), &filler, sizeof(filler));
    pair.own_a.header()->tail.store(1024, std::memory_order_relaxed);
    Channel::Record record;
    EXPECT_FALSE(pair.b.receive(record));
    EXPECT_STREQ(pair.b.why_broken(), "a filler does not end with the ring");
}

TEST(Segment, IsReadOnlyToItsPeerAndCanNotShrink) {
    auto own = Segment::create(4096);
    ASSERT_TRUE(own) << own.error().text();
    const int memfd = own->memfd();
    EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0), MAP_FAILED);
    EXPECT_EQ(::ftruncate(memfd, 0), -1);
    EXPECT_EQ(::ftruncate(memfd, 1 << 20), -1);
    EXPECT_EQ(::pwrite(memfd, "x", 1, 0), -1);
    EXPECT_EQ(::fallocate(memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    auto peer = Segment::map_foreign(memfd, 4096);
    ASSERT_TRUE(peer) << peer.error().text();
    EXPECT_EQ(::mprotect(peer->header(), 4096, PROT_READ | PROT_WRITE), -1);
    EXPECT_EQ(errno, EACCES);
    own->header()->tail.store(64, std::memory_order_relaxed);
    EXPECT_EQ(peer->header()->tail.load(std::memory_order_relaxed), 64U);
}

TEST(Segment, RefusesAForeignDescriptorThatPromisesLess) {
    auto own = Segment::create(4096);
    EXPECT_FALSE(Segment::map_foreign(own->memfd(), 8192)) << "not the size that master said";
    EXPECT_FALSE(Segment::map_foreign(own->memfd(), 5000)) << "no ring has that size";

    Fd unsealed(::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(::ftruncate(unsealed.get(), static_cast<off_t>(kSlotsOffset + 4096)), 0);
    EXPECT_EQ(Segment::map_foreign(unsealed.get(), 4096).error().code, Errc::misbehaved);
    ASSERT_EQ(::fcntl(unsealed.get(), F_ADD_SEALS,
                      F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL),
              0);
    EXPECT_EQ(Segment::map_foreign(unsealed.get(), 4096).error().code, Errc::misbehaved)
        << "no header in it";
    EXPECT_FALSE(Segment::map_foreign(STDIN_FILENO, 4096));
    EXPECT_FALSE(Segment::map_foreign(-1, 4096));
}

// Under TSan this is the proof that indices order the bytes.
TEST(Channel, TwoThreadsExchangeRecordsInOrder) {
    Pair pair(2048);
    constexpr uint64_t records_total = 50'000;
    const auto produce = [](Channel& channel, uint32_t seed) {
        std::mt19937 random(seed);
        for (uint64_t number = 0; number < records_total; ++number) {
            std::string body(9 + random() % 200, static_cast<char>(number));
            std::memcpy(body.data(), &number, sizeof(number));
            while (!channel.send(1, body)) {
                channel.publish();
                std::this_thread::yield();
                (void)channel.room_came();
            }
            if (number % 5 == 0) channel.publish();
        }
        channel.publish();
    };
    std::thread producer([&] { produce(pair.a, 1); });
    uint64_t expected = 0;
    bool in_order = true;
    while (expected < records_total && !pair.b.broken()) {
        Channel::Record record;
        if (!pair.b.receive(record)) {
            pair.b.release();
            std::this_thread::yield();
            continue;
        }
        uint64_t number = 0;
        std::memcpy(&number, record.body.data(), sizeof(number));
        in_order =
            in_order && number == expected && record.body.back() == static_cast<char>(number);
        ++expected;
    }
    pair.b.release();
    producer.join();
    EXPECT_TRUE(in_order);
    EXPECT_FALSE(pair.b.broken());
    EXPECT_FALSE(pair.a.broken());
}

// The child fills its ring for ever and is killed wherever it happens to be: what is visible is
// whole.
TEST(Channel, AProducerKilledMidWriteLeavesNothingHalfVisible) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "fork beside TSan's threads";
#endif
    for (int round = 0; round < 10; ++round) {
        auto segment_a = Segment::create(8192);
        auto segment_b = Segment::create(8192);
        ASSERT_TRUE(segment_a && segment_b);
        const pid_t child = ::fork();
        if (child == 0) {
            // Inherits its own writable mapping; sees the parent's read-only, as a peer does.
            auto foreign = Segment::map_foreign(segment_b->memfd(), 8192);
            if (!foreign) ::_exit(1);
            Channel channel(std::move(*segment_a), std::move(*foreign));
            for (uint64_t number = 0;; ++number) {
                std::string body(number % 3000, static_cast<char>('A' + number % 26));
                while (!channel.send(1, body)) {
                    channel.publish();
                    std::this_thread::yield();
                }
                channel.publish();
            }
        }
        auto foreign = Segment::map_foreign(segment_a->memfd(), 8192);
        ASSERT_TRUE(foreign);
        Channel channel(std::move(*segment_b), std::move(*foreign));
        uint64_t number = 0;
        const auto read_all = [&] {
            Channel::Record record;
            while (channel.receive(record)) {
                ASSERT_EQ(record.body.size(), number % 3000);
                ASSERT_EQ(record.body.find_first_not_of(static_cast<char>('A' + number % 26)),
                          std::string_view::npos);
                ++number;
                channel.release();
                if (number > 2000 + 137 * static_cast<uint64_t>(round)) return;
            }
        };
        while (number <= 2000 + 137 * static_cast<uint64_t>(round)) {
            read_all();
            std::this_thread::yield();
        }
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        for (int i = 0; i < 100; ++i) read_all();
        EXPECT_FALSE(channel.broken()) << channel.why_broken();
    }
}

}  // namespace
}  // namespace posthaste
