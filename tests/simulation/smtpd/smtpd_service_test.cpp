// The SMTP server process on a simulated loop: clients in any weather, cleanups that answer, wait
// or die.
#include "ingress/smtpd/smtpd_service.h"

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

#include "simulation/sim_loop.h"
#include "simulation/sim_recorder.h"
#include "simulation/sim_world.h"

namespace posthaste::smtpd {
namespace {

using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

constexpr uint64_t kSteps = 5'000'000;
constexpr uint32_t kRing = 1 << 20;
const Endpoint kServer{IpAddress::v4(192, 0, 2, 25), 25};

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

class SmtpdService_ : public ::testing::Test {
 protected:
    static constexpr uint32_t kStore = 50;

    explicit SmtpdService_(uint64_t seed = 1) : sim(seed) {}

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

    void add_store() { peers->add({Role::store, 0, kStore, std::nullopt, std::nullopt, -1}); }

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
                    cleanup->send(wire::LeaseGrant{request.cookie, next_id, wire::kLeaseIds});
                    next_id += wire::kLeaseIds;
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

    TestClient& client_in_rcpt() {
        TestClient& client = connect();
        EXPECT_TRUE(hears(client, 1));
        ask(client, "HELO me\r\n");
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
    bool grants = true;
    MessageId next_id = 1'700'000'000'000'000;
    std::string client_name;
    int names_asked = 0;
};

using SmtpdServiceTest = SmtpdService_;

TEST_F(SmtpdServiceTest, HandsAMessageToCleanupAndPassesTheAnswerOn) {
    start();
    add_cleanup(1);
    TestClient& client = client_in_rcpt();
    run_a_message(client, "Subject: x\r\n\r\nbody\r\n");
    ASSERT_TRUE(hears(client, 1));
    EXPECT_EQ(client.heard,
              "250 2.0.0 Ok: queued as " + queue_id_text(1'700'000'000'000'000) + "\r\n");
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].content, "Subject: x\r\n\r\nbody\r\n");
    EXPECT_EQ(taken[0].envelope.client_name, "unknown");
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total());
    EXPECT_EQ(counted(SmtpdCounter::messages_accepted), 1U);
    EXPECT_EQ(counted(SmtpdCounter::sessions_open), 1U);
}

TEST_F(SmtpdServiceTest, TakesBlocksOnlyForContent) {
    start();
    add_cleanup(1);
    answers = false;
    TestClient& client = client_in_rcpt();
    ask(client, "DATA\r\n");
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total());
    client.say(std::string(3 * kBlockBytes, 'x') + "\r\n.\r\n");
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total() - 4);
    EXPECT_EQ(taken[0].content, std::string(3 * kBlockBytes, 'x') + "\r\n");
    answer(*cleanups[0], taken[0], 550, "5.7.1", "Error: \x01no\r\n250 yes");
    client.heard.clear();
    ASSERT_TRUE(hears(client, 1));
    EXPECT_EQ(client.heard, "550 5.7.1 Error: ?no??250 yes\r\n");
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total());
}

TEST_F(SmtpdServiceTest, AnswersForACleanupThatDiedAndKeepsItsBlocksApart) {
    start();
    add_store();
    FarEnd& first = add_cleanup(1);
    answers = false;
    TestClient& client = client_in_rcpt();
    run_a_message(client);
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    kill_cleanup(first);
    ASSERT_TRUE(hears(client, 1));
    EXPECT_EQ(client.heard, "451 4.3.0 Error: queue file write error\r\n");
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total() - 1);
    EXPECT_EQ(counted(SmtpdCounter::submissions_void), 1U);
    peers->forgotten(kStore, 1);
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total());

    answers = true;
    add_cleanup(2);
    ask(client, "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n", 2);
    run_a_message(client);
    ASSERT_TRUE(hears(client, 1));
    EXPECT_THAT(client.heard, StartsWith("250 2.0.0 Ok"));
}

TEST_F(SmtpdServiceTest, FreesTheBlocksWhenNoStoreCanKnowThem) {
    start();
    FarEnd& cleanup = add_cleanup(1);
    answers = false;
    TestClient& client = client_in_rcpt();
    run_a_message(client);
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    kill_cleanup(cleanup);
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total());
}

