#include "simulation/sim_world.h"

#include <algorithm>

#include "base/assert.h"
#include "base/units.h"

#include "simulation/sim_loop.h"

namespace posthaste::simulation {
namespace {

// Some day in November 2023; any would do, as long as it is always the same.
constexpr int64_t kEpochUs = 1'700'000'000 * kSecondUs;
constexpr int64_t kStartUs = 1000 * kSecondUs;
// A rung doorbell wakes a sleeping process after the kernel's scheduling, which varies.
constexpr int64_t kDoorbellUsMax = 60;

uint64_t mix(uint64_t hash, uint64_t value) noexcept {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

}  // namespace

SimWorld::SimWorld(uint64_t seed)
    : seed_(seed),
      random_(seed),
      now_us_(kStartUs),
      wall_ahead_us_(kEpochUs - kStartUs),
      trace_hash_(seed),
      network_(*this) {}

SimWorld::~SimWorld() {
    for (auto& loop : loops_) loop->die();
}

SimLoop& SimWorld::make_loop(std::string name) {
    loops_.push_back(
        std::make_unique<SimLoop>(*this, loops_.size() + 1, std::move(name), random_.next()));
    return *loops_.back();
}

void SimWorld::kill(SimLoop& loop) {
    note("kill", loop.name(), 0, 0);
    loop.die();
    network_.owner_died(loop);
    for (auto it = doorbells_.begin(); it != doorbells_.end();) {
        it = it->second.owner == &loop ? doorbells_.erase(it) : std::next(it);
    }
}

int SimWorld::make_doorbell(SimLoop& owner) {
    doorbells_[next_descriptor_] = {&owner};
    return next_descriptor_++;
}

int SimWorld::make_file() {
    files_[next_descriptor_] = {};
    return next_descriptor_++;
}

SimFile& SimWorld::file(int descriptor) {
    const auto found = files_.find(descriptor);
    ASSERT(found != files_.end());
    return found->second;
}

void SimWorld::ring(int doorbell, int64_t delay_us) {
    after(delay_us + between(1, kDoorbellUsMax), [this, doorbell] {
        const auto found = doorbells_.find(doorbell);
        if (found == doorbells_.end()) return;
        found->second.rung = true;
        found->second.owner->on_doorbell(doorbell);
    });
}

bool SimWorld::was_rung(int doorbell) const noexcept {
    const auto found = doorbells_.find(doorbell);
    return found != doorbells_.end() && found->second.rung;
}

void SimWorld::at(int64_t time_us, std::function<void()> event) {
    events_.push({std::max(time_us, now_us_), sequence_++, std::move(event)});
}

int64_t SimWorld::between(int64_t low, int64_t high) noexcept {
    ASSERT(low <= high);
    return low + static_cast<int64_t>(random_.below(static_cast<uint64_t>(high - low) + 1));
}

bool SimWorld::step() {
    if (events_.empty()) return false;
    // The queue hands out const only; the event is about to be popped.
    auto run = std::move(const_cast<Event&>(events_.top()).run);
    now_us_ = events_.top().time_us;
    events_.pop();
    ++steps_;
    run();
    return true;
}

SimWorld::Outcome SimWorld::run_until(const std::function<bool()>& done, uint64_t steps_max) {
    for (uint64_t i = 0; i < steps_max; ++i) {
        if (done()) return Outcome::reached;
        if (!step()) return Outcome::nothing_left;
    }
    return done() ? Outcome::reached : Outcome::steps_spent;
}

SimWorld::Outcome SimWorld::run_for(int64_t duration_us, uint64_t steps_max) {
    const int64_t end_us = now_us_ + duration_us;
    for (uint64_t i = 0; i < steps_max; ++i) {
        if (events_.empty() || events_.top().time_us > end_us) {
            now_us_ = end_us;
            return Outcome::reached;
        }
        step();
    }
    return Outcome::steps_spent;
}

void SimWorld::note(std::string_view what, std::string_view who, int64_t a, int64_t b) {
    uint64_t hash = mix(trace_hash_, static_cast<uint64_t>(now_us_));
    for (const char c : what) hash = mix(hash, static_cast<unsigned char>(c));
    for (const char c : who) hash = mix(hash, static_cast<unsigned char>(c));
    trace_hash_ = mix(mix(hash, static_cast<uint64_t>(a)), static_cast<uint64_t>(b));
    if (!write_trace_) return;
    write_trace_(std::to_string(now_us_) + " " + std::string(who) + " " + std::string(what) + " " +
                 std::to_string(a) + " " + std::to_string(b));
}

}  // namespace posthaste::simulation
