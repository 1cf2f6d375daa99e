#include "simulation/sim_loop.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <utility>

#include "base/assert.h"
#include "base/units.h"

#include "simulation/sim_world.h"

namespace posthaste::simulation {
namespace {

// What scheduling a process and running its turn takes.
constexpr int64_t kWakeUsMax = 30;
constexpr int64_t kTurnUsMax = 40;
// What a disk takes to write, and to make it last.
constexpr int64_t kWriteUsMax = 200;
constexpr int64_t kSyncUsMax = 5000;
// Until a send that was cancelled is over.
constexpr int64_t kCancelUs = 300;

}  // namespace

SimLoop::SimLoop(SimWorld& world, size_t number, std::string name, uint64_t seed)
    : world_(world),
      name_(std::move(name)),
      address_(
          IpAddress::v4(10, 0, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number))),
      random_(seed),
      now_us_(world.now_us()),
      wall_us_(world.wall_us()),
      timers_(world.now_us()),
      turn_at_us_(kNeverUs) {
    wake_soon();
}

SimLoop::~SimLoop() { die(); }

void SimLoop::die() {
    ASSERT(!in_turn_);
    dead_ = true;
    for (auto& [key, operation] : operations_) operation.completion->abandon();
    operations_.clear();
    watches_.clear();
    ready_.clear();
    to_ring_.clear();
    turn_at_us_ = kNeverUs;
}

// ---- operations ----

void SimLoop::step() {
    if (!in_turn_ || dead_ || doomed_) return;
    if (steps_to_death_ == 0 || --steps_to_death_ > 0) return;
    doomed_ = true;
    world_.note("doomed", name_, static_cast<int64_t>(turns_), 0);
    world_.on_doomed(*this);
}

uint64_t SimLoop::begin(Completion& done, Kind kind, int32_t number) {
    done.begin();
    step();
    const uint64_t key = next_key_++;
    done.loop_private = key;
    operations_.emplace(key, Operation{&done, kind, number});
    return key;
}

void SimLoop::accept(Completion& done, Socket listener) {
    if (dead_) return;
    const uint64_t key = begin(done, Kind::accept, static_cast<int32_t>(listener));
    if (!doomed_) world_.network().accept(*this, key, listener);
}

void SimLoop::connect(Completion& done, const Endpoint& to, const IpAddress* from) {
    if (dead_) return;
    const uint64_t key = begin(done, Kind::connect, -1);
    if (!doomed_) world_.network().connect(*this, key, to, from);
}

void SimLoop::receive(Completion& done, Socket socket) {
    if (dead_) return;
    const uint64_t key = begin(done, Kind::receive, static_cast<int32_t>(socket));
    if (!doomed_) world_.network().receive(*this, key, socket);
}

void SimLoop::send(Completion& done, Socket socket, std::span<const iovec> pieces) {
    if (dead_) return;
    ASSERT(pieces.size() <= kSendPiecesMax);
    const uint64_t key = begin(done, Kind::send, static_cast<int32_t>(socket));
    if (!doomed_) world_.network().send(*this, key, socket, pieces);
}

void SimLoop::watch(Completion& done, int descriptor) {
    if (dead_) return;
    watches_.emplace(descriptor, begin(done, Kind::watch, descriptor));
    if (world_.was_rung(descriptor)) on_doorbell(descriptor);
}

void SimLoop::write_file(Completion& done, int descriptor, std::span<const iovec> pieces,
                         uint64_t offset, FileSync sync) {
    if (dead_) return;
    const uint64_t key = begin(done, Kind::write_file, descriptor);
    if (doomed_) return;
    const std::vector<iovec> kept(pieces.begin(), pieces.end());
    const int64_t delay_us =
        world_.between(1, sync == FileSync::durable ? kSyncUsMax : kWriteUsMax);
    world_.after(delay_us, [this, key, descriptor, kept, offset, sync] {
        if (!is_pending(key)) return;
        SimFile& file = world_.file(descriptor);
        size_t at = offset;
        for (const iovec& piece : kept) {
            file.bytes.resize(std::max(file.bytes.size(), at + piece.iov_len));
            std::copy_n(static_cast<const char*>(piece.iov_base), piece.iov_len,
                        file.bytes.begin() + static_cast<ptrdiff_t>(at));
            at += piece.iov_len;
        }
        if (sync == FileSync::durable) file.synced_bytes = file.bytes;
        post(key, static_cast<int32_t>(at - offset), true, {});
    });
}

void SimLoop::cancel(Completion& done) {
    if (dead_ || doomed_ || !done.in_flight()) return;
    const uint64_t key = done.loop_private;
    if (!is_pending(key)) return;  // what had already happened is on its way
    const Operation& operation = operations_.at(key);
    if (operation.kind == Kind::write_file) return;
    if (operation.kind == Kind::receive) world_.network().stop_receiving(Socket{operation.number});
    if (operation.kind == Kind::send) {
        // The kernel goes on taking bytes until the turn's submissions reach it.
        const Socket socket{operation.number};
        return world_.after(kCancelUs, [this, key, socket] {
            if (dead_ || !is_pending(key)) return;
            world_.network().stop_sending(socket);
            post(key, -ECANCELED, true, {});
        });
    }
    post(key, -ECANCELED, true, {});
}

void SimLoop::close(Socket socket) {
    if (dead_) return;
    step();
    if (!doomed_) world_.network().close(socket);
}

