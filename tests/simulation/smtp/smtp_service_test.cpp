// The delivery agent as a service: lanes, hosts, reports, and what remains when qmgr or the store
// dies.
#include "egress/smtp/smtp_service.h"

#include <algorithm>
#include <cerrno>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "base/codec.h"

#include "mail/wire/delivery_report.h"

#include "simulation/sim_loop.h"
#include "simulation/sim_world.h"
#include "tests/support/sink_session.h"

namespace posthaste::simulation {
namespace {

constexpr uint64_t kSteps = 1'000'000;
constexpr uint32_t kStoreIncarnation = 77;

// A server at an address; its manners are the sink's options.
class Server {
 public:
    Server(SimWorld& world, const IpAddress& address)
        : loop_(world.make_loop("server " + address.text())),
          accepted_(runner_of<&Server::on_accept, Server>(), this),
          listener_(world.network().listen({address, 25})),
          world_(world) {
        options.on_message = [this](std::string_view tag, uint32_t, uint64_t) {
            tags.emplace_back(tag);
        };
        loop_.accept(accepted_, listener_);
    }

    ~Server() { world_.kill(loop_); }

    support::SinkOptions options;
    support::SinkCounts counts;
    std::vector<std::string> tags;

 private:
    void on_accept(const Event& event) {
        if (event.result >= 0) {
            sessions_.push_back(std::make_unique<support::SinkSession>(
                loop_, Socket{event.result}, options, counts, [](support::SinkSession&) {}));
        }
        if (event.last) loop_.accept(accepted_, listener_);
    }

    SimLoop& loop_;
    Completion accepted_;
    Socket listener_;
    SimWorld& world_;
    std::vector<std::unique_ptr<support::SinkSession>> sessions_;
};

// qmgr's end of the wire: sends what the test says, remembers what it hears.
class Qmgr final : private PeerListener {
 public:
    explicit Qmgr(SimWorld& world) : loop(world.make_loop("qmgr")), peers(loop, *this) {}

    struct Report {
        uint32_t lane;
        uint64_t job;
        uint64_t sequence;
        bool attempted;
        bool hop_failed;
        std::vector<Outcome> outcomes;
        std::string text;
    };

    SimLoop& loop;
    Peers peers;
    Peer* agent = nullptr;
    std::vector<Report> reports;
    std::vector<uint32_t> closed;
    bool closed_hop_failed = false;
    bool closed_crowded = false;
    bool closed_because_agent_stops = false;
    std::vector<uint64_t> held;
    bool said_what_is_held = false;

    Completion rung{runner_of<&Qmgr::on_rung, Qmgr>(), this};

 private:
    void on_rung(const Event&) {}

    void on_peer_up(Peer& peer) override { agent = &peer; }

    void on_peer_down(Peer&) override { agent = nullptr; }

    void on_record(Peer&, uint16_t type, std::string_view body) override {
        if (type == wire::DeliveryReport::kType) {
            wire::DeliveryReport report;
            ASSERT_TRUE(wire::decode(body, report));
            Report heard{
                report.lane, report.job, report.sequence, report.attempted, report.hop_failed,
                {},          {}};
            for (const auto& result : report.results) {
                heard.outcomes.push_back(result.outcome);
                heard.text = result.text;
            }
            reports.push_back(std::move(heard));
        } else if (type == wire::LaneClosed::kType) {
            wire::LaneClosed lane;
            ASSERT_TRUE(wire::decode(body, lane));
            closed.push_back(lane.lane);
            closed_hop_failed = lane.hop_failed;
            closed_crowded = lane.crowded;
            closed_because_agent_stops = lane.agent_stops;
        } else if (type == wire::JobsHeld::kType) {
            wire::JobsHeld jobs;
            ASSERT_TRUE(wire::decode(body, jobs));
            for (const auto& job : jobs.jobs) held.push_back(job.job);
            said_what_is_held = jobs.last;
        } else {
            ADD_FAILURE() << "record " << type;
        }
    }
};

class SilentLog final : public Log {
 public:
    void line(wire::Severity, std::string_view text) override { lines.emplace_back(text); }

    size_t count(std::string_view part) const {
        return static_cast<size_t>(std::count_if(
            lines.begin(), lines.end(),
            [&](const std::string& line) { return line.find(part) != std::string::npos; }));
    }

