#include "runtime/introduction.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "runtime/testing_loop.h"

namespace posthaste {
namespace {

using Said = std::vector<std::string>;

// A process, as far as links are concerned.
struct Process : PeerListener, Introductions::Listener {
    Process(Role role, uint32_t incarnation, bool with_arena = false) {
        loop.ring_for_real_ = true;
        if (with_arena) {
            auto made = Arena::create(incarnation, 4 * kBlockBytes);
            EXPECT_TRUE(made);
            arena = std::make_unique<Arena>(std::move(*made));
        }
        introductions = std::make_unique<Introductions>(
            loop, peers, Introductions::Self{role, incarnation, arena.get()}, *this);
    }

    ~Process() {
        introductions->leave_all();
        for (int i = 0; i < 100 && introductions->has_links(); ++i) run();
        EXPECT_FALSE(introductions->has_links());
    }

    void run() {
        loop.wake();
        // A rung doorbell stays readable: it is an edge to the real loop, which nobody reads.
        for (int i = 0; i < 3; ++i) loop.poll_once();
        loop.pass_time(2 * TimerWheel::kTickUs);
        loop.turn();
    }

    Said take() { return std::exchange(said, {}); }

    void on_peer_up(Peer& peer) override { said.push_back("up " + peer.name()); }

    void on_peer_down(Peer& peer) override { said.push_back("down " + peer.name()); }

    void on_record(Peer& peer, uint16_t, std::string_view body) override {
        said.push_back(peer.name() + " says " + std::string(body));
    }

    void on_forgotten(Peer& reader, uint32_t incarnation) override {
        said.push_back(reader.name() + " forgot " + std::to_string(incarnation));
    }

    void on_misbehaviour(Role, uint32_t incarnation, std::string_view what) override {
        said.push_back(std::to_string(incarnation) + ": " + std::string(what));
    }

    void on_failed_introduction(Role, uint32_t incarnation, std::string_view what) override {
        said.push_back("stranger " + std::to_string(incarnation) + ": " + std::string(what));
    }

