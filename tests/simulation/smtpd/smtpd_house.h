// tests/simulation/smtpd/smtpd_house.h: the SMTP server process on a simulated loop, with clients,
// cleanups and rewrite that a test plays.
#pragma once

#include <deque>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mail/queue_id.h"
#include "mail/wire/id_lease.h"
#include "mail/wire/resolve.h"
#include "mail/wire/submitted_message.h"
#include "runtime/connection.h"
#include "runtime/peers.h"

#include "ingress/smtpd/smtpd_service.h"
#include "simulation/sim_loop.h"
#include "simulation/sim_recorder.h"
#include "simulation/sim_world.h"

namespace posthaste::smtpd {

inline constexpr uint64_t kSteps = 5'000'000;
inline constexpr uint32_t kRing = 1 << 20;
inline const Endpoint kServer{IpAddress::v4(192, 0, 2, 25), 25};

class Lines final : public Log {
 public:
    void line(wire::Severity, std::string_view text) override { lines.emplace_back(text); }

    std::vector<std::string> lines;
};

// The far end of a ring: a process that is a part of the test.
class FarEnd {
 public:
    FarEnd(simulation::SimWorld& world, int doorbell, Peers& peers, Role role, uint16_t instance,
           uint32_t its_incarnation)
        : incarnation(its_incarnation),
          near_(Segment::create_private(kRing)),
          far_(Segment::create_private(kRing)),
          channel_(Segment::alias(far_), Segment::alias(near_)),
          world_(world),
          doorbell_(doorbell) {
        peers.add({role, instance, its_incarnation,
                   Channel(Segment::alias(near_), Segment::alias(far_)), std::nullopt, -1});
    }

    // Takes what has come, and says what was said to it.
    void turn(const std::function<void(const Channel::Record&)>& on_record) {
        Channel::Record record;
        while (!deaf && channel_.receive(record)) on_record(record);
        const bool wants_room = channel_.release();
        if (channel_.publish() || wants_room) world_.ring(doorbell_);
    }

    template <class Record>
    void send(const Record& record) {
        std::string bytes;
        wire::encode(record, bytes);
        ASSERT_TRUE(channel_.send(Record::kType, bytes));
    }

    uint32_t incarnation;
    bool deaf = false;

 private:
    Segment near_;
    Segment far_;
    Channel channel_;
    simulation::SimWorld& world_;
    int doorbell_;
};

struct Taken {
    uint64_t cookie;
    Envelope envelope;
    std::string content;
};

// What a client hears and says: a line at a time, or all at once.
class TestClient final : public Connection::Handler {
 public:
    TestClient(simulation::SimLoop& loop, const IpAddress* from = nullptr) : loop_(loop) {
        connecting_.then = [this](const Event& event) {
            if (event.result < 0) {
                closed = true;
                return;
            }
            connection_ = std::make_unique<Connection>(loop_, Socket{event.result}, *this);
            connection_->start();
        };
        loop.connect(connecting_.done, kServer, from);
    }

    bool is_connected() const { return connection_ != nullptr; }

    void say(std::string_view bytes) { connection_->send(bytes); }

    void hang_up() { connection_->abort(); }

    void end_saying() { loop_.shutdown_send(connection_->socket()); }

    std::string heard;
    bool closed = false;

 private:
    size_t on_bytes(std::string_view bytes) override {
        heard.append(bytes);
        return bytes.size();
    }

    void on_end(Connection::End, int) override { connection_->close(); }

    void on_closed() override { closed = true; }

    simulation::SimLoop& loop_;
    simulation::Recorder connecting_;
    std::unique_ptr<Connection> connection_;
};

class SmtpdHouse : public ::testing::Test {
 protected:
    static constexpr uint32_t kStore = 50;

    explicit SmtpdHouse(uint64_t seed = 1) : sim(seed) {}

