// qmgr as a process, with its peers played by hand over real channels.
#include "scheduler/qmgr_service.h"

#include <deque>
#include <gtest/gtest.h>
#include <optional>

#include "base/codec.h"

#include "mail/address.h"
#include "mail/wire/delivery_job.h"

#include "scheduler/qmgr_config.h"

namespace posthaste {
namespace {

constexpr uint32_t kRing = 256 * 1024;

class HandLoop final : public Loop {
 public:
    int64_t now_us() const noexcept override { return now_us_; }

    int64_t wall_us() const noexcept override { return 1'700'000'000 * kSecondUs + now_us_; }

    uint64_t random() noexcept override { return ++random_; }

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

TEST_F(QmgrServiceTest, TakesAMessageFromAnnouncementToRemoval) {
    all_up();
    announce(store_, 5'000'000);
    resolve();
    const auto lane = agent_.hear<wire::LaneOpen>();
    ASSERT_TRUE(lane);
    EXPECT_EQ(lane->transport, "smtp");
    EXPECT_EQ(lane->nexthop, "y.example");
    ASSERT_EQ(lane->hosts.size(), 1U);
    EXPECT_EQ(lane->hosts[0].name, "mx.y.example");
    const auto job = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(job);
    EXPECT_EQ(job->lane, lane->lane);
    EXPECT_EQ(job->sender, "a@x.example");
    ASSERT_EQ(job->recipients.size(), 1U);
    EXPECT_EQ(job->recipients[0].address, "b@y.example");
    ASSERT_EQ(job->content.size(), 1U);
    EXPECT_EQ(job->content[0].first_block, 3U);

    report(*job, 1);
    const auto outcome = store_.hear<wire::RecordOutcome>();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->remove);
    EXPECT_FALSE(outcome->had_state);
    ASSERT_TRUE(store_.hear<wire::ReleaseContent>());
    EXPECT_FALSE(agent_.hear<wire::ReportTaken>()) << "not before it is on disk";
    store_.say(wire::OutcomeRecorded{outcome->sequence});
    loop_.turn();
    const auto taken = agent_.hear<wire::ReportTaken>();
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->sequence, 1U);
    EXPECT_EQ(log_.lines_.back(), queue_id_text(5'000'000) + ": removed");
}

TEST_F(QmgrServiceTest, StartsNothingBeforeAgentsHaveSaidWhatTheyHold) {
    introduce(store_);
    introduce(rewrite_);
    introduce(agent_);
    store_scans({{5'000'000, 0, QueueName::active}});
    loop_.pass(500 * kMsUs);
    EXPECT_FALSE(store_.hear<wire::LoadMessage>());
    wire::JobsHeld held;
    held.jobs.push_back({5'000'000, 77, {0}});
    agent_.say(held);
    loop_.turn();
    const auto kept = store_.hear<wire::HeldContent>();
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->agent, agent_.incarnation());
    EXPECT_EQ(kept->ids, std::vector<MessageId>{5'000'000});
    EXPECT_TRUE(kept->last);
    loop_.pass(20 * kMsUs);
    ASSERT_TRUE(store_.hear<wire::LoadMessage>());
    announce(store_, 5'000'000);
    EXPECT_FALSE(agent_.hear<wire::DeliveryJob>()) << "it is being delivered";
    loop_.turn();

    wire::DeliveryReport out;
    out.sequence = 900;
    out.job = 77;
    out.id = 5'000'000;
    out.results.push_back({0, Outcome::sent, "2.0.0", "250 Ok"});
    agent_.say(out);
    loop_.turn();
    const auto outcome = store_.hear<wire::RecordOutcome>();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->remove);
}

TEST_F(QmgrServiceTest, OpensWithoutAnAgentThatKeepsSilent) {
    introduce(store_);
    introduce(agent_);
    store_scans({{5'000'000, 0, QueueName::active}});
    loop_.pass(QmgrService::kAgentsPatienceUs + 50 * kMsUs);
    EXPECT_TRUE(store_.hear<wire::LoadMessage>());
}