TEST_F(SmtpdServiceTest, FreesQuarantinedBlocksWhenTheStoreDies) {
    start();
    add_store();
    FarEnd& cleanup = add_cleanup(1);
    answers = false;
    TestClient& client = client_in_rcpt();
    run_a_message(client);
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    kill_cleanup(cleanup);
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total() - 1);
    peers->remove(kStore);
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total());
}

TEST_F(SmtpdServiceTest, KeepsTheBlocksOfAClientThatVanishedUntilTheAnswer) {
    start();
    add_cleanup(1);
    answers = false;
    TestClient& client = client_in_rcpt();
    run_a_message(client);
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    client.hang_up();
    pass(kSecondUs);
    // Whether the client is gone is learnt when it is written to, or read from after the answer.
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total() - 1);
    answer(*cleanups[0], taken[0], 250, "2.0.0", "");
    ASSERT_TRUE(until([&] { return counted(SmtpdCounter::sessions_open) == 0; }));
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total());
}

TEST_F(SmtpdServiceTest, AnswersAClientThatHasSaidItsLast) {
    start();
    add_cleanup(1);
    answers = false;
    TestClient& client = client_in_rcpt();
    ask(client, "DATA\r\n");
    client.heard.clear();
    client.say("x\r\n.\r\nRSET\r\n");
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    client.end_saying();
    pass(kSecondUs);
    answer(*cleanups[0], taken[0], 250, "2.0.0", "");
    ASSERT_TRUE(until([&] { return client.closed; }));
    EXPECT_THAT(client.heard, MatchesRegex("250 2.0.0 Ok: queued as .*\r\n250 2.0.0 Ok\r\n"));
    EXPECT_THAT(log.lines, Contains("lost connection after RSET from unknown[10.0.0.2]"));
}

TEST_F(SmtpdServiceTest, GivesEachCleanupItsTurn) {
    start();
    FarEnd& one = add_cleanup(1);
    add_cleanup(2);
    TestClient& client = client_in_rcpt();
    run_a_message(client);
    ASSERT_TRUE(hears(client, 1));
    // The next one's turn, but it is dead: the other takes it.
    one.deaf = true;
    for (int i = 0; i < 4; ++i) {
        TestClient& other = client_in_rcpt();
        ask(other, "DATA\r\n");
        other.say("x\r\n.\r\n");
    }
    ASSERT_TRUE(until([&] { return taken.size() >= 3; }));
}

TEST_F(SmtpdServiceTest, WaitsForIdsBeforeItAcceptsClients) {
    start();
    grants = false;
    add_cleanup(1);
    clients.push_back(std::make_unique<TestClient>(client_loop));
    TestClient& client = *clients.back();
    pass(5 * kSecondUs);
    EXPECT_EQ(client.heard, "");
    grants = true;
    ASSERT_TRUE(hears(client, 1));
    EXPECT_EQ(client.heard, "220 mx.example.com ESMTP Posthaste\r\n");
}

TEST_F(SmtpdServiceTest, SaysWhenThereIsNoQueue) {
    start();
    TestClient& client = connect();
    ASSERT_TRUE(hears(client, 1));
    EXPECT_EQ(ask(client, "MAIL FROM:<>\r\nRCPT TO:<c@d.test>\r\n", 2),
              "250 2.1.0 Ok\r\n451 4.3.0 Error: queue file write error\r\n");
}

TEST_F(SmtpdServiceTest, WaitsAWhileForACleanupToTakeTheMessage) {
    start();
    FarEnd& first = add_cleanup(1);
    TestClient& client = client_in_rcpt();
    ask(client, "DATA\r\n");
    kill_cleanup(first);
    client.heard.clear();
    client.say("x\r\n.\r\n");
    pass(2 * kSecondUs);
    EXPECT_EQ(client.heard, "");
    add_cleanup(2);
    ASSERT_TRUE(hears(client, 1));
    EXPECT_THAT(client.heard, StartsWith("250 2.0.0 Ok"));

    ask(client, "MAIL FROM:<>\r\nRCPT TO:<c@d.test>\r\n", 2);
    ask(client, "DATA\r\n");
    kill_cleanup(*cleanups[1]);
    client.heard.clear();
    client.say("x\r\n.\r\n");
    ASSERT_TRUE(hears(client, 1));
    EXPECT_EQ(client.heard, "451 4.3.0 Error: queue file write error\r\n");
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total());
}