    TestingLoop loop;
    Peers peers{loop, *this};
    std::unique_ptr<Arena> arena;
    std::unique_ptr<Introductions> introductions;
    Said said;
};

constexpr uint32_t kRing = 4096;

control::Introduce terms(Role role, uint32_t incarnation) {
    control::Introduce out;
    out.peer_role = role;
    out.peer_incarnation = incarnation;
    out.own_ring_bytes = kRing;
    out.peer_ring_bytes = kRing;
    return out;
}

void introduce(Process& a, const control::Introduce& to_a, Process& b,
               const control::Introduce& to_b) {
    auto pair = make_control_pair();
    ASSERT_TRUE(pair);
    a.introductions->introduce(to_a, std::move(pair->first));
    b.introductions->introduce(to_b, std::move(pair->second));
    for (int i = 0; i < 3; ++i) {
        a.run();
        b.run();
    }
}

TEST(Introductions, TwoProcessesShakeHandsAndTalk) {
    Process smtpd(Role::smtpd, 1);
    Process cleanup(Role::cleanup, 2);
    introduce(smtpd, terms(Role::cleanup, 2), cleanup, terms(Role::smtpd, 1));
    EXPECT_EQ(smtpd.take(), Said{"up cleanup/0"});
    EXPECT_EQ(cleanup.take(), Said{"up smtpd/0"});
    // cleanup sleeps now; smtpd's doorbell wakes its watch.
    EXPECT_TRUE(smtpd.peers.find(2)->send_bytes(5, "hello"));
    smtpd.run();
    EXPECT_EQ(smtpd.loop.rung_.size(), 1U);
    EXPECT_TRUE(cleanup.loop.poll_once()) << "the doorbell is watched";
    cleanup.run();
    EXPECT_EQ(cleanup.take(), Said{"smtpd/0 says hello"});
}

TEST(Introductions, WhoseLinesTheyAreIsMastersWord) {
    Process smtpd(Role::smtpd, 1);
    Process postlogd(Role::postlogd, 2);
    auto to_smtpd = terms(Role::postlogd, 2);
    auto to_postlogd = terms(Role::smtpd, 1);
    {
        // Texts of a message end with it.
        const std::string tag = "postfix/submission/smtpd";
        to_postlogd.peer_pid = 4711;
        to_postlogd.peer_log_tag = tag;
        introduce(smtpd, to_smtpd, postlogd, to_postlogd);
    }
    ASSERT_NE(postlogd.peers.find(1), nullptr);
    EXPECT_EQ(postlogd.peers.find(1)->pid(), 4711U);
    EXPECT_EQ(postlogd.peers.find(1)->log_tag(), "postfix/submission/smtpd");
}

TEST(Introductions, WhomMasterNamesIsExpectedUntilItIsMetOrDead) {
    Process qmgr(Role::qmgr, 1);
    Process agent(Role::smtp, 2);
    auto pair = make_control_pair();
    ASSERT_TRUE(pair);
    qmgr.introductions->introduce(terms(Role::smtp, 2), std::move(pair->first));
    qmgr.run();
    EXPECT_TRUE(qmgr.peers.expects_any(role_bit(Role::smtp)));
    EXPECT_FALSE(qmgr.peers.expects_any(role_bit(Role::store)));
    agent.introductions->introduce(terms(Role::qmgr, 1), std::move(pair->second));
    qmgr.run();
    EXPECT_EQ(qmgr.take(), Said{"up smtp/0"});
    EXPECT_FALSE(qmgr.peers.expects_any(role_bit(Role::smtp)));
    auto second = make_control_pair();
    ASSERT_TRUE(second);
    qmgr.introductions->introduce(terms(Role::smtp, 3), std::move(second->first));
    EXPECT_TRUE(qmgr.peers.expects_any(role_bit(Role::smtp)));
    qmgr.introductions->forget({3, true});
    EXPECT_FALSE(qmgr.peers.expects_any(role_bit(Role::smtp)));
}

TEST(Introductions, ASilentSideListensWithASmallSegment) {
    Process smtpd(Role::smtpd, 1);
    Process postlogd(Role::postlogd, 2);
    auto to_smtpd = terms(Role::postlogd, 2);
    auto to_postlogd = terms(Role::smtpd, 1);
    to_smtpd.peer_ring_bytes = to_postlogd.own_ring_bytes = 0;
    introduce(smtpd, to_smtpd, postlogd, to_postlogd);
    smtpd.take();
    EXPECT_TRUE(smtpd.peers.find(2)->send_bytes(1, std::string(2000, 'l')));
    smtpd.run();
    postlogd.run();
    EXPECT_EQ(postlogd.said.size(), 2U);
}

// smtpd lends to the store, and nothing else.
struct Loan {
    explicit Loan(uint32_t store = 2)
        : to_smtpd(terms(Role::store, store)), to_store(terms(Role::smtpd, 1)) {
        to_smtpd.own_ring_bytes = to_smtpd.peer_ring_bytes = to_store.own_ring_bytes =
            to_store.peer_ring_bytes = 0;
        to_smtpd.we_lend_arena = true;
        to_store.we_read_arena = true;
    }