void SimLoop::shutdown_send(Socket socket) {
    if (dead_) return;
    step();
    if (!doomed_) world_.network().shutdown_send(socket);
}

Endpoint SimLoop::peer_of(Socket socket) { return world_.network().peer_of(socket); }

bool SimLoop::has_input(Socket socket) { return world_.network().has_input(socket); }

Endpoint SimLoop::local_of(Socket socket) { return world_.network().local_of(socket); }

void SimLoop::ring_doorbell(int doorbell) {
    if (dead_) return;
    step();
    if (doomed_) return;
    to_ring_.push_back(doorbell);
    if (!in_turn_) wake_soon();
}

bool SimLoop::is_pending(uint64_t key) const noexcept {
    const auto found = operations_.find(key);
    return found != operations_.end() && !found->second.over;
}

bool SimLoop::post(uint64_t key, int32_t result, bool last, std::string data) {
    if (!is_pending(key)) return false;
    operations_.at(key).over = last;
    ready_.push_back({key, result, last, std::move(data)});
    wake_soon();
    return true;
}

void SimLoop::on_doorbell(int doorbell) {
    const auto [first, last] = watches_.equal_range(doorbell);
    for (auto it = first; it != last; ++it) {
        const auto found = operations_.find(it->second);
        if (found == operations_.end() || found->second.told) continue;
        found->second.told = post(it->second, POLLIN, false, {});
    }
}

// ---- turns ----

// The timers of a sleeping loop may only be touched with its knowledge: it must sleep less long.
TimerWheel& SimLoop::timers() noexcept {
    if (!in_turn_) wake_soon();
    return timers_;
}

void SimLoop::add_listener(TurnListener& listener) {
    listeners_.add(listener);
    if (!in_turn_) wake_soon();
}

void SimLoop::remove_listener(TurnListener& listener) { listeners_.remove(listener); }

void SimLoop::request_turn_end(TurnListener& listener) {
    listeners_.request(listener);
    if (!in_turn_) wake_soon();
}

void SimLoop::wake_soon() {
    // Which turn it is decides nothing if one is close enough already.
    if (turn_at_us_ <= world_.now_us() + kWakeUsMax) return;
    wake(world_.now_us() + world_.between(1, kWakeUsMax));
}

void SimLoop::wake(int64_t at_us) {
    if (dead_) return;
    at_us = std::max(at_us, busy_until_us_);
    if (at_us >= turn_at_us_) return;
    turn_at_us_ = at_us;
    world_.at(at_us, [this, at_us] {
        if (turn_at_us_ == at_us) turn();
    });
}

void SimLoop::hang(int64_t for_us) {
    if (in_turn_) return stand_still(for_us);
    if (still_until_us_ < world_.now_us()) still_since_us_ = world_.now_us();
    still_until_us_ = std::max(still_until_us_, world_.now_us() + for_us);
    busy_until_us_ = std::max(busy_until_us_, world_.now_us() + for_us);
    if (turn_at_us_ >= busy_until_us_) return;
    turn_at_us_ = kNeverUs;
    wake(busy_until_us_);
}

void SimLoop::turn() {
    turn_at_us_ = kNeverUs;
    if (dead_ || stopped_) return;
    ++turns_;
    now_us_ = world_.now_us();
    wall_us_ = world_.wall_us();
    world_.note("turn", name_, static_cast<int64_t>(ready_.size()),
                static_cast<int64_t>(operations_.size()));
    in_turn_ = true;
    step();
    if (std::exchange(asleep_, false)) listeners_.after_sleep();
    dispatch();
    step();
    timers_.advance(now_us_);
    step();
    listeners_.run();
    step();
    const int64_t heard_after_us = std::exchange(stands_still_us_, 0);
    if (heard_after_us > 0) {
        still_since_us_ = now_us_;
        still_until_us_ = now_us_ + heard_after_us;
    }
    for (const int doorbell : to_ring_) {
        if (!doomed_) world_.ring(doorbell, heard_after_us);
    }
    to_ring_.clear();
    step();
    const bool busy = listeners_.before_sleep();
    if (busy) listeners_.after_sleep();
    asleep_ = !busy;
    step();
    in_turn_ = false;
    if (doomed_) return world_.on_doomed_turn_over(*this);
    busy_until_us_ = now_us_ + heard_after_us + world_.between(1, kTurnUsMax);
    if (busy || !ready_.empty()) return wake(busy_until_us_);
    const int64_t deadline_us = timers_.next_deadline_us();
    if (deadline_us != kNeverUs) wake(std::max(deadline_us, now_us_ + 1));
}

void SimLoop::dispatch() {
    dispatching_.swap(ready_);
    for (Ready& event : dispatching_) {
        const auto found = operations_.find(event.key);
        if (found == operations_.end()) continue;
        Completion& completion = *found->second.completion;
        found->second.told = false;
        world_.note("callback", name_, event.result, static_cast<int64_t>(event.key));
        step();
        if (event.last) forget(found);
        completion.deliver({event.result, event.last, event.data});
    }
    dispatching_.clear();
}

void SimLoop::forget(std::map<uint64_t, Operation>::iterator operation) {
    std::erase_if(watches_, [&](const auto& watch) { return watch.second == operation->first; });
    operations_.erase(operation);
}

void SimLoop::run() {
    ASSERT(!in_turn_);
    while (!stopped_ && world_.step()) {
    }
}

}  // namespace posthaste::simulation