// It is stopped, perhaps, and what it holds would be delivered by another as well.
TEST_F(QmgrServiceTest, WaitsForAnAgentThatItHasNotMetYet) {
    introduce(store_);
    introduce(rewrite_);
    introduce(agent_);
    agent_.say(wire::JobsHeld{});
    Far stopped(Role::smtp, 31);
    peers_.expect(Role::smtp, stopped.incarnation());
    store_scans({{5'000'000, 0, QueueName::active}});
    loop_.pass(QmgrService::kAgentsWaitUs + 400 * kMsUs);
    EXPECT_FALSE(store_.hear<wire::LoadMessage>());
    introduce(stopped);
    say_held(stopped, {{5'000'000, 77, {0}}});
    loop_.pass(20 * kMsUs);
    ASSERT_TRUE(store_.hear<wire::LoadMessage>());
    announce(store_, 5'000'000);
    EXPECT_FALSE(agent_.hear<wire::DeliveryJob>()) << "it is being delivered";
}

TEST_F(QmgrServiceTest, WaitsNoLongerForAnAgentThatNeverComes) {
    introduce(store_);
    introduce(agent_);
    agent_.say(wire::JobsHeld{});
    peers_.expect(Role::smtp, 31);
    store_scans({{5'000'000, 0, QueueName::active}});
    loop_.pass(QmgrService::kAgentsPatienceUs + 50 * kMsUs);
    EXPECT_TRUE(store_.hear<wire::LoadMessage>());
}

TEST_F(QmgrServiceTest, TheEndOfAStoreThatHasASuccessorChangesNothing) {
    all_up();
    Far next(Role::store, 11);
    introduce(next);
    peers_.remove(store_.incarnation());
    loop_.turn();
    ASSERT_TRUE(next.hear<wire::ScanRequest>());
    next.say(wire::ScanPage{{{5'000'000, 0, QueueName::active}}, true});
    loop_.turn();
    loop_.pass(20 * kMsUs);
    EXPECT_TRUE(next.hear<wire::LoadMessage>());
}

TEST_F(QmgrServiceTest, ReplaysWhatAStoreDidNotConfirmToTheNext) {
    all_up();
    announce(store_, 5'000'000);
    resolve();
    const auto job = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(job);
    report(*job, 1);
    ASSERT_TRUE(store_.hear<wire::RecordOutcome>());
    peers_.remove(store_.incarnation());
    Far next(Role::store, 11);
    introduce(next);
    loop_.turn();
    const auto replayed = next.hear<wire::RecordOutcome>();
    ASSERT_TRUE(replayed);
    EXPECT_EQ(replayed->id, 5'000'000U);
    ASSERT_TRUE(next.hear<wire::ScanRequest>());
    // It lists the message still: it is not delivered again.
    next.say(wire::ScanPage{{{5'000'000, 0, QueueName::active}}, true});
    loop_.turn();
    next.say(wire::OutcomeRecorded{replayed->sequence});
    loop_.turn();
    EXPECT_FALSE(next.hear<wire::LoadMessage>());
    EXPECT_EQ(service_->scheduler().messages(), 0U);
    EXPECT_TRUE(agent_.hear<wire::ReportTaken>());
}

TEST_F(QmgrServiceTest, ReadsTheIndexPageByPageAndAgainFromAGap) {
    introduce(store_);
    loop_.turn();
    auto request = store_.hear<wire::ScanRequest>();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->after, kNoMessage);
    store_.say(wire::ScanPage{{{10, 0, QueueName::active}, {20, 0, QueueName::hold}}, false});
    loop_.turn();
    request = store_.hear<wire::ScanRequest>();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->after, 20U);
    store_.say(wire::AnnounceGap{15});
    store_.say(wire::ScanPage{{{30, 0, QueueName::active}}, true});
    loop_.turn();
    request = store_.hear<wire::ScanRequest>();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->after, 14U);
    EXPECT_EQ(service_->scheduler().messages(), 2U) << "what is on hold is not ours";
}

TEST_F(QmgrServiceTest, DropsAPeerThatTalksNonsenseAndLivesOn) {
    all_up();
    agent_.say(wire::ScanRequest{});  // no agent says that
    loop_.turn();
    loop_.turn();
    EXPECT_FALSE(is_heard(agent_));
    EXPECT_TRUE(is_heard(store_));
}