    control::Introduce to_smtpd;
    control::Introduce to_store;
};

TEST(Introductions, AnArenaGoesToItsReaderOnly) {
    Process smtpd(Role::smtpd, 1, true);
    Process store(Role::store, 2);
    const Loan loan;
    introduce(smtpd, loan.to_smtpd, store, loan.to_store);
    EXPECT_EQ(smtpd.take(), Said{"up store/0"});
    EXPECT_EQ(store.take(), Said{"up smtpd/0"});
    smtpd.arena->block(3)[7] = 'm';
    EXPECT_EQ(store.peers.bytes(1, 3, 7, 1), std::string_view("m"));
    EXPECT_FALSE(smtpd.peers.bytes(2, 0, 0, 1));
}

// Whatever the owner says of its bytes, to whom ever, the reader can find them.
TEST(Introductions, AnOwnerMeetsItsReaderWhenThatHasMappedTheArena) {
    Process smtpd(Role::smtpd, 1, true);
    Process store(Role::store, 2);
    const Loan loan;
    auto pair = make_control_pair();
    ASSERT_TRUE(pair);
    smtpd.introductions->introduce(loan.to_smtpd, std::move(pair->first));
    store.introductions->introduce(loan.to_store, std::move(pair->second));
    for (int i = 0; i < 5; ++i) smtpd.run();
    EXPECT_EQ(smtpd.take(), Said{}) << "the store has not read a word";
    store.run();
    EXPECT_EQ(store.take(), Said{"up smtpd/0"});
    smtpd.run();
    EXPECT_EQ(smtpd.take(), Said{"up store/0"});
}

// The owner may hear of the death last of all.
TEST(Introductions, ANewReaderSaysWhoWasGoneBeforeTheyMet) {
    Process smtpd(Role::smtpd, 1, true);
    Process store(Role::store, 2);
    for (uint32_t dead = 70; dead < 71 + Introductions::kGoneMax; ++dead)
        store.introductions->forget({dead, true});
    const Loan loan;
    introduce(smtpd, loan.to_smtpd, store, loan.to_store);
    const Said said = smtpd.take();
    ASSERT_EQ(said.size(), 1 + Introductions::kGoneMax);
    EXPECT_EQ(said.front(), "up store/0");
    EXPECT_EQ(said[1], "store/0 forgot 71");
    EXPECT_EQ(said.back(), "store/0 forgot " + std::to_string(70 + Introductions::kGoneMax));
}

TEST(Introductions, EndOfFileMeansThePeerDied) {
    Process smtpd(Role::smtpd, 1);
    {
        Process cleanup(Role::cleanup, 2);
        introduce(smtpd, terms(Role::cleanup, 2), cleanup, terms(Role::smtpd, 1));
        EXPECT_TRUE(cleanup.peers.find(1)->send_bytes(1, "last words"));
        cleanup.run();
        smtpd.take();
    }
    smtpd.run();
    EXPECT_EQ(smtpd.take(), (Said{"cleanup/0 says last words", "down cleanup/0"}));
    for (int i = 0; i < 3; ++i) smtpd.run();
    EXPECT_FALSE(smtpd.introductions->has_links());
}

// smtpd lends to cleanup, cleanup passes on to the store; cleanup dies.
TEST(Introductions, AReaderTellsTheOwnerWhatItHasForgotten) {
    Process smtpd(Role::smtpd, 1, true);
    Process store(Role::store, 3);
    const Loan loan(3);
    introduce(smtpd, loan.to_smtpd, store, loan.to_store);
    {
        Process cleanup(Role::cleanup, 2);
        introduce(smtpd, terms(Role::cleanup, 2), cleanup, terms(Role::smtpd, 1));
        introduce(store, terms(Role::cleanup, 2), cleanup, terms(Role::store, 3));
        smtpd.take();
        store.take();
    }
    store.introductions->forget({2, true});  // the reader is told first
    EXPECT_EQ(store.take(), Said{"down cleanup/0"});
    smtpd.run();
    const auto said = smtpd.take();
    ASSERT_EQ(said.size(), 2U);
    EXPECT_EQ(said[0], "down cleanup/0") << "never before our own notice";
    EXPECT_EQ(said[1], "store/0 forgot 2");
}

// It may go on over a new link, and what it says then may name the same bytes.
TEST(Introductions, ALinkThatEndsIsNoDeath) {
    Process smtpd(Role::smtpd, 1, true);
    Process store(Role::store, 3);
    const Loan loan(3);
    introduce(smtpd, loan.to_smtpd, store, loan.to_store);
    Process cleanup(Role::cleanup, 2);
    introduce(store, terms(Role::cleanup, 2), cleanup, terms(Role::store, 3));
    cleanup.introductions->leave_all();
    store.run();
    EXPECT_EQ(store.take(), (Said{"up smtpd/0", "up cleanup/0", "down cleanup/0"}));
    smtpd.run();
    EXPECT_EQ(smtpd.take(), Said{"up store/0"});
    Process late(Role::smtpd, 4, true);
    Loan second(3);
    second.to_store.peer_incarnation = 4;
    introduce(late, second.to_smtpd, store, second.to_store);
    EXPECT_EQ(late.take(), Said{"up store/0"});
    store.introductions->forget({2, true});
    smtpd.run();
    late.run();
    EXPECT_EQ(smtpd.take(), Said{"store/0 forgot 2"});
    EXPECT_EQ(late.take(), Said{"store/0 forgot 2"});
}

TEST(Introductions, APeerThatBrokeTheRulesKeepsItsLinkUntilItIsDead) {
    Process smtpd(Role::smtpd, 1);
    Process cleanup(Role::cleanup, 2);
    introduce(smtpd, terms(Role::cleanup, 2), cleanup, terms(Role::smtpd, 1));
    cleanup.take();
    smtpd.peers.misbehaved(*smtpd.peers.find(2), "talks nonsense");
    for (int i = 0; i < 3; ++i) {
        smtpd.run();
        cleanup.run();
    }
    EXPECT_EQ(smtpd.take(), (Said{"up cleanup/0", "2: talks nonsense"}));
    EXPECT_EQ(cleanup.take(), Said{}) << "it takes nothing back either";
    smtpd.introductions->forget({2, true});
    EXPECT_EQ(smtpd.take(), Said{"down cleanup/0"});
}

TEST(Introductions, AReaderThatNeverMetTheDeadOneSaysSoWhenMasterTells) {
    Process smtpd(Role::smtpd, 1, true);
    Process store(Role::store, 3);
    auto to_smtpd = terms(Role::store, 3);
    auto to_store = terms(Role::smtpd, 1);
    to_smtpd.we_lend_arena = true;
    to_store.we_read_arena = true;
    introduce(smtpd, to_smtpd, store, to_store);
    smtpd.take();
    store.introductions->forget({76, false});
    store.introductions->forget({77, true});
    smtpd.run();
    EXPECT_EQ(smtpd.take(), Said{"store/0 forgot 77"}) << "nobody waits for a word about 76";
}

TEST(Introductions, ALinkThatCameToNothingGivesWayToANewOne) {
    Process smtpd(Role::smtpd, 1);
    Process cleanup(Role::cleanup, 2);
    auto pair = make_control_pair();
    ASSERT_TRUE(pair);
    smtpd.introductions->introduce(terms(Role::cleanup, 2), std::move(pair->first));
    smtpd.run();
    introduce(smtpd, terms(Role::cleanup, 2), cleanup, terms(Role::smtpd, 1));
    EXPECT_EQ(smtpd.take(), Said{"up cleanup/0"});
    EXPECT_TRUE(smtpd.peers.find(2)->send_bytes(5, "again"));
    smtpd.run();
    cleanup.run();
    EXPECT_EQ(cleanup.said.back(), "smtpd/0 says again");
}

// Who says that they never met lies: what is lent over the link stays where it is.
TEST(Introductions, AnEstablishedLinkGivesWayToNone) {
    Process smtpd(Role::smtpd, 1);
    Process cleanup(Role::cleanup, 2);
    introduce(smtpd, terms(Role::cleanup, 2), cleanup, terms(Role::smtpd, 1));
    smtpd.take();
    auto pair = make_control_pair();
    ASSERT_TRUE(pair);
    smtpd.introductions->introduce(terms(Role::cleanup, 2), std::move(pair->first));
    smtpd.run();
    EXPECT_EQ(smtpd.take(), Said{"2: it wants to be introduced again"});
}

TEST(Introductions, APeerThatNeverSpeaksIsGivenUp) {
    Process smtpd(Role::smtpd, 1);
    auto pair = make_control_pair();
    smtpd.introductions->introduce(terms(Role::cleanup, 2), std::move(pair->first));
    smtpd.run();
    EXPECT_TRUE(smtpd.take().empty());
    smtpd.loop.pass_time(Introductions::kPatienceUs);
    smtpd.run();
    EXPECT_EQ(smtpd.take(), Said{"stranger 2: no handshake in time"});
}

TEST(Introductions, APeerGoneBeforeItSpokeIsNoMisbehaviour) {
    Process smtpd(Role::smtpd, 1);
    auto pair = make_control_pair();
    pair->second.reset();
    smtpd.introductions->introduce(terms(Role::cleanup, 2), std::move(pair->first));
    smtpd.run();
    EXPECT_TRUE(smtpd.take().empty());
}

// The peer by hand: what it may get wrong.
struct ForgedHello : testing::Test {
    ForgedHello() {
        auto made = Segment::create(kRing);
        EXPECT_TRUE(made);
        segment = std::make_unique<Segment>(std::move(*made));
        doorbell.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        hello.role = Role::cleanup;
        hello.incarnation = 2;
        hello.ring_bytes = kRing;
        auto pair = make_control_pair();
        EXPECT_TRUE(pair);
        far = std::move(pair->second);
        smtpd.introductions->introduce(terms(Role::cleanup, 2), std::move(pair->first));
    }