TEST_F(SmtpdServiceTest, StopsReadingWhileTheArenaIsFullAndGoesOnWhenItIsNot) {
    start("message_size_limit = 200000\n", 8);
    add_cleanup(1);
    answers = false;
    TestClient& big = client_in_rcpt();
    run_a_message(big, std::string(7 * kBlockBytes, 'b') + "\r\n");
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    EXPECT_EQ(arena->blocks_free(), 0U);

    TestClient& waiting = client_in_rcpt();
    run_a_message(waiting, std::string(5 * kBlockBytes, 'w') + "\r\n");
    pass(3 * kSecondUs);
    EXPECT_EQ(taken.size(), 1U);
    EXPECT_GE(counted(SmtpdCounter::arena_waits), 1U);
    answer(*cleanups[0], taken[0], 250, "2.0.0", "");
    ASSERT_TRUE(until([&] { return taken.size() == 2; }));
    EXPECT_EQ(taken[1].content, std::string(5 * kBlockBytes, 'w') + "\r\n");
    answer(*cleanups[0], taken[1], 250, "2.0.0", "");
    ASSERT_TRUE(hears(waiting, 1));
    EXPECT_EQ(arena->blocks_free(), 8U);
}

TEST_F(SmtpdServiceTest, GivesUpWhenTheArenaStaysFull) {
    start("message_size_limit = 200000\n", 8);
    add_cleanup(1);
    answers = false;
    TestClient& big = client_in_rcpt();
    run_a_message(big, std::string(7 * kBlockBytes, 'b') + "\r\n");
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    TestClient& waiting = client_in_rcpt();
    run_a_message(waiting, std::string(5 * kBlockBytes, 'w') + "\r\n");
    ASSERT_TRUE(hears(waiting, 1));
    EXPECT_EQ(waiting.heard, "452 4.3.1 Insufficient system storage\r\n");
    // And begins no message meanwhile.
    EXPECT_EQ(ask(waiting, "MAIL FROM:<>\r\n"), "452 4.3.1 Insufficient system storage\r\n");
    answer(*cleanups[0], taken[0], 250, "2.0.0", "");
    ASSERT_TRUE(hears(big, 1));
    EXPECT_EQ(ask(waiting, "MAIL FROM:<>\r\n"), "250 2.1.0 Ok\r\n");
}

// The end of the message comes in the same bytes that find no block: it is whole, but not in the
// arena.
class SmtpdServiceWithAlmostNoRoom : public SmtpdServiceTest {
 protected:
    void fill() {
        sim.network().conditions = {.cut_permille = 0, .one_byte_permille = 0};
        start("message_size_limit = 200000\n", 8);
        add_cleanup(1);
        answers = false;
        big = &client_in_rcpt();
        run_a_message(*big, std::string(6 * kBlockBytes, 'b') + "\r\n");
        ASSERT_TRUE(until([&] { return taken.size() == 1; }));
        ASSERT_EQ(arena->blocks_free(), 1U);
        whole = &client_in_rcpt();
        ask(*whole, "DATA\r\n");
        whole->heard.clear();
        whole->say(std::string(kBlockBytes - 10, 'w'));
        pass(kSecondUs);
        whole->say(std::string(100, 'w') + "\r\n.\r\n");
        pass(kSecondUs);
        ASSERT_EQ(taken.size(), 1U);
        ASSERT_EQ(arena->blocks_free(), 0U);
        ASSERT_EQ(whole->heard, "");
    }

    TestClient* big = nullptr;
    TestClient* whole = nullptr;
};

