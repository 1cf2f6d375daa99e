#include "runtime/peers.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "runtime/channel_layout.h"
#include "runtime/testing_loop.h"

namespace posthaste {
namespace {

constexpr uint32_t kRing = 1024;

// The other end of one link, by hand.
struct FarEnd {
    FarEnd()
        : near_segment(Segment::create_private(kRing)),
          far_segment(Segment::create_private(kRing)),
          channel(Segment::alias(far_segment), Segment::alias(near_segment)) {}

    PeerParts parts(Role role, uint32_t incarnation, int doorbell) {
        return {role,         static_cast<uint16_t>(incarnation % 10),
                incarnation,  Channel(Segment::alias(near_segment), Segment::alias(far_segment)),
                std::nullopt, doorbell};
    }

    void say(std::string_view body) {
        ASSERT_TRUE(channel.send(1, body));
        rings += channel.publish() ? 1 : 0;
    }

    std::vector<std::string> hear() {
        std::vector<std::string> out;
        Channel::Record record;
        while (channel.receive(record)) out.emplace_back(record.body);
        near_waits_for_room |= channel.release();
        return out;
    }

    Segment near_segment;
    Segment far_segment;
    Channel channel;
    int rings = 0;
    bool near_waits_for_room = false;
};

struct Recorder : PeerListener {
    void on_peer_up(Peer& peer) override { said.push_back("up " + peer.name()); }

    void on_peer_down(Peer& peer) override { said.push_back("down " + peer.name()); }

    void on_record(Peer& peer, uint16_t, std::string_view body) override {
        said.push_back(std::string(body));
        if (body == "bad") peers->misbehaved(peer, "said bad");
        if (body == "pause") peer.pause();
    }

    void on_room(Peer& peer) override { said.push_back("room " + peer.name()); }

    void on_forgotten(Peer& reader, uint32_t incarnation) override {
        said.push_back(reader.name() + " forgot " + std::to_string(incarnation));
    }

    std::vector<std::string> take() { return std::exchange(said, {}); }

    std::vector<std::string> said;
    Peers* peers = nullptr;
};

struct PeersTest : testing::Test {
    PeersTest() {
        recorder.peers = &peers;
        peers.set_hooks({this,
                         [](void* self, uint32_t incarnation) {
                             static_cast<PeersTest*>(self)->removed.push_back(incarnation);
                         },
                         [](void* self, Peer& peer, std::string_view what) {
                             static_cast<PeersTest*>(self)->recorder.said.push_back(
                                 peer.name() + ": " + std::string(what));
                         }});
    }

