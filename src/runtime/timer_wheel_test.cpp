#include "runtime/timer_wheel.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <vector>

#include "runtime/random.h"

namespace posthaste {
namespace {

constexpr int64_t kTick = TimerWheel::kTickUs;

struct Alarm {
    void on_time() {
        ++fired;
        if (order != nullptr) order->push_back(this);
        if (again_us != kNeverUs) wheel->set(timer, again_us);
    }

    int fired = 0;
    std::vector<Alarm*>* order = nullptr;
    TimerWheel* wheel = nullptr;
    int64_t again_us = kNeverUs;
    Timer timer{timer_calls<&Alarm::on_time, Alarm>(), this};
};

TEST(TimerWheel, FiresNeitherEarlyNorATickLate) {
    TimerWheel wheel(1'000'000);
    Alarm alarm;
    const int64_t deadline_us = 1'000'000 + 10 * kTick + 1;
    wheel.set(alarm.timer, deadline_us);
    EXPECT_TRUE(alarm.timer.is_set());
    wheel.advance(deadline_us - 1);
    EXPECT_EQ(alarm.fired, 0);
    wheel.advance(deadline_us + kTick);
    EXPECT_EQ(alarm.fired, 1);
    EXPECT_FALSE(alarm.timer.is_set());
    EXPECT_EQ(wheel.size(), 0u);
}

TEST(TimerWheel, FiresAPassedDeadlineAtTheNextAdvance) {
    TimerWheel wheel(50 * kTick);
    Alarm alarm;
    wheel.set(alarm.timer, 3);
    EXPECT_LE(wheel.next_deadline_us(), 50 * kTick);
    EXPECT_EQ(wheel.advance(50 * kTick), 1u);
    EXPECT_EQ(alarm.fired, 1);
}

TEST(TimerWheel, LetsATimerThatSetsItselfAgainWaitForTheNextAdvance) {
    TimerWheel wheel(0);
    Alarm alarm;
    alarm.wheel = &wheel;
    alarm.again_us = 1;
    wheel.set(alarm.timer, 1);
    EXPECT_EQ(wheel.advance(1000 * kTick), 1u);
    EXPECT_EQ(wheel.advance(1000 * kTick), 1u);
    EXPECT_EQ(alarm.fired, 2);
}

TEST(TimerWheel, KeepsTheOrderOfSettingWithinATick) {
    TimerWheel wheel(0);
    std::vector<Alarm*> order;
    std::vector<Alarm> alarms(20);
    const int64_t deadline_us = 300 * kTick;
    // Half are set while the tick is far away, half when it is near.
    for (size_t i = 0; i < 10; ++i) wheel.set(alarms[i].timer, deadline_us);
    wheel.advance(290 * kTick);
    for (size_t i = 10; i < 20; ++i) wheel.set(alarms[i].timer, deadline_us);
    for (Alarm& alarm : alarms) alarm.order = &order;
    wheel.advance(deadline_us);
    ASSERT_EQ(order.size(), alarms.size());
    for (size_t i = 0; i < alarms.size(); ++i) EXPECT_EQ(order[i], &alarms[i]);
}

TEST(TimerWheel, CancelledTimersDoNotFireEvenWhenCancelledByAnotherOfTheSameTick) {
    TimerWheel wheel(0);
    Alarm victim;

    struct Killer {
        void on_time() { victim.timer.cancel(); }

        Alarm& victim;
        Timer timer{timer_calls<&Killer::on_time, Killer>(), this};
    } killer{victim};

    wheel.set(killer.timer, 10 * kTick);
    wheel.set(victim.timer, 10 * kTick);
    EXPECT_EQ(wheel.advance(20 * kTick), 1u);
    EXPECT_EQ(victim.fired, 0);
    EXPECT_EQ(wheel.next_deadline_us(), kNeverUs);
}

TEST(TimerWheel, DestroyedTimersAndWheelsLetGoOfEachOther) {
    auto wheel = std::make_unique<TimerWheel>(0);
    Alarm outlives;
    {
        Alarm goes;
        wheel->set(goes.timer, 100);
        wheel->set(outlives.timer, 100);
    }
    EXPECT_EQ(wheel->size(), 1u);
    wheel.reset();
    EXPECT_FALSE(outlives.timer.is_set());
}

TEST(TimerWheel, PlacesFarDeadlinesAgainAndAgain) {
    // One deadline on each level and beyond the wheel's reach (2^32 ticks of 4 ms are 198 days).
    for (const int64_t deadline_us :
         {2 * kSecondUs, kHourUs, 3 * kDayUs, 100 * kDayUs, 500 * kDayUs, 2000 * kDayUs}) {
        TimerWheel wheel(12345);
        Alarm alarm;
        wheel.set(alarm.timer, deadline_us);
        // Follow next_deadline_us() as a loop would: few steps, never past the deadline's tick.
        int steps = 0;
        while (alarm.fired == 0) {
            ASSERT_LT(++steps, 20) << deadline_us;
            ASSERT_LE(wheel.next_deadline_us(), deadline_us + kTick);
            wheel.advance(wheel.next_deadline_us());
        }
        EXPECT_EQ(wheel.next_deadline_us(), kNeverUs);
    }
}

TEST(TimerWheel, HoldsADeadlineThatNeverComes) {
    TimerWheel wheel(0);
    Alarm alarm;
    wheel.set(alarm.timer, kNeverUs);
    wheel.advance(5000 * kDayUs);
    EXPECT_EQ(alarm.fired, 0);
    EXPECT_TRUE(alarm.timer.is_set());
}

// The wheel beside a sorted map, through random operations.
class Model {
 public:
    explicit Model(uint64_t seed)
        : random_(seed), now_us_(static_cast<int64_t>(random_.below(1u << 30))), wheel_(now_us_) {
        for (size_t i = 0; i < alarms_.size(); ++i) positions_.push_back(due_.end());
    }

