// store/store_service_testing.h: a StoreService with cleanup and qmgr at its wires, for its tests.
#pragma once

#include <algorithm>
#include <deque>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/store_service.h"
#include "store/store_testing.h"

#include "simulation/sim_loop.h"
#include "simulation/sim_world.h"

namespace posthaste::store {

inline constexpr uint32_t kStore = 1;
inline constexpr uint32_t kSmtpd = 2;
inline constexpr uint32_t kCleanup = 3;
inline constexpr uint32_t kQmgr = 4;

// The other end of a link to the store.
struct FarEnd {
    explicit FarEnd(uint32_t ring_bytes)
        : near(Segment::create_private(ring_bytes)),
          far(Segment::create_private(ring_bytes)),
          channel(Segment::alias(far), Segment::alias(near)) {}

    template <class Record>
    void say(const Record& record) {
        std::string bytes;
        wire::encode(record, bytes);
        ASSERT_TRUE(channel.send(Record::kType, bytes));
        channel.publish();
    }

    // All that has come, by type. Decoded texts point into `kept`.
    template <class Record>
    std::vector<Record> hear() {
        Channel::Record record;
        while (channel.receive(record)) kept.emplace_back(record.type, std::string(record.body));
        channel.release();
        std::vector<Record> out;
        for (const auto& [type, body] : kept) {
            if (type != Record::kType) continue;
            EXPECT_TRUE(wire::decode(body, out.emplace_back()));
        }
        return out;
    }

    void forget() { kept.clear(); }

    Segment near;
    Segment far;
    Channel channel;
    std::deque<std::pair<uint16_t, std::string>> kept;
};

class StoreServiceTest : public testing::Test {
 protected:
    explicit StoreServiceTest(uint64_t arena_bytes = 64 * kBlockBytes)
        : loop_(world_.make_loop("store")),
          arena_(Arena::create_private(kStore, arena_bytes)),
          smtpd_arena_(Arena::create_private(kSmtpd, 64 * kBlockBytes)),
          cleanup_arena_(Arena::create_private(kCleanup, 64 * kBlockBytes)) {
        start();
    }

    ~StoreServiceTest() override { stop(); }

    void start() {
        service_world_ = std::make_unique<World>(
            World{loop_, on_.log, page_, settings_, &arena_, 0, kStore, "store"});
        StoreService::Parts parts;
        parts.store = on_.open();
        parts.free_bytes = [this] { return std::optional(free_bytes_); };
        parts.on_failed = [this] { ++failures_; };
        service_ = std::make_unique<StoreService>(*service_world_, std::move(parts));
        peers_ = std::make_unique<Peers>(loop_, *service_);
        service_->attach(*peers_);
        peers_->add({Role::smtpd, 0, kSmtpd, std::nullopt, ArenaView::of(smtpd_arena_), -1});
        link(cleanup_, Role::cleanup, kCleanup, ArenaView::of(cleanup_arena_));
        link(qmgr_, Role::qmgr, kQmgr, std::nullopt);
    }

    void stop() {
        peers_.reset();
        service_.reset();
    }

    void link(FarEnd& far, Role role, uint32_t incarnation, std::optional<ArenaView> view) {
        peers_->add({role, 0, incarnation,
                     Channel(Segment::alias(far.near), Segment::alias(far.far)), std::move(view),
                     world_.make_doorbell(loop_)});
    }

    // An agent that maps the store's arena.
    void add_reader(uint32_t incarnation) {
        peers_->add({Role::smtp, static_cast<uint16_t>(incarnation), incarnation, std::nullopt,
                     std::nullopt, world_.make_doorbell(loop_)});
    }

    // Lets the store run, as if its bell had been rung.
    void run(int64_t for_us = 1000) {
        Timer wake{[](void*) {}, nullptr};
        loop_.timers().set(wake, loop_.now_us());
        world_.run_for(TimerWheel::kTickUs + for_us, 100'000);
    }

    MessageId lease() {
        cleanup_.say(wire::LeaseRequest{77});
        run();
        const auto grants = cleanup_.hear<wire::LeaseGrant>();
        EXPECT_FALSE(grants.empty());
        return grants.empty() ? kNoMessage : grants.back().first;
    }

    wire::Extent put(Arena& arena, std::string_view bytes) {
        const auto blocks = static_cast<uint32_t>((bytes.size() + kBlockBytes - 1) / kBlockBytes);
        const auto first = arena.allocate_run(std::max(blocks, 1u));
        EXPECT_TRUE(first.has_value());
        for (uint32_t i = 0; i < blocks; ++i) {
            const auto part = bytes.substr(size_t{i} * kBlockBytes, kBlockBytes);
            std::copy(part.begin(), part.end(), arena.block(*first + i).begin());
        }
        return {arena.incarnation(), *first, 0, static_cast<uint32_t>(bytes.size())};
    }

    // A message whose header lies with cleanup and whose body lies with smtpd.
    void submit(MessageId id, const std::string& header, const std::string& body, uint64_t cookie) {
        const std::string envelope = encoded(envelope_for(id, header + body));
        wire::CommitRequest request;
        request.cookie = cookie;
        request.envelope = envelope;
        const auto head = put(cleanup_arena_, header);
        const auto rest = put(smtpd_arena_, body);
        request.content = {head, rest};
        cleanup_.say(request);
        for (const auto& [arena, extent] :
             {std::pair{&cleanup_arena_, head}, std::pair{&smtpd_arena_, rest}}) {
            for (uint32_t i = 0; i < (extent.length + kBlockBytes - 1) / kBlockBytes; ++i) {
                lent_.emplace_back(arena, extent.first_block + i);
            }
        }
    }

    void take_back() {
        for (const auto& [arena, block] : lent_) {
            std::ranges::fill(arena->block(block), '!');
            arena->free(block);
        }
        lent_.clear();
    }

    wire::CommitOutcome outcome_of(uint64_t cookie) {
        for (const auto& result : cleanup_.hear<wire::CommitResult>()) {
            if (result.cookie == cookie) return result.outcome;
        }
        ADD_FAILURE() << "no answer for " << cookie;
        return wire::CommitOutcome::refused;
    }

    bool answered(uint64_t cookie) {
        const auto results = cleanup_.hear<wire::CommitResult>();
        return std::any_of(results.begin(), results.end(),
                           [&](const auto& r) { return r.cookie == cookie; });
    }

    std::string content_of(const wire::QueuedMessage& message) {
        std::string out;
        const auto view = ArenaView::of(arena_);
        for (const auto& extent : message.content) {
            EXPECT_EQ(extent.incarnation, kStore);
            out += view.bytes(extent.first_block, extent.offset, extent.length).value_or("");
        }
        return out;
    }

    simulation::SimWorld world_{42};
    simulation::SimLoop& loop_;
    OnSimDisk on_;
    CounterPage page_;
    Settings settings_ = Settings::initial();
    Arena arena_;
    Arena smtpd_arena_;
    Arena cleanup_arena_;
    uint64_t free_bytes_ = uint64_t{1} << 40;
    int failures_ = 0;
    FarEnd cleanup_{1 << 20};
    FarEnd qmgr_{1 << 20};
    std::unique_ptr<World> service_world_;
    std::unique_ptr<StoreService> service_;
    std::unique_ptr<Peers> peers_;
    std::vector<std::pair<Arena*, uint32_t>> lent_;
};

}  // namespace posthaste::store