    // "name = value" lines; blocks of the arena.
    void start(std::string_view overrides = {}, uint32_t blocks = 64) {
        settings = Settings::initial(
            "myhostname = mx.example.com\nmynetworks = 10.0.0.0/8\nmydestination "
            "=\nsmtpd_peername_lookup = no\n"
            "smtpd_arena_size = 1M\nmessage_size_limit = 400000\n" +
            std::string(overrides));
        arena.emplace(Arena::create_private(7, uint64_t{blocks} * kBlockBytes));
        std::vector<std::string> warnings;
        std::string why_not;
        auto smtpd_settings = SmtpdService::read_settings(*settings, warnings, why_not);
        ASSERT_TRUE(smtpd_settings) << why_not;
        world.emplace(World{loop, log, page, *settings, &*arena, 0, 7, "smtp"});
        service = std::make_unique<SmtpdService>(*world, std::move(*smtpd_settings));
        peers = std::make_unique<Peers>(loop, *service);
        service->attach(*peers);
        rung.then = [this](const Event&) { peers->on_doorbell(); };
        loop.watch(rung.done, doorbell);
        service->on_listener("25", sim.network().listen(kServer));
        if (has_store) add_store();
    }

    void TearDown() override {
        sim.kill(client_loop);
        sim.kill(loop);
        clients.clear();
        peers.reset();
        service.reset();
    }

    FarEnd& add_cleanup(uint32_t incarnation) {
        cleanups.push_back(std::make_unique<FarEnd>(
            sim, doorbell, *peers, Role::cleanup, static_cast<uint16_t>(incarnation), incarnation));
        return *cleanups.back();
    }

    void add_store(uint32_t incarnation = kStore) {
        peers->add({Role::store, 0, incarnation, std::nullopt, std::nullopt, -1});
    }

    FarEnd& add_rewrite() {
        rewrite = std::make_unique<FarEnd>(sim, doorbell, *peers, Role::rewrite, 0, 60);
        return *rewrite;
    }

    void kill_cleanup(FarEnd& cleanup) {
        cleanup.deaf = true;
        peers->remove(cleanup.incarnation);
    }

    // Cleanups take messages and grant leases; answer when `answers`.
    void turn_cleanups() {
        for (auto& cleanup : cleanups) {
            cleanup->turn([&](const Channel::Record& record) {
                if (record.type == wire::LeaseRequest::kType) {
                    wire::LeaseRequest request;
                    ASSERT_TRUE(wire::decode(record.body, request));
                    if (!grants) return;
                    if (queue_is_broken) {
                        cleanup->send(wire::LeaseGrant{request.cookie, kNoMessage, 0});
                        return;
                    }
                    cleanup->send(wire::LeaseGrant{request.cookie, next_id, wire::kLeaseIds});
                    next_id += wire::kLeaseIds;
                } else if (record.type == wire::NoMoreMail::kType) {
                    ++farewells;
                } else {
                    ASSERT_EQ(record.type, wire::SubmitMessage::kType);
                    take(*cleanup, record.body);
                }
            });
        }
        if (rewrite) {
            rewrite->turn([&](const Channel::Record& record) {
                wire::ClientNameRequest request;
                ASSERT_TRUE(wire::decode(record.body, request));
                ++names_asked;
                if (!client_name.empty())
                    rewrite->send(wire::ClientNameReply{request.cookie, 60, client_name});
            });
        }
    }

    void take(FarEnd& cleanup, std::string_view body) {
        wire::SubmitMessage message;
        ASSERT_TRUE(wire::decode(body, message));
        auto envelope = decode_envelope(message.envelope);
        ASSERT_TRUE(envelope.has_value());
        std::string content;
        for (const wire::Extent& extent : message.content) {
            ASSERT_EQ(extent.incarnation, 7U);
            content.append(arena->bytes(extent.first_block, extent.offset, extent.length));
        }
        ASSERT_EQ(content.size(), envelope->size_bytes);
        taken.push_back({message.cookie, std::move(*envelope), std::move(content)});
        if (!answers) return;
        if (answer_delay_us_max == 0) return answer(cleanup, taken.back(), 250, "2.0.0", "");
        const Taken* const mine = &taken.back();  // a deque: it stays where it is
        sim.after(sim.between(1, answer_delay_us_max), [this, mine, far_end = &cleanup] {
            if (!far_end->deaf) answer(*far_end, *mine, 250, "2.0.0", "");
        });
    }

