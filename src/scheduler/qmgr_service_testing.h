// scheduler/qmgr_service_testing.h: a QmgrService whose peers a test plays by hand over real
// channels, for its tests.
#pragma once

#include <deque>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/codec.h"

#include "mail/address.h"
#include "mail/wire/delivery_job.h"

#include "scheduler/hash.h"
#include "scheduler/qmgr_service.h"

namespace posthaste {

inline constexpr uint32_t kRing = 256 * 1024;

class HandLoop final : public Loop {
 public:
    int64_t now_us() const noexcept override { return now_us_; }

    int64_t wall_us() const noexcept override { return 1'700'000'000 * kSecondUs + now_us_; }

    uint64_t random() noexcept override { return hash_of(uint64_t{++random_}); }

    TimerWheel& timers() noexcept override { return timers_; }

    void accept(Completion&, Socket) override { ASSERT(false); }

    void connect(Completion&, const Endpoint&, const IpAddress*) override { ASSERT(false); }

    void receive(Completion&, Socket) override { ASSERT(false); }

    void send(Completion&, Socket, std::span<const iovec>) override { ASSERT(false); }

    void watch(Completion&, int) override { ASSERT(false); }

    void write_file(Completion&, int, std::span<const iovec>, uint64_t, FileSync) override {
        ASSERT(false);
    }

    void cancel(Completion&) override { ASSERT(false); }

    void close(Socket) override { ASSERT(false); }

    void shutdown_send(Socket) override { ASSERT(false); }

    Endpoint peer_of(Socket) override { return {}; }

    bool has_input(Socket) override { return false; }

    Endpoint local_of(Socket) override { return {}; }

    void ring_doorbell(int) override {}

    void add_listener(TurnListener& listener) override { permanent_.push_back(&listener); }

    void remove_listener(TurnListener& listener) override {
        std::erase(permanent_, &listener);
        std::erase(requested_, &listener);
    }

    void request_turn_end(TurnListener& listener) override {
        if (std::find(requested_.begin(), requested_.end(), &listener) == requested_.end())
            requested_.push_back(&listener);
    }

    void run() override { ASSERT(false); }

    void stop() noexcept override {}

    void turn() {
        timers_.advance(now_us_);
        for (int round = 0; round < 3; ++round) {
            for (TurnListener* listener : std::exchange(requested_, {})) listener->on_turn_end();
            for (TurnListener* listener : permanent_) listener->on_turn_end();
        }
    }

    void pass(int64_t us) {
        for (const int64_t end_us = now_us_ + us; now_us_ < end_us;) {
            now_us_ = std::min(end_us, now_us_ + 10 * kMsUs);
            turn();
        }
    }

 private:
    int64_t now_us_ = 0;
    uint64_t random_ = 0;
    TimerWheel timers_{0};
    std::vector<TurnListener*> permanent_;
    std::vector<TurnListener*> requested_;
};

class LinesLog final : public Log {
 public:
    void line(wire::Severity severity, std::string_view text) override {
        lines_.push_back((severity == wire::Severity::info ? "" : "warning: ") + std::string(text));
    }

    std::vector<std::string> lines_;
};

// A peer of qmgr, by hand.
class Far {
 public:
    Far(Role role, uint32_t incarnation)
        : role_(role),
          incarnation_(incarnation),
          near_(Segment::create_private(kRing)),
          far_(Segment::create_private(kRing)),
          channel_(Segment::alias(far_), Segment::alias(near_)) {}

    PeerParts parts() {
        return {role_,        static_cast<uint16_t>(incarnation_ % 10),
                incarnation_, Channel(Segment::alias(near_), Segment::alias(far_)),
                std::nullopt, 0};
    }

    template <class Record>
    void say(const Record& record) {
        wire::encode(record, scratch_);
        ASSERT(channel_.send(Record::kType, scratch_));
        channel_.publish();
    }

    // The next record of this type, others before it are dropped.
    template <class Record>
    std::optional<Record> hear() {
        pump();
        while (!heard_.empty()) {
            auto [type, body] = heard_.front();
            heard_.pop_front();
            bodies_.push_back(body);
            Record record;
            if (type == Record::kType && wire::decode(bodies_.back(), record)) return record;
        }
        return std::nullopt;
    }

    uint32_t incarnation() const { return incarnation_; }

