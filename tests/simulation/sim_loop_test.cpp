#include "simulation/sim_loop.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "base/units.h"

#include "simulation/sim_recorder.h"
#include "simulation/sim_world.h"

namespace posthaste::simulation {
namespace {

constexpr uint64_t kSteps = 1'000'000;

struct Alarm {
    void on_time() { ++fired; }

    int fired = 0;
    Timer timer{timer_calls<&Alarm::on_time, Alarm>(), this};
};

TEST(SimLoop, SleepsUntilItsTimersThroughVirtualDays) {
    SimWorld world(1);
    SimLoop& loop = world.make_loop("loop");
    world.run_for(kSecondUs, kSteps);
    Alarm alarm;
    const int64_t deadline_us = world.now_us() + 5 * kDayUs;
    loop.timers().set(alarm.timer, deadline_us);
    ASSERT_EQ(world.run_until([&] { return alarm.fired == 1; }, 100), SimWorld::Outcome::reached);
    EXPECT_GE(world.now_us(), deadline_us);
    EXPECT_LE(world.now_us(), deadline_us + kSecondUs);
    EXPECT_LT(loop.turns(), 12u);
}

TEST(SimLoop, HasNothingLeftWhenNobodyWaits) {
    SimWorld world(1);
    world.make_loop("loop");
    EXPECT_EQ(world.run_until([] { return false; }, kSteps), SimWorld::Outcome::nothing_left);
}

TEST(SimLoop, DoorbellsWakeTheirOwnerAtTheEndOfTheRingersTurn) {
    SimWorld world(2);
    SimLoop& ringer = world.make_loop("ringer");
    SimLoop& owner = world.make_loop("owner");
    const int doorbell = world.make_doorbell(owner);
    Recorder watching;
    owner.watch(watching.done, doorbell);
    world.run_for(kSecondUs, kSteps);
    EXPECT_TRUE(watching.results.empty());
    for (size_t i = 1; i <= 3; ++i) {
        ringer.ring_doorbell(doorbell);
        EXPECT_EQ(world.run_until([&] { return watching.results.size() == i; }, kSteps),
                  SimWorld::Outcome::reached);
    }
    // Nobody reads it: a new watch sees at once that it was rung.
    Recorder again;
    owner.watch(again.done, doorbell);
    EXPECT_EQ(world.run_until([&] { return !again.results.empty(); }, kSteps),
              SimWorld::Outcome::reached);
    owner.cancel(watching.done);
    owner.cancel(again.done);
    EXPECT_EQ(world.run_until([&] { return watching.idle() && again.idle(); }, kSteps),
              SimWorld::Outcome::reached);
    EXPECT_EQ(watching.results.back(), -ECANCELED);
}

TEST(SimLoop, PairsBeforeSleepWithAfterSleep) {
    struct Sleeper final : TurnListener {
        void on_turn_end() override { EXPECT_FALSE(announced); }

        bool before_sleep() override {
            EXPECT_FALSE(announced);
            announced = true;
            return work-- > 0;
        }

        void after_sleep() override {
            EXPECT_TRUE(announced);
            announced = false;
        }

        bool announced = false;
        int work = 3;
    } sleeper;

    SimWorld world(3);
    SimLoop& loop = world.make_loop("loop");
    loop.add_listener(sleeper);
    world.run_for(kSecondUs, kSteps);
    EXPECT_EQ(loop.turns(), 4u);
    EXPECT_TRUE(sleeper.announced);
    loop.remove_listener(sleeper);
}

TEST(SimLoop, AKilledOneCallsNobodyAndIsForgottenByAll) {
    SimWorld world(4);
    SimLoop& victim = world.make_loop("victim");
    SimLoop& peer = world.make_loop("peer");
    const auto [mine, theirs] = world.network().pair(victim, peer);
    const int doorbell = world.make_doorbell(victim);
    Recorder reading, watching, connecting, peer_reading;
    Alarm alarm;
    victim.receive(reading.done, mine);
    victim.watch(watching.done, doorbell);
    victim.connect(connecting.done, {IpAddress::v4(192, 0, 2, 1), 25}, nullptr);
    victim.timers().set(alarm.timer, world.now_us() + kSecondUs);
    peer.receive(peer_reading.done, theirs);
    world.step();
    world.kill(victim);
    EXPECT_TRUE(reading.idle() && watching.idle() && connecting.idle());
    peer.ring_doorbell(doorbell);
    EXPECT_EQ(world.run_until([&] { return peer_reading.idle(); }, kSteps),
              SimWorld::Outcome::reached)
        << "its peer sees the end";
    world.run_for(kMinuteUs, kSteps);
    EXPECT_TRUE(reading.results.empty() && watching.results.empty() && connecting.results.empty());
    EXPECT_EQ(alarm.fired, 0);
    // What stood on it may still call it while it goes.
    victim.close(mine);
    victim.cancel(reading.done);
    victim.receive(reading.done, mine);
    EXPECT_TRUE(reading.idle());
    peer.close(theirs);
    EXPECT_EQ(world.network().streams_open(), 0u);
}

TEST(SimLoop, TheWallClockMayStepWhileTheSteadyOneGoesOn) {
    SimWorld world(5);
    SimLoop& loop = world.make_loop("loop");
    world.run_for(kSecondUs, kSteps);
    const int64_t wall_us = world.wall_us();
    const int64_t now_us = world.now_us();
    world.step_wall_clock(-kHourUs);
    Alarm alarm;
    loop.timers().set(alarm.timer, now_us + kSecondUs);
    world.run_for(2 * kSecondUs, kSteps);
    EXPECT_EQ(alarm.fired, 1);
    EXPECT_GE(loop.now_us(), now_us + kSecondUs);
    EXPECT_LT(loop.wall_us(), wall_us);
}

TEST(SimLoop, AFileKeepsWhatWasSynced) {
    SimWorld world(6);
    SimLoop& loop = world.make_loop("loop");
    const int descriptor = world.make_file();
    Recorder writing;
    std::string text = "0123";
    const iovec piece{text.data(), text.size()};
    loop.write_file(writing.done, descriptor, {&piece, 1}, 0, FileSync::durable);
    world.run_until([&] { return writing.idle(); }, kSteps);
    loop.write_file(writing.done, descriptor, {&piece, 1}, 4, FileSync::begin);
    world.run_until([&] { return writing.idle(); }, kSteps);
    EXPECT_EQ(writing.results, (std::vector<int32_t>{4, 4}));
    EXPECT_EQ(world.file(descriptor).bytes, "01230123");
    EXPECT_EQ(world.file(descriptor).synced_bytes, "0123");
}

}  // namespace
}  // namespace posthaste::simulation