TEST(QmgrConfig, LaneDepthIsWhatItSays) {
    const ParameterRow* const row = find_parameter("lane_depth");
    ASSERT_NE(row, nullptr);
    EXPECT_EQ(row->max, wire::kLaneDepth);
    EXPECT_EQ(row->applies, Applies::restart);
    EXPECT_EQ(scheduler_config(Settings::initial()).lane_depth, wire::kLaneDepth);
}

TEST_F(QmgrServiceTest, TakesOneListOfFormerJobsFromAnAgent) {
    introduce(store_);
    introduce(agent_);
    say_held(agent_, {{5'000'000, 77, {0}}}, false);
    say_held(agent_, {{5'000'001, 78, {0}}});
    EXPECT_TRUE(is_heard(agent_));
    say_held(agent_, {{5'000'002, 79, {0}}});
    EXPECT_FALSE(is_heard(agent_));
}

TEST_F(QmgrServiceTest, BoundsTheListOfFormerJobs) {
    introduce(store_);
    introduce(agent_);
    const std::vector<wire::HeldJob> jobs{{5'000'000, 77, std::vector<uint32_t>(kRecipientsMax)}};
    for (size_t n = 0; n < AgentSide::kFormerMax / (kRecipientsMax + 1); ++n)
        say_held(agent_, jobs, false);
    EXPECT_TRUE(is_heard(agent_));
    say_held(agent_, jobs, false);
    EXPECT_FALSE(is_heard(agent_));
}

TEST_F(QmgrServiceTest, TakesTheReportOfAFormerJobOnceAndOfNoOther) {
    introduce(store_);
    introduce(rewrite_);
    introduce(agent_);
    store_scans({{5'000'000, 0, QueueName::active}, {5'000'001, 0, QueueName::active}});
    say_held(agent_, {{5'000'000, 77, {0}}});
    loop_.pass(QmgrService::kAgentsWaitUs + 20 * kMsUs);
    announce(store_, 5'000'000);
    announce(store_, 5'000'001);
    report_former(agent_, 1, 77, 5'000'000);
    const auto outcome = store_.hear<wire::RecordOutcome>();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->id, 5'000'000U);
    EXPECT_TRUE(is_heard(agent_));
    report_former(agent_, 2, 77, 5'000'001);
    loop_.turn();
    EXPECT_FALSE(store_.hear<wire::RecordOutcome>()) << "nobody gave it that";
    EXPECT_FALSE(is_heard(agent_));
}

TEST_F(QmgrServiceTest, BelievesNothingOfFormerJobsOfAnAgentThatHadNone) {
    Far young(Role::smtp, 130);
    Far cut_off(Role::smtp, 31);
    introduce(cut_off);
    loop_.turn();
    peers_.remove(cut_off.incarnation());
    Far again(Role::smtp, 31);
    all_up();
    for (Far* const agent : {&young, &again}) {
        introduce(*agent);
        say_held(*agent, {{5'000'000, 77, {0}}});
    }
    announce(store_, 5'000'000);
    for (Far* const agent : {&young, &again}) {
        report_former(*agent, 1, 77, 5'000'000);
        loop_.turn();
        EXPECT_TRUE(is_heard(*agent)) << "a link that was cut and made again is no lie";
        EXPECT_TRUE(agent->hear<wire::ReportTaken>());
    }
    EXPECT_FALSE(store_.hear<wire::RecordOutcome>());
    resolve();
    size_t jobs = 0;
    for (Far* const agent : {&agent_, &young, &again})
        jobs += agent->hear<wire::DeliveryJob>().has_value();
    EXPECT_EQ(jobs, 1U);
}

// The store would keep the bytes for a report that has come, or give them away before it has.
TEST_F(QmgrServiceTest, ReleasesNothingBeforeTheStoreHasHeardWhatIsHeld) {
    constexpr MessageId kMine = 5'000'000;
    introduce(store_);
    introduce(rewrite_);
    introduce(agent_);
    store_scans({});
    // More than the store's ring takes at once.
    constexpr size_t kParts = 50;
    std::vector<wire::HeldJob> jobs(1000);
    for (size_t part = 0; part < kParts; ++part) {
        for (size_t i = 0; i < jobs.size(); ++i) jobs[i] = {6'000'000 + part * 1000 + i, 7, {0}};
        say_held(agent_, jobs, part + 1 == kParts);
    }
    loop_.pass(QmgrService::kAgentsWaitUs + 20 * kMsUs);
    announce(store_, kMine);
    resolve();
    const auto job = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(job);
    report(*job, 1);
    size_t held = 0;
    for (bool last = false; !last; loop_.turn()) {
        const auto list = store_.hear<wire::HeldContent>();
        ASSERT_TRUE(list) << "after " << held;
        held += list->ids.size();
        last = list->last;
    }
    EXPECT_EQ(held, kParts * jobs.size());
    const auto release = store_.hear<wire::ReleaseContent>();
    ASSERT_TRUE(release);
    EXPECT_EQ(release->id, kMine);
}