TEST_F(SmtpdServiceWithAlmostNoRoom, SubmitsTheRestWhenThereIsRoom) {
    fill();
    answers = true;
    answer(*cleanups[0], taken[0], 250, "2.0.0", "");
    ASSERT_TRUE(hears(*whole, 1));
    EXPECT_THAT(whole->heard, StartsWith("250 2.0.0 Ok"));
    EXPECT_EQ(taken.at(1).content, std::string(kBlockBytes + 90, 'w') + "\r\n");
    EXPECT_EQ(arena->blocks_free(), 8U);
}

TEST_F(SmtpdServiceWithAlmostNoRoom, GivesTheWholeMessageUpWhenThereIsNone) {
    fill();
    ASSERT_TRUE(hears(*whole, 1));
    EXPECT_EQ(whole->heard, "452 4.3.1 Insufficient system storage\r\n");
    EXPECT_EQ(arena->blocks_free(), 1U);
}

TEST_F(SmtpdServiceTest, AsksForIdsBeforeTheyRunOut) {
    start("smtpd_junk_command_limit = 10000\n");
    add_cleanup(1);
    TestClient& client = client_in_rcpt();
    for (uint32_t used = 0; used < 3 * wire::kLeaseIds; used += 100) {
        std::string batch;
        for (int i = 0; i < 100; ++i) batch += "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.test>\r\n";
        EXPECT_THAT(ask(client, batch, 300), ::testing::Not(HasSubstr("451")));
    }
}

TEST_F(SmtpdServiceTest, AsksForClientNamesAndRemembersThem) {
    start("smtpd_peername_lookup = yes\n");
    add_cleanup(1);
    add_rewrite();
    client_name = "client.example.net";
    for (int i = 0; i < 3; ++i) {
        TestClient& client = connect();
        ASSERT_TRUE(hears(client, 1));
    }
    EXPECT_EQ(names_asked, 1);
    EXPECT_THAT(log.lines, Contains("connect from client.example.net[10.0.0.2]").Times(3));
}

TEST_F(SmtpdServiceTest, GreetsWithoutANameWhenNoneComes) {
    start("smtpd_peername_lookup = yes\n");
    add_cleanup(1);
    add_rewrite();
    TestClient& client = connect();
    pass(5 * kSecondUs);
    EXPECT_EQ(client.heard, "");
    ASSERT_TRUE(hears(client, 1));
    EXPECT_THAT(log.lines, Contains("connect from unknown[10.0.0.2]"));

    TestClient& other = connect();
    pass(kSecondUs);
    peers->remove(60);
    ASSERT_TRUE(hears(other, 1));
}

TEST_F(SmtpdServiceTest, TrustsNoNameThatIsNone) {
    start("smtpd_peername_lookup = yes\n");
    add_cleanup(1);
    add_rewrite();
    client_name = "evil]: to=<x>";
    TestClient& client = connect();
    ASSERT_TRUE(hears(client, 1));
    EXPECT_THAT(log.lines, Contains("connect from unknown[10.0.0.2]"));
}

TEST_F(SmtpdServiceTest, LimitsConnectionsFromOneAddress) {
    start("smtpd_client_connection_count_limit = 2\nsmtpd_client_event_limit_exceptions =\n");
    add_cleanup(1);
    TestClient& first = connect();
    TestClient& second = connect();
    ASSERT_TRUE(hears(second, 1));
    TestClient& third = connect();
    ASSERT_TRUE(until([&] { return third.closed; }));
    EXPECT_EQ(third.heard,
              "421 4.7.0 mx.example.com Error: too many connections from 10.0.0.2\r\n");
    EXPECT_EQ(ask(first, "QUIT\r\n").substr(0, 3), "221");
    ASSERT_TRUE(until([&] { return first.closed; }));
    TestClient& fourth = connect();
    ASSERT_TRUE(hears(fourth, 1));
    EXPECT_THAT(fourth.heard, StartsWith("220"));
}

TEST_F(SmtpdServiceTest, LimitsSessions) {
    start("smtpd_session_limit = 1\n");
    add_cleanup(1);
    TestClient& first = connect();
    ASSERT_TRUE(hears(first, 1));
    TestClient& second = connect();
    ASSERT_TRUE(until([&] { return second.closed; }));
    EXPECT_EQ(second.heard, "421 4.3.2 mx.example.com Error: all server ports are busy\r\n");
}

