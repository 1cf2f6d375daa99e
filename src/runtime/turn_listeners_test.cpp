#include "runtime/turn_listeners.h"

#include <functional>
#include <gtest/gtest.h>
#include <string>

namespace posthaste {
namespace {

struct Named final : TurnListener {
    Named(std::string& out, char name_char) : trace(out), name(name_char) {}

    void on_turn_end() override {
        trace += name;
        if (then) then();
    }

    bool before_sleep() override {
        trace += '<';
        return busy;
    }

    void after_sleep() override { trace += '>'; }

    std::string& trace;
    char name;
    bool busy = false;
    std::function<void()> then;
};

TEST(TurnListeners, AsksPermanentOnesEveryTurnAndRequestsOnce) {
    std::string trace;
    Named permanent(trace, 'p');
    Named once(trace, 'o');
    TurnListeners listeners;
    listeners.add(permanent);
    listeners.request(once);
    listeners.request(once);
    listeners.run();
    listeners.run();
    EXPECT_EQ(trace, "opp");
}

TEST(TurnListeners, AsksPermanentOnesAgainAfterARequestTheyCaused) {
    std::string trace;
    Named permanent(trace, 'p');
    Named once(trace, 'o');
    TurnListeners listeners;
    listeners.add(permanent);
    permanent.then = [&] {
        listeners.request(once);
        permanent.then = nullptr;
    };
    listeners.run();
    EXPECT_EQ(trace, "pop");
}

TEST(TurnListeners, BoundsTheRoundsOfATurnAndThenDoesNotSleep) {
    std::string trace;
    Named again(trace, 'a');
    TurnListeners listeners;
    again.then = [&] { listeners.request(again); };
    listeners.request(again);
    listeners.run();
    EXPECT_EQ(trace, std::string(TurnListeners::kRoundsMax, 'a'));
    EXPECT_TRUE(listeners.before_sleep());
}

TEST(TurnListeners, ForgetsARemovedOneEvenFromInsideAnothersCall) {
    std::string trace;
    Named first(trace, '1');
    Named second(trace, '2');
    Named third(trace, '3');
    TurnListeners listeners;
    listeners.request(first);
    listeners.request(second);
    listeners.add(third);
    first.then = [&] {
        listeners.remove(second);
        listeners.remove(third);
    };
    listeners.run();
    EXPECT_EQ(trace, "1");
}

TEST(TurnListeners, WakesThoseItAskedBeforeSleepAndNoOther) {
    std::string trace;
    Named first(trace, '1');
    Named second(trace, '2');
    TurnListeners listeners;
    listeners.add(first);
    listeners.add(second);
    EXPECT_FALSE(listeners.before_sleep());
    listeners.after_sleep();
    EXPECT_EQ(trace, "<<>>");
    trace.clear();
    first.busy = true;
    EXPECT_TRUE(listeners.before_sleep());
    listeners.after_sleep();
    EXPECT_EQ(trace, "<>");
}

}  // namespace
}  // namespace posthaste
