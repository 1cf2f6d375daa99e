// runtime/testing_loop.h: a Loop for unit tests of what stands on it. Time stands still until told;
// watch() is poll() when poll_once() is called; everything else is our own bug to call. Header
// only, for *_test.cpp.
#pragma once

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <unistd.h>
#include <vector>

#include "base/assert.h"

#include "runtime/loop.h"

namespace posthaste {

class TestingLoop final : public Loop {
 public:
    int64_t now_us() const noexcept override { return now_us_; }

    int64_t wall_us() const noexcept override { return now_us_; }

    uint64_t random() noexcept override { return ++random_; }

    TimerWheel& timers() noexcept override { return timers_; }

    void accept(Completion&, Socket) override { ASSERT(false); }

    void connect(Completion&, const Endpoint&, const IpAddress*) override { ASSERT(false); }

    void receive(Completion&, Socket) override { ASSERT(false); }

    void send(Completion&, Socket, std::span<const iovec>) override { ASSERT(false); }

    void write_file(Completion&, int, std::span<const iovec>, uint64_t, FileSync) override {
        ASSERT(false);
    }

    void close(Socket) override { ASSERT(false); }

    void shutdown_send(Socket) override { ASSERT(false); }

    Endpoint peer_of(Socket) override { return {}; }

    bool has_input(Socket) override { return false; }

    Endpoint local_of(Socket) override { return {}; }

    void run() override { ASSERT(false); }

    void stop() noexcept override { stopped_ = true; }

    void watch(Completion& done, int descriptor) override {
        done.begin();
        watches_.push_back({&done, descriptor, false});
    }

    void cancel(Completion& done) override {
        for (auto& watch : watches_) {
            if (watch.done == &done) watch.cancelled = true;
        }
    }

    void ring_doorbell(int doorbell) override {
        rung_.push_back(doorbell);
        const uint64_t one = 1;
        if (ring_for_real_ && ::write(doorbell, &one, sizeof(one)) < 0) ASSERT(errno == EAGAIN);
    }

    void add_listener(TurnListener& listener) override { listeners_.push_back(&listener); }

    void remove_listener(TurnListener& listener) override { std::erase(listeners_, &listener); }

    void request_turn_end(TurnListener&) override { ASSERT(false); }

    // The rest of a turn, without sleeping. True: the loop would sleep now.
    bool turn() {
        timers_.advance(now_us_);
        for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_turn_end();
        bool work = false;
        for (size_t i = 0; i < listeners_.size(); ++i) work |= listeners_[i]->before_sleep();
        return !work;
    }

    void wake() {
        for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->after_sleep();
    }

    void pass_time(int64_t us) { now_us_ += us; }

    // Runs the callbacks of what is readable now, and of what was cancelled; true if there was any.
    bool poll_once(int timeout_ms = 0) {
        const auto before = watches_;
        bool any = false;
        for (const auto& watch : before) {
            pollfd readable{watch.descriptor, POLLIN, 0};
            if (watch.cancelled) {
                std::erase_if(watches_, [&](const Watch& w) { return w.done == watch.done; });
                watch.done->deliver({-ECANCELED, true, {}});
                any = true;
            } else if (is_watched(watch.done) && ::poll(&readable, 1, timeout_ms) > 0) {
                watch.done->deliver({readable.revents, false, {}});
                any = true;
            }
        }
        return any;
    }

    std::vector<int> rung_;
    bool ring_for_real_ = false;
    bool stopped_ = false;

 private:
    struct Watch {
        Completion* done;
        int descriptor;
        bool cancelled;
    };

    bool is_watched(Completion* done) const {
        return std::any_of(watches_.begin(), watches_.end(),
                           [&](const Watch& w) { return w.done == done && !w.cancelled; });
    }

    int64_t now_us_ = kSecondUs;
    uint64_t random_ = 0;
    TimerWheel timers_{kSecondUs};
    std::vector<Watch> watches_;
    std::vector<TurnListener*> listeners_;
};

}  // namespace posthaste