TEST_F(QmgrServiceTest, DrainsOnceJobsAreReportedAndRecorded) {
    all_up();
    announce(store_, 5'000'000);
    resolve();
    const auto job = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(job);
    service_->on_drain();
    EXPECT_FALSE(service_->is_idle());
    report(*job, 1);
    EXPECT_FALSE(service_->is_idle());
    store_.say(wire::OutcomeRecorded{1});
    loop_.turn();
    EXPECT_TRUE(service_->is_idle());
}

TEST_F(QmgrServiceTest, BelievesTheRewriteThatCameLast) {
    all_up();
    announce(store_, 5'000'000);
    const auto asked = rewrite_.hear<wire::ResolveRequest>();
    ASSERT_TRUE(asked);
    Far next(Role::rewrite, 21);
    introduce(next);
    loop_.turn();
    const auto again = next.hear<wire::ResolveRequest>();
    ASSERT_TRUE(again) << "what the earlier one was asked";
    wire::ResolveReply reply;
    reply.cookie = asked->cookie;
    reply.outcome = wire::ResolveOutcome::ok;
    reply.ttl_s = 60;
    reply.transport = "smtp";
    reply.hosts.resize(1);
    reply.hosts[0].name = reply.nexthop = reply.site = "old.example";
    rewrite_.say(reply);
    loop_.turn();
    EXPECT_FALSE(agent_.hear<wire::LaneOpen>());
    reply.hosts[0].name = reply.nexthop = reply.site = "new.example";
    next.say(reply);
    loop_.turn();
    const auto lane = agent_.hear<wire::LaneOpen>();
    ASSERT_TRUE(lane);
    EXPECT_EQ(lane->nexthop, "new.example");
}

// One of two jobs is over, the other comes back: nothing is under way, but the message stays.
TEST_F(QmgrServiceTest, DrainsOnlyWithThePartResultsOfAMessageOnDisk) {
    all_up();
    announce(store_, 5'000'000, {"b@y.example", "c@z.example"});
    resolve("b@y.example");
    resolve("c@z.example");
    const auto first = agent_.hear<wire::DeliveryJob>();
    const auto second = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(first && second);
    report(*first, 1);
    EXPECT_FALSE(store_.hear<wire::RecordOutcome>()) << "the rest may follow soon";
    service_->on_drain();
    loop_.turn();
    const auto recorded = store_.hear<wire::RecordOutcome>();
    ASSERT_TRUE(recorded) << "now it may not";
    wire::DeliveryReport back;
    back.sequence = 2;
    back.lane = second->lane;
    back.job = second->job;
    back.id = second->id;
    back.attempted = false;
    agent_.say(back);
    loop_.turn();
    EXPECT_FALSE(service_->is_idle());
    store_.say(wire::OutcomeRecorded{recorded->sequence});
    loop_.turn();
    EXPECT_TRUE(service_->is_idle());
}

TEST_F(QmgrServiceTest, RecordsAtOnceWhatIsReportedWhileItDrains) {
    all_up();
    announce(store_, 5'000'000, {"b@y.example", "c@z.example"});
    resolve("b@y.example");
    resolve("c@z.example");
    const auto first = agent_.hear<wire::DeliveryJob>();
    const auto second = agent_.hear<wire::DeliveryJob>();
    ASSERT_TRUE(first && second);
    service_->on_drain();
    report(*first, 1);
    const auto recorded = store_.hear<wire::RecordOutcome>();
    ASSERT_TRUE(recorded);
    EXPECT_FALSE(recorded->remove);
    EXPECT_EQ(decode_queue_state(recorded->state)->groups.at(0).recipients.size(), 1U);
}

}  // namespace
}  // namespace posthaste