TEST_F(SmtpdServiceTest, HangsUpAfterSilence) {
    start("smtpd_timeout = 30s\n");
    add_cleanup(1);
    TestClient& client = connect();
    ASSERT_TRUE(hears(client, 1));
    pass(25 * kSecondUs);
    ask(client, "NOOP\r\n");
    pass(25 * kSecondUs);
    EXPECT_FALSE(client.closed);
    client.heard.clear();
    ASSERT_TRUE(until([&] { return client.closed; }));
    EXPECT_EQ(client.heard, "421 4.4.2 mx.example.com Error: timeout exceeded\r\n");
    EXPECT_THAT(log.lines, Contains("timeout after NOOP from unknown[10.0.0.2]"));
}

TEST_F(SmtpdServiceTest, TakesDrippedBytesForSilence) {
    start("smtpd_timeout = 30s\n");
    add_cleanup(1);
    TestClient& client = connect();
    ASSERT_TRUE(hears(client, 1));
    for (int i = 0; i < 4 && !client.closed; ++i) {
        client.say("N");
        pass(10 * kSecondUs);
    }
    EXPECT_TRUE(client.closed);
    EXPECT_THAT(client.heard, EndsWith("421 4.4.2 mx.example.com Error: timeout exceeded\r\n"));
}

TEST_F(SmtpdServiceTest, HoldsNoSilenceAgainstAClientWhileItMustWait) {
    start("smtpd_timeout = 5s\n");
    add_cleanup(1);
    answers = false;
    TestClient& client = client_in_rcpt();
    run_a_message(client);
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    pass(kMinuteUs);
    EXPECT_EQ(client.heard, "");
    answer(*cleanups[0], taken[0], 250, "2.0.0", "");
    ASSERT_TRUE(hears(client, 1));
    EXPECT_THAT(client.heard, StartsWith("250"));
}

TEST_F(SmtpdServiceTest, DrainsWithoutLosingWhatIsUnderWay) {
    start();
    add_cleanup(1);
    answers = false;
    TestClient& idle = connect();
    TestClient& busy = client_in_rcpt();
    TestClient& committing = client_in_rcpt();
    run_a_message(committing);
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    service->on_drain();
    EXPECT_FALSE(service->is_idle());
    ASSERT_TRUE(until([&] { return idle.closed; }));
    EXPECT_THAT(idle.heard, EndsWith("421 4.3.2 mx.example.com Error: service shutting down\r\n"));
    answers = true;
    answer(*cleanups[0], taken[0], 250, "2.0.0", "");
    run_a_message(busy);
    ASSERT_TRUE(until([&] { return busy.closed && committing.closed; }));
    EXPECT_THAT(busy.heard, MatchesRegex("250 2.0.0 Ok: queued as .*\r\n421 4.3.2 .*\r\n"));
    EXPECT_THAT(committing.heard, MatchesRegex("250 2.0.0 Ok: queued as .*\r\n421 4.3.2 .*\r\n"));
    ASSERT_TRUE(until([&] { return service->is_idle(); }));
}

TEST_F(SmtpdServiceTest, ClosesAPeerThatAnswersWhatNobodyAsked) {
    start();
    FarEnd& cleanup = add_cleanup(1);
    TestClient& client = connect();
    ASSERT_TRUE(hears(client, 1));
    cleanup.send(wire::SubmitResult{12345, 250, "2.0.0", ""});
    ASSERT_TRUE(until([&] { return peers->find(1U) == nullptr; }));
}

TEST_F(SmtpdServiceTest, GoesOnWithOldSettingsWhenTheNewOnesAreWrong) {
    start();
    add_cleanup(1);
    *settings = Settings::initial(
        "mynetworks = 10.0.0.0/8\nsmtpd_recipient_restrictions = reject_rbl_client x\n");
    service->on_settings(*settings);
    EXPECT_THAT(log.lines, Contains(HasSubstr("going on with the old settings")));
    client_in_rcpt();
}