    using Said = std::vector<std::string>;
    TestingLoop loop;
    Recorder recorder;
    Peers peers{loop, recorder};
    FarEnd far;
    FarEnd other;
    std::vector<uint32_t> removed;
};

TEST_F(PeersTest, RecordsSentDuringATurnBecomeVisibleAtItsEnd) {
    Peer& peer = peers.add(far.parts(Role::cleanup, 11, 5));
    EXPECT_TRUE(peer.send_bytes(1, "one"));
    EXPECT_TRUE(peer.send_bytes(1, "two"));
    EXPECT_TRUE(far.hear().empty());
    EXPECT_TRUE(loop.turn());
    EXPECT_EQ(far.hear(), (Said{"one", "two"}));
    EXPECT_TRUE(loop.rung_.empty()) << "the far end is awake";
}

TEST_F(PeersTest, RingsASleepingPeerOnceForABatch) {
    Peer& peer = peers.add(far.parts(Role::cleanup, 11, 5));
    ASSERT_TRUE(far.channel.prepare_sleep());
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(peer.send_bytes(1, "x"));
    loop.turn();
    EXPECT_TRUE(peer.send_bytes(1, "y"));
    loop.turn();
    EXPECT_EQ(loop.rung_, std::vector<int>{5});
}

TEST_F(PeersTest, LastWordsAreVisibleAtOnceAndRungForAtTheEndOfTheTurn) {
    Peer& peer = peers.add(far.parts(Role::postlogd, 11, 5));
    ASSERT_TRUE(far.channel.prepare_sleep());
    EXPECT_TRUE(peer.send_bytes(1, "last words"));
    peer.publish_now();
    EXPECT_EQ(far.hear(), Said{"last words"});
    EXPECT_TRUE(loop.rung_.empty());
    loop.turn();
    EXPECT_EQ(loop.rung_, std::vector<int>{5});
}

TEST_F(PeersTest, WhatAnotherListenerSendsAfterOurTurnEndIsPublishedBeforeSleep) {
    struct Late : TurnListener {
        void on_turn_end() override { EXPECT_TRUE(peer->send_bytes(1, "late")); }

        Peer* peer = nullptr;
    } late;

    late.peer = &peers.add(far.parts(Role::cleanup, 11, 5));
    loop.add_listener(late);
    loop.turn();
    EXPECT_EQ(far.hear(), Said{"late"});
}

TEST_F(PeersTest, SleepsOnlyWhenEveryRingIsEmptyAndIsRungForThen) {
    peers.add(far.parts(Role::cleanup, 11, 5));
    EXPECT_TRUE(loop.turn());
    far.say("a");
    EXPECT_EQ(far.rings, 1);
    far.say("b");
    EXPECT_EQ(far.rings, 1);
    loop.wake();
    far.say("c");
    EXPECT_EQ(far.rings, 1) << "awake, it looks by itself";
    loop.turn();
    EXPECT_EQ(recorder.take(), (Said{"up cleanup/1", "a", "b", "c"}));
    far.say("d");
    EXPECT_EQ(far.rings, 2);
}

TEST_F(PeersTest, ATalkativePeerDoesNotStarveAnother) {
    peers.add(far.parts(Role::cleanup, 11, 5));
    peers.add(other.parts(Role::cleanup, 12, 6));
    // 1024 bytes hold 64 records of 8 bytes; a turn takes them all. A bound of kRecordsATurn needs
    // a larger ring.
    Segment talker = Segment::create_private(64 * 1024);
    Segment listener = Segment::create_private(kRing);
    peers.add({Role::smtpd, 3, 13, Channel(Segment::alias(listener), Segment::alias(talker)),
               std::nullopt, 7});
    Channel talking(Segment::alias(talker), Segment::alias(listener));
    for (size_t i = 0; i < 2 * Peers::kRecordsATurn; ++i) ASSERT_TRUE(talking.send(1, "talk"));
    talking.publish();
    recorder.take();
    other.say("me too");
    EXPECT_FALSE(loop.turn()) << "there is more";
    auto said = recorder.take();
    EXPECT_EQ(said.size(), Peers::kRecordsATurn + 1);
    EXPECT_EQ(said.front(), "me too");
    loop.turn();
    EXPECT_TRUE(loop.turn());
    EXPECT_EQ(recorder.take().size(), Peers::kRecordsATurn);
}

TEST_F(PeersTest, APausedPeerIsNotReadAndDoesNotKeepTheLoopAwake) {
    Peer& peer = peers.add(far.parts(Role::cleanup, 11, 5));
    far.say("pause");
    far.say("waits");
    EXPECT_TRUE(loop.turn());
    EXPECT_EQ(recorder.take(), (Said{"up cleanup/1", "pause"}));
    loop.wake();
    peer.resume();
    loop.turn();
    EXPECT_EQ(recorder.take(), Said{"waits"});
}

TEST_F(PeersTest, TellsWhenRoomCame) {
    Peer& peer = peers.add(far.parts(Role::cleanup, 11, 5));
    recorder.take();
    while (peer.send_bytes(1, std::string(100, 'x'))) {
    }
    EXPECT_FALSE(peer.has_room(100));
    EXPECT_TRUE(loop.turn());
    EXPECT_TRUE(recorder.take().empty());
    EXPECT_EQ(far.hear().size(), 9U);
    EXPECT_TRUE(far.near_waits_for_room);
    loop.wake();
    loop.turn();
    EXPECT_EQ(recorder.take(), Said{"room cleanup/1"});
    EXPECT_TRUE(peer.send_bytes(1, "fits"));
}

TEST_F(PeersTest, ReadsTheLastWordsOfADeadPeer) {
    peers.add(far.parts(Role::cleanup, 11, 5));
    far.say("last");
    far.say("words");
    peers.remove(11);
    EXPECT_EQ(recorder.take(), (Said{"up cleanup/1", "last", "words", "down cleanup/1"}));
    EXPECT_EQ(removed, std::vector<uint32_t>{11});
    EXPECT_EQ(peers.find(11), nullptr);
    peers.remove(11);
    EXPECT_EQ(removed.size(), 1U);
}

TEST_F(PeersTest, AMisbehavingPeerIsHeardNoMoreAndStaysUntilItIsRemoved) {
    Peer& peer = peers.add(far.parts(Role::cleanup, 11, 5));
    far.say("bad");
    far.say("never read");
    EXPECT_TRUE(loop.turn());
    EXPECT_EQ(recorder.take(), (Said{"up cleanup/1", "bad", "cleanup/1: said bad"}));
    EXPECT_FALSE(peer.send_bytes(1, "an answer"));
    peers.misbehaved(peer, "again");
    loop.turn();
    EXPECT_TRUE(recorder.take().empty()) << "accused once, and its memory is its own still";
    peers.remove(11);
    EXPECT_EQ(recorder.take(), (Said{"down cleanup/1"}));
    EXPECT_EQ(removed, std::vector<uint32_t>{11});
}

TEST_F(PeersTest, ABrokenRingIsMisbehaviour) {
    peers.add(far.parts(Role::cleanup, 11, 5));
    far.far_segment.header()->tail.store(3, std::memory_order_relaxed);
    loop.turn();
    loop.turn();
    EXPECT_EQ(recorder.take(), (Said{"up cleanup/1", "cleanup/1: its tail lies outside its ring"}));
}

TEST_F(PeersTest, ForgottenWaitsForOurOwnNoticeOfTheDeath) {
    peers.add(far.parts(Role::cleanup, 11, 5));
    peers.add(other.parts(Role::store, 21, 6));
    recorder.take();
    peers.forgotten(21, 11);
    peers.forgotten(21, 11);
    EXPECT_TRUE(recorder.take().empty()) << "we still hold that peer's loans as alive";
    peers.remove(11);
    EXPECT_EQ(recorder.take(), (Said{"down cleanup/1", "store/1 forgot 11"}));
    peers.forgotten(21, 99);
    EXPECT_EQ(recorder.take(), Said{"store/1 forgot 99"});
    peers.forgotten(1234, 99);
    EXPECT_TRUE(recorder.take().empty());
}

TEST_F(PeersTest, FindsBytesOnlyInTheArenaTheyName) {
    Arena arena = Arena::create_private(31, 2 * kBlockBytes);
    arena.block(1)[0] = 'm';
    peers.add({Role::smtpd, 0, 31, std::nullopt, ArenaView::of(arena), -1});
    peers.add(far.parts(Role::cleanup, 11, 5));
    EXPECT_EQ(peers.bytes(31, 1, 0, 1), std::string_view("m"));
    EXPECT_FALSE(peers.bytes(31, 2, 0, 1));
    EXPECT_FALSE(peers.bytes(11, 0, 0, 1)) << "it lends us none";
    EXPECT_FALSE(peers.bytes(32, 0, 0, 1));
    loop.turn();
}

TEST_F(PeersTest, ALingererIsNotRungForWhileRecordsCome) {
    peers.set_linger_us(20 * kMsUs);
    peers.add(far.parts(Role::smtpd, 11, 5));
    EXPECT_TRUE(loop.turn());
    far.say("first");
    EXPECT_EQ(far.rings, 1) << "it slept properly";
    loop.wake();
    for (int period = 0; period < 5; ++period) {
        EXPECT_TRUE(loop.turn()) << "sleeps, but under a timer";
        EXPECT_NE(loop.timers().size(), 0U);
        far.say("more");
        far.say("and more");
        loop.pass_time(25 * kMsUs);
    }
    EXPECT_EQ(far.rings, 1);
    loop.turn();
    EXPECT_EQ(recorder.take().size(), 1 + 1 + 10U);
    // A whole period without a record, and it sleeps as everybody does: no timer, and it is rung
    // for.
    loop.pass_time(25 * kMsUs);
    EXPECT_TRUE(loop.turn());
    EXPECT_EQ(loop.timers().size(), 0U);
    far.say("wake up");
    EXPECT_EQ(far.rings, 2);
}

}  // namespace
}  // namespace posthaste