    void step() {
        const auto i = static_cast<size_t>(random_.below(alarms_.size()));
        switch (random_.below(4)) {
            case 0:
            case 1:
                set(i);
                break;
            case 2:
                cancel(i);
                break;
            default:
                advance();
        }
        ASSERT_EQ(wheel_.size(), due_.size());
        if (due_.empty()) {
            ASSERT_EQ(wheel_.next_deadline_us(), kNeverUs);
        } else {
            ASSERT_LE(wheel_.next_deadline_us(),
                      std::max(now_us_, due_.begin()->first + kTick - 1));
        }
    }

 private:
    void set(size_t i) {
        cancel(i);
        const int64_t reach_us = int64_t{1} << random_.below(46);
        const int64_t deadline_us =
            now_us_ - 1000 + static_cast<int64_t>(random_.below(static_cast<uint64_t>(reach_us)));
        wheel_.set(alarms_[i].timer, deadline_us);
        positions_[i] = due_.emplace(deadline_us, i);
    }

    void cancel(size_t i) {
        alarms_[i].timer.cancel();
        if (positions_[i] != due_.end()) due_.erase(positions_[i]);
        positions_[i] = due_.end();
    }

    void advance() {
        now_us_ =
            random_.below(4) == 0 && !due_.empty()
                ? std::max(now_us_, due_.begin()->first)
                : now_us_ + static_cast<int64_t>(random_.below(uint64_t{1} << random_.below(44)));
        wheel_.advance(now_us_);
        // All due by a tick ago must have fired; none that is still to come may have.
        for (auto it = due_.begin(); it != due_.end();) {
            Alarm& alarm = alarms_[it->second];
            ASSERT_LE(alarm.fired, 1);
            ASSERT_FALSE(it->first > now_us_ && alarm.fired == 1) << "early";
            ASSERT_FALSE(it->first <= now_us_ - kTick && alarm.fired == 0) << "late";
            ASSERT_EQ(alarm.timer.is_set(), alarm.fired == 0);
            if (alarm.fired == 0) {
                ++it;
                continue;
            }
            alarm.fired = 0;
            positions_[it->second] = due_.end();
            it = due_.erase(it);
        }
    }

    Random random_;
    int64_t now_us_;
    TimerWheel wheel_;
    std::multimap<int64_t, size_t> due_;
    std::vector<std::multimap<int64_t, size_t>::iterator> positions_;
    std::vector<Alarm> alarms_ = std::vector<Alarm>(300);
};

TEST(TimerWheel, AgreesWithASortedMap) {
    const char* given = std::getenv("POSTHASTE_SEED");
    const uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
    for (uint64_t seed = first; seed < first + 20; ++seed) {
        SCOPED_TRACE(seed);
        Model model(seed);
        for (int i = 0; i < 5000; ++i) {
            model.step();
            if (testing::Test::HasFatalFailure()) return;
        }
    }
}

}  // namespace
}  // namespace posthaste