    bool has(std::string_view part) const { return count(part) > 0; }

    std::vector<std::string> lines;
};

class SmtpServiceTest : public ::testing::Test {
 protected:
    SmtpServiceTest()
        : agent_loop_(world_.make_loop("smtp")),
          store_arena_(Arena::create_private(kStoreIncarnation, 1 << 20)),
          agent_(world_of_agent_),
          peers_(agent_loop_, agent_) {
        agent_.attach(peers_);
        PeerParts store{
            Role::store, 0, kStoreIncarnation, std::nullopt, ArenaView::of(store_arena_), -1};
        peers_.add(std::move(store));
        new_qmgr();
    }

    ~SmtpServiceTest() override {
        world_.kill(agent_loop_);
        for (auto& qmgr : qmgrs_) world_.kill(qmgr->loop);
    }

    // Introduces a qmgr; the one before it is dead.
    void new_qmgr() {
        const uint32_t incarnation = 100 + static_cast<uint32_t>(qmgrs_.size());
        if (!qmgrs_.empty()) {
            world_.kill(qmgrs_.back()->loop);
            peers_.remove(incarnation - 1);
        }
        qmgrs_.push_back(std::make_unique<Qmgr>(world_));
        Qmgr& qmgr = *qmgrs_.back();
        Segment of_agent = Segment::create_private(1 << 18);
        Segment of_qmgr = Segment::create_private(1 << 18);
        Segment seen_by_qmgr = Segment::alias(of_agent);
        Segment seen_by_agent = Segment::alias(of_qmgr);
        const int agent_bell = world_.make_doorbell(agent_loop_);
        const int qmgr_bell = world_.make_doorbell(qmgr.loop);
        bells_.push_back(std::make_unique<Completion>([](void*, const Event&) {}, nullptr));
        agent_loop_.watch(*bells_.back(), agent_bell);
        qmgr.loop.watch(qmgr.rung, qmgr_bell);
        qmgr.peers.add({Role::smtp, 0, 1, Channel(std::move(of_qmgr), std::move(seen_by_qmgr)),
                        std::nullopt, agent_bell});
        peers_.add({Role::qmgr, 0, incarnation,
                    Channel(std::move(of_agent), std::move(seen_by_agent)), std::nullopt,
                    qmgr_bell});
        world_.ring(qmgr_bell);
        world_.ring(agent_bell);
        run();
    }

    Qmgr& qmgr() { return *qmgrs_.back(); }

    void run(int64_t us = 5 * kSecondUs) { world_.run_for(us, kSteps); }

    // From inside the qmgr's own turn, as the real one sends.
    template <class Record>
    void send(const Record& record) {
        wire::encode(record, bytes_);
        world_.after(1, [this, type = Record::kType, bytes = bytes_] {
            ASSERT_TRUE(qmgr().agent->send_bytes(type, bytes));
            world_.ring(world_.make_doorbell(qmgr().loop));  // a turn, to publish it
        });
        wake_qmgr();
    }

    void wake_qmgr() {
        world_.after(2, [this] { qmgr().peers.before_sleep(); });
        world_.run_for(10, kSteps);
    }

    void open_lane(uint32_t lane, const std::vector<IpAddress>& hosts,
                   std::string_view nexthop = "dest.test") {
        wire::LaneOpen open;
        open.lane = lane;
        open.transport = "smtp";
        open.nexthop = nexthop;
        for (const IpAddress& host : hosts) {
            wire::Host row;
            row.name = "mx.dest.test";
            row.address = host.bytes;
            open.hosts.push_back(row);
        }
        send(open);
    }

    void job(uint32_t lane, uint64_t number, uint32_t recipients = 1) {
        const std::string text = "X-Test-Tag: j" + std::to_string(number) + "\r\n\r\nbody\r\n";
        const uint32_t block = *store_arena_.allocate();
        std::copy(text.begin(), text.end(), store_arena_.block(block).begin());
        wire::DeliveryJob out;
        out.lane = lane;
        out.job = number;
        out.id = 1'700'000'000'000'000 + number;
        out.sender = "s@source.test";
        out.size_bytes = text.size();
        addresses_.clear();
        for (uint32_t i = 0; i < recipients; ++i)
            addresses_.push_back("u" + std::to_string(i) + "@dest.test");
        for (uint32_t i = 0; i < recipients; ++i)
            out.recipients.push_back({i, addresses_[i], {}, 0});
        out.content.push_back({kStoreIncarnation, block, 0, static_cast<uint32_t>(text.size())});
        send(out);
    }