    void answer(FarEnd& cleanup, const Taken& message, uint16_t code, std::string_view dsn,
                std::string_view text) {
        cleanup.send(wire::SubmitResult{message.cookie, code, dsn, text});
    }

    testing::AssertionResult until(const std::function<bool()>& done) {
        const auto outcome = sim.run_until(
            [&] {
                turn_cleanups();
                return done();
            },
            kSteps);
        if (outcome == simulation::SimWorld::Outcome::reached) return testing::AssertionSuccess();
        return testing::AssertionFailure() << "never came, at step " << sim.steps();
    }

    void pass(int64_t duration_us) {
        const int64_t end_us = sim.now_us() + duration_us;
        sim.after(duration_us, [] {});
        ASSERT_TRUE(until([&] { return sim.now_us() >= end_us; }));
    }

    TestClient& connect() {
        clients.push_back(std::make_unique<TestClient>(client_loop));
        TestClient& client = *clients.back();
        EXPECT_TRUE(until([&] { return client.is_connected(); }));
        return client;
    }

    // Says it and waits for so many lines.
    std::string ask(TestClient& client, std::string_view bytes, size_t lines = 1) {
        client.heard.clear();
        client.say(bytes);
        EXPECT_TRUE(hears(client, lines)) << "after " << bytes << " only " << client.heard;
        return client.heard;
    }

    testing::AssertionResult hears(TestClient& client, size_t lines) {
        return until([&] {
            return std::count(client.heard.begin(), client.heard.end(), '\n') >=
                   static_cast<long>(lines);
        });
    }

    // Only ESMTP knows pipelining.
    void say_ehlo(TestClient& client) {
        client.heard.clear();
        client.say("EHLO me\r\n");
        EXPECT_TRUE(until([&] { return has_ehlo_reply(client); }));
    }

    static bool has_ehlo_reply(const TestClient& client) {
        return client.heard.find("\n250 ") != std::string::npos && client.heard.ends_with('\n');
    }

    TestClient& client_in_rcpt() {
        TestClient& client = connect();
        EXPECT_TRUE(hears(client, 1));
        say_ehlo(client);
        ask(client, "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n", 2);
        return client;
    }

    void run_a_message(TestClient& client, std::string_view content = "x\r\n") {
        ask(client, "DATA\r\n");
        client.heard.clear();
        client.say(std::string(content) + ".\r\n");
    }

    uint64_t counted(SmtpdCounter counter) const {
        return page.slots[static_cast<size_t>(counter)].value.load();
    }

    simulation::SimWorld sim;
    simulation::SimLoop& loop = sim.make_loop("smtpd");
    simulation::SimLoop& client_loop = sim.make_loop("clients");
    int doorbell = sim.make_doorbell(loop);
    Lines log;
    CounterPage page;
    std::optional<Settings> settings;
    std::optional<Arena> arena;
    std::optional<World> world;
    simulation::Recorder rung;
    std::unique_ptr<SmtpdService> service;
    std::unique_ptr<Peers> peers;
    std::vector<std::unique_ptr<FarEnd>> cleanups;
    std::unique_ptr<FarEnd> rewrite;
    std::vector<std::unique_ptr<TestClient>> clients;
    std::deque<Taken> taken;
    bool answers = true;
    int64_t answer_delay_us_max = 0;
    bool has_store = true;  // from the beginning, one that has mapped our arena
    bool grants = true;
    bool queue_is_broken = false;  // grants nothing, and says so
    int farewells = 0;             // said to cleanups that leave
    MessageId next_id = 1'700'000'000'000'000;
    std::string client_name;
    int names_asked = 0;
};

}  // namespace posthaste::smtpd
