// One thing at a time: cleanups that answer, wait or die; arenas that fill; clients that stall.
#include "simulation/smtpd/smtpd_house.h"

namespace posthaste::smtpd {
namespace {

using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

using SmtpdServiceTest = SmtpdHouse;

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

// It could not find the bytes.
TEST_F(SmtpdServiceTest, GivesNothingToCleanupWhileThereIsNoStore) {
    start();
    add_cleanup(1);
    TestClient& client = client_in_rcpt();
    peers->remove(kStore);
    run_a_message(client);
    pass(5 * kSecondUs);
    EXPECT_TRUE(taken.empty());
    EXPECT_EQ(client.heard, "");
    add_store(kStore + 1);
    ASSERT_TRUE(hears(client, 1));
    EXPECT_THAT(client.heard, StartsWith("250 2.0.0 Ok"));

    ask(client, "MAIL FROM:<>\r\nRCPT TO:<c@d.test>\r\n", 2);
    peers->remove(kStore + 1);
    run_a_message(client);
    ASSERT_TRUE(hears(client, 1));
    EXPECT_EQ(client.heard, "451 4.3.0 Error: queue file write error\r\n");
    EXPECT_EQ(taken.size(), 1U);
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total());
}

// The next one may have been told of them by the same cleanup, before both died.
TEST_F(SmtpdServiceTest, KeepsQuarantinedBlocksOverTheDeathOfTheStore) {
    start();
    FarEnd& cleanup = add_cleanup(1);
    answers = false;
    TestClient& client = client_in_rcpt();
    run_a_message(client);
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    kill_cleanup(cleanup);
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total() - 1);
    peers->remove(kStore);
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total() - 1);
    add_store(kStore + 1);
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total() - 1);
    peers->forgotten(kStore + 1, 1);
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

TEST_F(SmtpdServiceTest, GivesNothingMoreToACleanupThatLeaves) {
    start();
    FarEnd& leaving = add_cleanup(1);
    answers = false;
    TestClient& client = client_in_rcpt();
    run_a_message(client);
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    leaving.send(wire::NoMoreMail{});
    ASSERT_TRUE(until([&] { return farewells == 1; }));
    TestClient& other = client_in_rcpt();
    run_a_message(other);
    pass(2 * kSecondUs);
    EXPECT_EQ(taken.size(), 1U) << "it waits for the next one";
    answer(leaving, taken.front(), 250, "2.0.0", "");
    ASSERT_TRUE(hears(client, 1));
    EXPECT_THAT(client.heard, StartsWith("250 2.0.0 Ok"));
    kill_cleanup(leaving);
    answers = true;
    add_cleanup(2);
    ASSERT_TRUE(hears(other, 1));
    EXPECT_THAT(other.heard, StartsWith("250 2.0.0 Ok"));
    EXPECT_EQ(farewells, 1);
}

