// The two decisions on which every sleep rests, each raced against its counterpart, round by round:
// a consumer that goes to sleep and a producer that publishes, a producer that is refused and a
// consumer that makes room. One of the two must see the other; if neither does, nobody will ever be
// woken.
#include <atomic>
#include <gtest/gtest.h>
#include <string>
#include <thread>

#include "runtime/channel.h"

namespace posthaste {
namespace {

constexpr uint64_t kRounds = 100'000;
constexpr uint64_t kStagger = 150;

// Both threads leave it at the same moment, as nearly as two cores can.
class Barrier {
 public:
    void wait() noexcept {
        const uint64_t round = round_.load(std::memory_order_relaxed);
        if (arrived_.fetch_add(1) == 1) {
            arrived_.store(0, std::memory_order_relaxed);
            round_.store(round + 1);
            return;
        }
        for (unsigned spins = 0; round_.load() == round; ++spins) {
            if (spins > 2000) std::this_thread::yield();
        }
    }

 private:
    std::atomic<uint64_t> arrived_{0};
    std::atomic<uint64_t> round_{0};
};

// A little later on one side, then on the other.
void stagger(uint64_t steps) noexcept {
    for (std::atomic<uint64_t> i{0}; i.load(std::memory_order_relaxed) < steps;)
        i.fetch_add(1, std::memory_order_relaxed);
}

struct RingLitmus : testing::Test {
    Segment segment_a = Segment::create_private(1024);
    Segment segment_b = Segment::create_private(1024);
    Channel producer{Segment::alias(segment_a), Segment::alias(segment_b)};
    Channel consumer{Segment::alias(segment_b), Segment::alias(segment_a)};
    Barrier barrier;
    Channel::Record record;
};

TEST_F(RingLitmus, WhoPublishesSeesTheSleepOrTheSleeperSeesTheRecord) {
    bool rings = false;
    std::thread other([&] {
        for (uint64_t round = 0; round < kRounds; ++round) {
            (void)producer.send(1, "record");
            barrier.wait();
            stagger(round % kStagger);
            rings = producer.publish();
            barrier.wait();
        }
    });
    uint64_t lost = 0;
    for (uint64_t round = 0; round < kRounds; ++round) {
        barrier.wait();
        stagger(round / kStagger % kStagger);
        const bool sleeps = consumer.prepare_sleep();
        barrier.wait();
        if (sleeps && !rings) ++lost;
        consumer.wake();
        while (consumer.receive(record)) {
        }
        (void)consumer.release();
    }
    other.join();
    EXPECT_EQ(lost, 0U);
}

TEST_F(RingLitmus, WhoIsRefusedSeesTheRoomOrWhoMakesRoomSeesTheWish) {
    const std::string body(100, 'x');
    bool refused = false;
    std::thread other([&] {
        for (uint64_t round = 0; round < kRounds; ++round) {
            while (producer.has_room(body.size())) (void)producer.send(1, body);
            (void)producer.publish();
            barrier.wait();  // the consumer takes everything …
            barrier.wait();  // … and gives the room back while we ask for it
            stagger(round % kStagger);
            refused = !producer.send(1, body);
            (void)producer.publish();
            barrier.wait();
            if (refused) (void)producer.room_came();
        }
    });
    uint64_t lost = 0;
    for (uint64_t round = 0; round < kRounds; ++round) {
        barrier.wait();
        while (consumer.receive(record)) {
        }
        barrier.wait();
        stagger(round / kStagger % kStagger);
        const bool rings = consumer.release();
        barrier.wait();
        if (refused && !rings) ++lost;
    }
    other.join();
    EXPECT_EQ(lost, 0U);
}

}  // namespace
}  // namespace posthaste