    Said answer() {
        for (int i = 0; i < 3; ++i) smtpd.run();
        return smtpd.take();
    }

    Process smtpd{Role::smtpd, 1};
    std::unique_ptr<Segment> segment;
    Fd doorbell;
    Fd far;
    handshake::Hello hello;
};

TEST_F(ForgedHello, IsTakenWhenRight) {
    ASSERT_TRUE(send_control(far.get(), hello, {segment->memfd(), doorbell.get()}));
    EXPECT_EQ(answer(), Said{"up cleanup/0"});
}

TEST_F(ForgedHello, OfAnotherIdentity) {
    hello.incarnation = 3;
    ASSERT_TRUE(send_control(far.get(), hello, {segment->memfd(), doorbell.get()}));
    EXPECT_EQ(answer(), Said{"stranger 2: it is not whom master introduced"});
}

TEST_F(ForgedHello, OfAnotherLayout) {
    hello.layout_version = 9;
    ASSERT_TRUE(send_control(far.get(), hello, {segment->memfd(), doorbell.get()}));
    EXPECT_EQ(answer(), Said{"stranger 2: it speaks another layout version"});
}

TEST_F(ForgedHello, WithoutDescriptors) {
    ASSERT_TRUE(send_control(far.get(), hello));
    EXPECT_EQ(answer(), Said{"stranger 2: wrong number of descriptors in its hello"});
}

TEST_F(ForgedHello, WithDescriptorsOfOtherKinds) {
    ASSERT_TRUE(send_control(far.get(), hello, {doorbell.get(), doorbell.get()}));
    EXPECT_EQ(answer(), Said{"stranger 2: foreign memfd: not sealed"});
}

TEST_F(ForgedHello, WithADoorbellThatCouldBlock) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
    Fd reading(pipe_ends[0]);
    Fd writing(pipe_ends[1]);
    ASSERT_TRUE(send_control(far.get(), hello, {segment->memfd(), writing.get()}));
    EXPECT_EQ(answer(), Said{"stranger 2: its doorbell is none"});
}

TEST_F(ForgedHello, OfGarbage) {
    ASSERT_TRUE(send_control_bytes(far.get(), handshake::Hello::kType, "garbage", {}));
    EXPECT_EQ(answer(), Said{"stranger 2: its hello is malformed"});
}

TEST_F(ForgedHello, OfTooManyBytes) {
    const std::string large(100'000, 'x');
    ASSERT_EQ(::send(far.get(), large.data(), large.size(), MSG_DONTWAIT),
              static_cast<ssize_t>(large.size()));
    EXPECT_EQ(answer(), Said{"stranger 2: control message: too large"});
}

TEST_F(ForgedHello, AfterItNothingButForgottenFromAReader) {
    ASSERT_TRUE(send_control(far.get(), hello, {segment->memfd(), doorbell.get()}));
    handshake::Forgotten forgotten;
    ASSERT_TRUE(send_control(far.get(), forgotten));
    EXPECT_EQ(answer(), (Said{"up cleanup/0", "2: unexpected message on the link"}))
        << "we lend it no arena";
}

}  // namespace
}  // namespace posthaste