TEST_F(SmtpdServiceTest, ACleanupTakesLeaveOnce) {
    start();
    FarEnd& leaving = add_cleanup(1);
    leaving.send(wire::NoMoreMail{});
    ASSERT_TRUE(until([&] { return farewells == 1; }));
    std::string misbehaviour;
    peers->set_hooks({&misbehaviour, nullptr, [](void* said, Peer&, std::string_view what) {
                          *static_cast<std::string*>(said) = what;
                      }});
    leaving.send(wire::NoMoreMail{});
    ASSERT_TRUE(until([&] { return !misbehaviour.empty(); }));
    EXPECT_EQ(farewells, 1);
    peers->set_hooks({});
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

// Their mail would be answered 451: the store could not find its bytes.
TEST_F(SmtpdServiceTest, WaitsForAStoreThatKnowsItsArenaBeforeItAcceptsClients) {
    has_store = false;
    const int64_t began_us = sim.now_us();
    start();
    add_cleanup(1);
    clients.push_back(std::make_unique<TestClient>(client_loop));
    TestClient& client = *clients.back();
    pass(5 * kSecondUs);
    EXPECT_EQ(client.heard, "");
    add_store();
    ASSERT_TRUE(hears(client, 1));
    EXPECT_EQ(client.heard, "220 mx.example.com ESMTP Posthaste\r\n");
    EXPECT_LT(sim.now_us(), began_us + 6 * kSecondUs) << "not when its patience was over";
}

TEST_F(SmtpdServiceTest, AsksAgainWhenTheStoreHasNoIdsJustNow) {
    queue_is_broken = true;
    start();
    add_cleanup(1);
    pass(2 * kSecondUs);
    EXPECT_NE(peers->find(Role::cleanup, 1), nullptr) << "nobody broke a rule";
    queue_is_broken = false;
    TestClient& client = client_in_rcpt();
    run_a_message(client, "Subject: x\r\n\r\nbody\r\n");
    ASSERT_TRUE(hears(client, 1));
    EXPECT_THAT(client.heard, StartsWith("250 2.0.0 Ok"));
}

TEST_F(SmtpdServiceTest, SaysWhenThereIsNoQueue) {
    start();
    TestClient& client = connect();
    ASSERT_TRUE(hears(client, 1));
    say_ehlo(client);
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

TEST_F(SmtpdServiceTest, SaysAtMailThatTheQueueIsFullAndAsksAgainAfterAWhile) {
    start();
    add_cleanup(1);
    answers = false;
    TestClient& client = client_in_rcpt();
    run_a_message(client);
    ASSERT_TRUE(until([&] { return taken.size() == 1; }));
    answer(*cleanups[0], taken[0], 452, "4.3.1", "Error: queue file write error");
    ASSERT_TRUE(hears(client, 1));
    EXPECT_THAT(ask(client, "MAIL FROM:<a@b.test>\r\n"), StartsWith("452 4.3.1 "));
    pass(MessageMemory::kQueueFullUs);
    EXPECT_THAT(ask(client, "MAIL FROM:<a@b.test>\r\n"), StartsWith("250 "));
    ask(client, "RCPT TO:<c@d.test>\r\n");
    answers = true;
    run_a_message(client);
    ASSERT_TRUE(hears(client, 1));
    EXPECT_THAT(ask(client, "MAIL FROM:<a@b.test>\r\n"), StartsWith("250 "));
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

TEST_F(SmtpdServiceTest, AMessageThatDripsHasItsTimeAndNoMore) {
    start(
        "smtpd_timeout = 30s\nsmtpd_min_data_rate = 100\n"
        "smtpd_per_request_deadline = yes\n");
    add_cleanup(1);
    TestClient& client = client_in_rcpt();
    ask(client, "DATA\r\n");
    // 200 bytes a second are welcome for as long as they come, 10 are not.
    for (int i = 0; i < 100; ++i) {
        client.say(std::string(198, 'x') + "\r\n");
        pass(kSecondUs);
    }
    EXPECT_FALSE(client.closed);
    for (int i = 0; i < 10; ++i) {
        client.say(std::string(98, 'x') + "\r\n");
        pass(10 * kSecondUs);
    }
    EXPECT_TRUE(client.closed);
}

TEST_F(SmtpdServiceTest, AMessageMayDripWhereEachReadHasItsTime) {
    start("smtpd_timeout = 30s\nsmtpd_min_data_rate = 100\n");
    add_cleanup(1);
    TestClient& client = client_in_rcpt();
    ask(client, "DATA\r\n");
    // 200 bytes a second are welcome for as long as they come, 10 are not.
    for (int i = 0; i < 100; ++i) {
        client.say(std::string(198, 'x') + "\r\n");
        pass(kSecondUs);
    }
    EXPECT_FALSE(client.closed);
    for (int i = 0; i < 10; ++i) {
        client.say(std::string(98, 'x') + "\r\n");
        pass(10 * kSecondUs);
    }
    EXPECT_FALSE(client.closed);
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

TEST_F(SmtpdServiceTest, HearsNoMoreOfAPeerThatAnswersWhatNobodyAsked) {
    start();
    FarEnd& cleanup = add_cleanup(1);
    TestClient& client = connect();
    ASSERT_TRUE(hears(client, 1));
    cleanup.send(wire::SubmitResult{12345, 250, "2.0.0", ""});
    ASSERT_TRUE(until([&] { return !peers->find(1U)->is_heard(); }));
}

TEST_F(SmtpdServiceTest, TakesNoIdsBeyondTheLastOne) {
    grants = false;
    start();
    uint32_t number = 0;
    for (const auto& [first, count] : std::map<MessageId, uint32_t>{{5, 0},
                                                                    {6, 64 * wire::kLeaseIds + 1},
                                                                    {kMessageIdMax - 10, 11},
                                                                    {kMessageIdMax + 1, 1}}) {
        add_cleanup(++number).send(wire::LeaseGrant{1, first, count});
        EXPECT_TRUE(until([&] { return !peers->find(number)->is_heard(); })) << count;
    }
    add_cleanup(++number).send(wire::LeaseGrant{1, kMessageIdMax - 10, 10});
    pass(kSecondUs);
    EXPECT_TRUE(peers->find(number)->is_heard());
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

}  // namespace
}  // namespace posthaste::smtpd