// Clients that send many messages in any weather, while cleanups die and come: every message that
// was answered 250 was handed over whole, and all memory comes home.
class SmtpdServiceWeather : public SmtpdService_, public ::testing::WithParamInterface<uint64_t> {
 protected:
    SmtpdServiceWeather() : SmtpdService_(GetParam()) {}
};

TEST_P(SmtpdServiceWeather, LosesNothing) {
    start("message_size_limit = 100000\nsmtpd_hard_error_limit = 1000\n", 12);
    add_store();
    add_cleanup(1);
    add_cleanup(2);
    sim.network().conditions.reset_permille = 1;
    answer_delay_us_max = 20'000;
    std::map<std::string, std::string> bodies;  // by their first word
    constexpr int kClients = 6;
    constexpr int kMessages = 15;
    size_t accepted = 0;

    struct Talk {
        TestClient* client;
        int sent = 0;
        size_t expected_lines = 0;
        bool quit = false;
    };

    std::vector<Talk> talks;
    for (int i = 0; i < kClients; ++i) {
        clients.push_back(std::make_unique<TestClient>(client_loop));
        talks.push_back({clients.back().get()});
    }
    uint32_t next_cleanup = 3;
    const auto step_talk = [&](Talk& talk, int number) {
        TestClient& client = *talk.client;
        if (client.closed || talk.quit || !client.is_connected()) return;
        const auto lines = std::count(client.heard.begin(), client.heard.end(), '\n');
        if (lines <= static_cast<long>(talk.expected_lines)) return;
        talk.expected_lines = static_cast<size_t>(lines);
        if (talk.sent == kMessages) {
            client.say("QUIT\r\n");
            talk.quit = true;
            return;
        }
        ++talk.sent;
        const std::string body = std::to_string(number) + "/" + std::to_string(talk.sent) + " " +
                                 std::string(static_cast<size_t>(sim.between(0, 60'000)), 'x') +
                                 "\r\n";
        bodies.emplace(body.substr(0, body.find(' ')), body);
        talk.expected_lines += 2;
        client.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nBDAT " +
                   std::to_string(body.size()) + " LAST\r\n" + body);
    };
    const auto all_over = [&] {
        for (int i = 0; i < kClients; ++i) step_talk(talks[static_cast<size_t>(i)], i);
        if (sim.chance(1, 500) && !cleanups.empty()) {
            FarEnd& doomed = *cleanups[static_cast<size_t>(
                sim.between(0, static_cast<int64_t>(cleanups.size()) - 1))];
            if (!doomed.deaf) {
                const uint32_t incarnation = doomed.incarnation;
                kill_cleanup(doomed);
                sim.after(sim.between(1, 50'000),
                          [this, incarnation] { peers->forgotten(kStore, incarnation); });
                add_cleanup(next_cleanup++);
            }
        }
        for (const Talk& talk : talks) {
            if (!talk.client->closed) return false;
        }
        return true;
    };
    ASSERT_TRUE(until(all_over));
    for (const Taken& each : taken) {
        EXPECT_EQ(each.content, bodies.at(each.content.substr(0, each.content.find(' '))));
    }
    for (const Talk& talk : talks) {
        for (size_t at = 0; (at = talk.client->heard.find("queued as ", at)) != std::string::npos;
             ++at) {
            if (talk.client->heard.find('\n', at) == std::string::npos)
                break;  // cut off by a reset
            ++accepted;
            const auto id = parse_queue_id(talk.client->heard.substr(at + 10, kQueueIdLength));
            ASSERT_TRUE(id);
            EXPECT_TRUE(std::any_of(taken.begin(), taken.end(),
                                    [&](const Taken& each) { return each.envelope.id == *id; }));
        }
    }
    EXPECT_GT(accepted, 0U);
    ASSERT_TRUE(until([&] { return counted(SmtpdCounter::sessions_open) == 0; }));
    pass(kSecondUs);
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total());
}

INSTANTIATE_TEST_SUITE_P(Seeds, SmtpdServiceWeather, ::testing::Range<uint64_t>(1, 21));

}  // namespace
}  // namespace posthaste::smtpd