 private:
    void pump() {
        Channel::Record record;
        while (channel_.receive(record)) heard_.emplace_back(record.type, std::string(record.body));
        channel_.release();
    }

    Role role_;
    uint32_t incarnation_;
    Segment near_;
    Segment far_;
    Channel channel_;
    std::string scratch_;
    std::deque<std::pair<uint16_t, std::string>> heard_;
    std::deque<std::string> bodies_;  // what heard records are views of
};

class QmgrServiceTest : public testing::Test {
 protected:
    QmgrServiceTest() { service_->attach(peers_); }

    void introduce(Far& far) { peers_.add(far.parts()); }

    static std::string envelope(MessageId id,
                                const std::vector<std::string>& recipients = {"b@y.example"}) {
        Envelope out;
        out.id = id;
        out.arrived_wall_us = 1'700'000'000 * kSecondUs;
        out.size_bytes = 100;
        out.sender = "a@x.example";
        for (const std::string& recipient : recipients)
            out.recipients.push_back({recipient, {}, kNotifyUnset});
        std::string bytes;
        encode_envelope(out, bytes);
        return bytes;
    }

    void announce(Far& store, MessageId id,
                  const std::vector<std::string>& recipients = {"b@y.example"}) {
        const std::string bytes = envelope(id, recipients);
        store.say(wire::QueuedMessage{bytes, {}, {{store.incarnation(), 3, 0, 100}}});
        loop_.turn();
    }

    // Rewrite's answer to the next question.
    void resolve(std::string_view recipient = "b@y.example") {
        const auto request = rewrite_.hear<wire::ResolveRequest>();
        ASSERT_TRUE(request);
        EXPECT_EQ(request->recipient, recipient);
        const auto domain = domain_of(recipient);
        wire::ResolveReply reply;
        reply.cookie = request->cookie;
        reply.outcome = wire::ResolveOutcome::ok;
        reply.ttl_s = 60;
        reply.transport = "smtp";
        const std::string host = "mx." + std::string(domain);
        reply.nexthop = reply.site = domain;
        reply.hosts.resize(1);
        reply.hosts[0].name = host;
        rewrite_.say(reply);
        loop_.turn();
    }

    void all_up() {
        introduce(store_);
        introduce(rewrite_);
        introduce(agent_);
        agent_.say(wire::JobsHeld{});
        store_scans({});
        loop_.pass(QmgrService::kAgentsWaitUs + 20 * kMsUs);
    }

    void store_scans(std::vector<wire::ScanEntry> entries) {
        loop_.turn();
        ASSERT_TRUE(store_.hear<wire::ScanRequest>());
        store_.say(wire::ScanPage{std::move(entries), true});
        loop_.turn();
    }

    void report(const wire::DeliveryJob& job, uint64_t sequence) {
        report(agent_, sequence, job.lane, job.job, job.id, job.recipients[0].number);
    }

    // Of a job for the qmgr before.
    void report_former(Far& agent, uint64_t sequence, uint64_t job, MessageId id) {
        report(agent, sequence, 0, job, id, 0);
    }

    void report(Far& agent, uint64_t sequence, uint32_t lane, uint64_t job, MessageId id,
                uint32_t recipient) {
        wire::DeliveryReport out;
        out.sequence = sequence;
        out.lane = lane;
        out.job = job;
        out.id = id;
        out.results.push_back({recipient, Outcome::sent, "2.0.0", "250 Ok"});
        agent.say(out);
        loop_.turn();
    }

    void say_held(Far& agent, std::vector<wire::HeldJob> jobs, bool last = true) {
        agent.say(wire::JobsHeld{std::move(jobs), last});
        loop_.turn();
        loop_.turn();  // whom it condemned is gone
    }

    bool is_heard(const Far& far) { return peers_.find(far.incarnation())->is_heard(); }

    HandLoop loop_;
    LinesLog log_;
    CounterPage page_;
    Settings settings_ = Settings::initial();
    World world_{loop_, log_, page_, settings_, nullptr, 0, 100, "qmgr"};
    Far store_{Role::store, 10};
    Far rewrite_{Role::rewrite, 20};
    Far agent_{Role::smtp, 30};
    std::unique_ptr<QmgrService> service_ = std::make_unique<QmgrService>(world_);
    Peers peers_{loop_, *service_};
};

}  // namespace posthaste