    SimWorld world_{1};
    SilentLog log_;
    CounterPage page_;
    Settings settings_ = Settings::initial("myhostname = relay.test\n");
    SimLoop& agent_loop_;
    World world_of_agent_{agent_loop_, log_, page_, settings_, nullptr, 0, 1, "smtp"};
    Arena store_arena_;
    smtp::SmtpService agent_;
    Peers peers_;
    std::vector<std::unique_ptr<Qmgr>> qmgrs_;
    std::vector<std::unique_ptr<Completion>> bells_;
    std::string bytes_;
    std::vector<std::string> addresses_;
    const IpAddress first_ = IpAddress::v4(10, 0, 9, 1);
    const IpAddress second_ = IpAddress::v4(10, 0, 9, 2);
};

TEST_F(SmtpServiceTest, DeliversJobAfterJobOverOneConnection) {
    Server server(world_, first_);
    open_lane(1, {first_});
    job(1, 1);
    job(1, 2);
    run();
    job(1, 3);
    run();
    EXPECT_EQ(server.tags, (std::vector<std::string>{"j1", "j2", "j3"}));
    EXPECT_EQ(server.counts.connections, 1U);
    ASSERT_EQ(qmgr().reports.size(), 3U);
    EXPECT_EQ(qmgr().reports[2].outcomes, std::vector<Outcome>{Outcome::sent});
    EXPECT_TRUE(log_.has("to=<u0@dest.test>, relay=mx.dest.test[10.0.9.1]:25, delay="));
    EXPECT_TRUE(log_.has("conn_use=3"));
}

TEST_F(SmtpServiceTest, GoesToTheNextHostWhenTheFirstRefusesTheConnection) {
    Server server(world_, second_);
    open_lane(1, {first_, second_});
    job(1, 1);
    run();
    EXPECT_EQ(server.tags, std::vector<std::string>{"j1"});
    EXPECT_TRUE(log_.has("connect to mx.dest.test[10.0.9.1]:25: Connection refused"));
}

TEST_F(SmtpServiceTest, ALaneThatFindsNoHostBlamesItsFirstJobAndReturnsTheOthers) {
    open_lane(1, {first_, second_});
    job(1, 1);
    job(1, 2);
    run();
    ASSERT_EQ(qmgr().reports.size(), 2U);
    EXPECT_TRUE(qmgr().reports[0].attempted);
    EXPECT_TRUE(qmgr().reports[0].hop_failed);
    EXPECT_EQ(qmgr().reports[0].outcomes, std::vector<Outcome>{Outcome::deferred});
    EXPECT_FALSE(qmgr().reports[1].attempted);
    EXPECT_EQ(qmgr().closed, std::vector<uint32_t>{1});
    EXPECT_TRUE(qmgr().closed_hop_failed);
    EXPECT_TRUE(log_.has("relay=none"));
}

TEST_F(SmtpServiceTest, ARefusedConnectionIsOneTooManyWhileAnotherLaneToTheSiteWorks) {
    auto server = std::make_unique<Server>(world_, first_);
    open_lane(1, {first_});
    job(1, 1);
    run();
    world_.network().set_connect_failure(first_, ECONNREFUSED);
    open_lane(2, {first_});
    job(2, 2);
    run();
    ASSERT_EQ(qmgr().reports.size(), 2U);
    EXPECT_FALSE(qmgr().reports[1].attempted);
    EXPECT_EQ(qmgr().closed, std::vector<uint32_t>{2});
    EXPECT_TRUE(qmgr().closed_crowded);
    EXPECT_FALSE(qmgr().closed_hop_failed);
    EXPECT_FALSE(log_.has("relay=none"));

    open_lane(3, {first_}, "other.test");
    job(3, 3);
    run();
    EXPECT_TRUE(qmgr().reports.at(2).attempted)
        << "what works for one site says nothing of another";
    server.reset();
    run();
    open_lane(4, {first_});
    job(4, 4);
    run();
    EXPECT_TRUE(qmgr().reports.at(3).attempted) << "a connection that is gone does not work";
    EXPECT_TRUE(qmgr().closed_hop_failed);
}

TEST_F(SmtpServiceTest, WarnsOfAShortageOfItsOwnOnceAMinuteAndReportsNothing) {
    Server server(world_, first_);
    world_.network().set_connect_failure(first_, EMFILE);
    open_lane(1, {first_});
    open_lane(2, {first_});
    job(1, 1);
    job(2, 2);
    run(50 * kSecondUs);
    EXPECT_EQ(log_.count("Too many open files: a shortage of this machine"), 1U);
    EXPECT_EQ(log_.lines.size(), 1U);
    run(50 * kSecondUs);
    EXPECT_EQ(log_.count("Too many open files: a shortage of this machine"), 2U);
    EXPECT_TRUE(qmgr().reports.empty());
    EXPECT_TRUE(qmgr().closed.empty());
    world_.network().set_connect_failure(first_, 0);
    run(50 * kSecondUs);
    EXPECT_EQ(server.tags.size(), 2U);
}

TEST_F(SmtpServiceTest, OffersADeferredRecipientToTheNextHost) {
    Server grey(world_, first_);
    grey.options.rcpt_reply = "450 4.2.0 greylisted";
    Server willing(world_, second_);
    open_lane(1, {first_, second_});
    job(1, 1);
    run();
    EXPECT_EQ(willing.tags, std::vector<std::string>{"j1"});
    ASSERT_EQ(qmgr().reports.size(), 1U);
    EXPECT_EQ(qmgr().reports[0].outcomes, std::vector<Outcome>{Outcome::sent});
}

TEST_F(SmtpServiceTest, AnIdleConnectionThatTheServerClosedIsReplacedWithoutAnAttempt) {
    auto server = std::make_unique<Server>(world_, first_);
    open_lane(1, {first_});
    job(1, 1);
    run();
    server.reset();
    Server next(world_, first_);
    job(1, 2);
    run();
    EXPECT_EQ(next.tags, std::vector<std::string>{"j2"});
    ASSERT_EQ(qmgr().reports.size(), 2U);
    EXPECT_EQ(qmgr().reports[1].outcomes, std::vector<Outcome>{Outcome::sent});
}

TEST_F(SmtpServiceTest, LaneCloseEndsTheConnectionAndIsAnswered) {
    Server server(world_, first_);
    open_lane(1, {first_});
    job(1, 1);
    run();
    wire::LaneClose close;
    close.lane = 1;
    send(close);
    run();
    EXPECT_EQ(qmgr().closed, std::vector<uint32_t>{1});
    EXPECT_FALSE(qmgr().closed_hop_failed);
    job(1, 2);  // crossed the closing on its way
    run();
    ASSERT_EQ(qmgr().reports.size(), 2U);
    EXPECT_FALSE(qmgr().reports[1].attempted);
}

TEST_F(SmtpServiceTest, TellsANewQmgrWhatItHoldsAndThenHowItEnded) {
    Server server(world_, first_);
    server.options.final_delay_ms = 20'000;
    open_lane(1, {first_});
    job(1, 1);
    run(2 * kSecondUs);
    new_qmgr();
    EXPECT_TRUE(qmgr().said_what_is_held);
    EXPECT_EQ(qmgr().held, std::vector<uint64_t>{1});
    run(30 * kSecondUs);
    ASSERT_EQ(qmgr().reports.size(), 1U);
    EXPECT_EQ(qmgr().reports[0].lane, 0U);
    EXPECT_EQ(qmgr().reports[0].outcomes, std::vector<Outcome>{Outcome::sent});
}

TEST_F(SmtpServiceTest, HandsReportsThatWereNotTakenToANewQmgrAndForgetsTakenOnes) {
    Server server(world_, first_);
    open_lane(1, {first_});
    job(1, 1);
    job(1, 2);
    run();
    ASSERT_EQ(qmgr().reports.size(), 2U);
    wire::ReportTaken taken;
    taken.sequence = qmgr().reports[0].sequence;
    send(taken);
    run();
    new_qmgr();
    EXPECT_EQ(qmgr().held, std::vector<uint64_t>{2}) << "announced, like what is not over yet";
    ASSERT_EQ(qmgr().reports.size(), 1U);
    EXPECT_EQ(qmgr().reports[0].job, 2U);
    EXPECT_EQ(qmgr().reports[0].lane, 0U) << "the new qmgr may have a lane 1 of its own";
}

TEST_F(SmtpServiceTest, FinishesWhatItSendsFromADeadStoresArena) {
    Server server(world_, first_);
    server.options.final_delay_ms = 5'000;
    open_lane(1, {first_});
    job(1, 1);
    job(1, 2);
    run(kSecondUs);
    peers_.remove(kStoreIncarnation);
    run(30 * kSecondUs);
    EXPECT_EQ(server.tags, (std::vector<std::string>{"j1", "j2"}));
    job(1, 3);  // names an arena that nobody maps any more
    run();
    ASSERT_EQ(qmgr().reports.size(), 3U);
    EXPECT_FALSE(qmgr().reports[2].attempted);
}

TEST_F(SmtpServiceTest, DrainsByFinishingWhatItHasBegun) {
    Server server(world_, first_);
    server.options.final_delay_ms = 5'000;
    open_lane(1, {first_});
    job(1, 1);
    run(kSecondUs);
    agent_.on_drain();
    EXPECT_FALSE(agent_.is_idle());
    run(20 * kSecondUs);
    EXPECT_EQ(server.tags, std::vector<std::string>{"j1"});
    wire::ReportTaken taken;
    taken.sequence = qmgr().reports.at(0).sequence;
    send(taken);
    run();
    EXPECT_TRUE(agent_.is_idle());
}

TEST_F(SmtpServiceTest, DrainsWithQmgrKnowingOfEachJobHowItEnded) {
    Server server(world_, first_);
    server.options.final_delay_ms = 5'000;
    open_lane(1, {first_});
    open_lane(2, {second_});  // where nobody answers
    world_.network().set_unanswering(second_, true);
    job(1, 1);
    job(1, 2);  // begun behind the first one's last byte
    job(1, 3);
    job(2, 4);
    run(kSecondUs);
    agent_.on_drain();
    run(20 * kSecondUs);
    EXPECT_EQ(server.tags, (std::vector<std::string>{"j1", "j2"})) << "what was begun";
    ASSERT_EQ(qmgr().reports.size(), 4U);
    for (const Qmgr::Report& report : qmgr().reports) {
        EXPECT_EQ(report.attempted, report.job <= 2) << report.job;
        EXPECT_EQ(report.lane, report.job == 4 ? 2U : 1U) << "qmgr knows it by this number";
    }
    EXPECT_EQ(qmgr().closed.size(), 2U);
    EXPECT_TRUE(qmgr().closed_because_agent_stops);

    open_lane(3, {first_});
    job(3, 5);
    run();
    EXPECT_EQ(qmgr().closed.size(), 3U) << "nothing new is begun";
    EXPECT_EQ(qmgr().reports.size(), 5U);
    EXPECT_EQ(server.tags.size(), 2U);
}

TEST_F(SmtpServiceTest, WhatWasNotBegunGoesBackWhenQmgrDies) {
    Server server(world_, first_);
    server.options.final_delay_ms = 20'000;
    open_lane(1, {first_});
    job(1, 1);
    job(1, 2);
    job(1, 3);
    run(2 * kSecondUs);
    new_qmgr();
    EXPECT_EQ(qmgr().held, (std::vector<uint64_t>{3, 1, 2})) << "3 as a report that is to come";
    ASSERT_EQ(qmgr().reports.size(), 1U);
    EXPECT_EQ(qmgr().reports[0].job, 3U);
    EXPECT_FALSE(qmgr().reports[0].attempted);
}

TEST_F(SmtpServiceTest, SaysEverythingItHoldsHoweverMuchThatIs) {
    Server server(world_, first_);
    server.options.final_delay_ms = 3'600'000;
    constexpr uint32_t kLanes = 60;
    for (uint32_t lane = 1; lane <= kLanes; ++lane) {
        open_lane(lane, {first_});
        job(lane, lane, 900);
    }
    run();
    new_qmgr();
    EXPECT_TRUE(qmgr().said_what_is_held);
    EXPECT_EQ(qmgr().held.size(), kLanes);
}

}  // namespace
}  // namespace posthaste::simulation
