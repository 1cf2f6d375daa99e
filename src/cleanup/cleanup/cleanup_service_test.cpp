#include "cleanup/cleanup/cleanup_service.h"

#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>

#include "runtime/testing_loop.h"

#include "cleanup/cleanup/lent_message.h"

namespace posthaste::cleanup {
namespace {

using testing::HasSubstr;

constexpr MessageId kId = 1'700'000'000'000'000;

// The other end of one of cleanup's links, by hand.
class FarEnd {
 public:
    explicit FarEnd(uint32_t incarnation, uint32_t ring_bytes = 64 * 1024)
        : incarnation_(incarnation),
          near_(Segment::create_private(ring_bytes)),
          far_(Segment::create_private(ring_bytes)),
          channel_(Segment::alias(far_), Segment::alias(near_)),
          arena_(Arena::create_private(incarnation, 4 * kMiB)) {}

    PeerParts parts(Role role) {
        return {role,
                0,
                incarnation_,
                Channel(Segment::alias(near_), Segment::alias(far_)),
                ArenaView::of(arena_),
                -1};
    }

    template <class Record>
    void say(const Record& record) {
        std::string body;
        wire::encode(record, body);
        ASSERT_TRUE(channel_.send(Record::kType, body));
        channel_.publish();
    }

    void say_bytes(uint16_t type, std::string_view body) {
        ASSERT_TRUE(channel_.send(type, body));
        channel_.publish();
    }

    // The next record, which must be of that kind; texts are good until the next one is heard.
    template <class Record>
    std::optional<Record> hear() {
        Channel::Record record;
        if (!channel_.receive(record)) return std::nullopt;
        channel_.release();
        body_ = record.body;
        Record out;
        EXPECT_EQ(record.type, Record::kType);
        EXPECT_TRUE(wire::decode(body_, out));
        return out;
    }

    Arena& arena() { return arena_; }

    uint32_t incarnation() const { return incarnation_; }

    // In pieces of piece_bytes, each in a block of its own.
    std::vector<wire::Extent> lend(std::string_view message, size_t piece_bytes = kBlockBytes) {
        std::vector<wire::Extent> out;
        for (size_t at = 0; at < message.size(); at += piece_bytes) {
            const auto piece = message.substr(at, piece_bytes);
            const uint32_t block = *arena_.allocate();
            lent_.push_back(block);
            std::memcpy(arena_.block(block).data(), piece.data(), piece.size());
            out.push_back({incarnation_, block, 0, static_cast<uint32_t>(piece.size())});
        }
        return out;
    }

    void take_back() {
        for (const uint32_t block : std::exchange(lent_, {})) arena_.free(block);
    }

 private:
    uint32_t incarnation_;
    std::vector<uint32_t> lent_;
    Segment near_;
    Segment far_;
    Channel channel_;
    Arena arena_;
    std::string body_;
};

struct RecordingLog final : Log {
    void line(wire::Severity, std::string_view text) override {
        lines.push_back(std::string(text));
    }

    std::vector<std::string> lines;
};

Envelope envelope() {
    Envelope out;
    out.id = kId;
    out.arrived_wall_us = kId;
    out.sender = "me@a.example";
    out.recipients = {{"joe@b.example", "", kNotifyUnset},
                      {"ann", "", kNotifyUnset},
                      {"joe@B.example", "", kNotifyUnset}};
    out.client_name = "client.example";
    out.client_address = "127.0.0.1";
    out.helo = "helo.example";
    out.protocol = "ESMTP";
    return out;
}

struct CleanupServiceTest : testing::Test {
    CleanupServiceTest() {
        peers.set_hooks({this, nullptr, [](void* self, Peer& peer, std::string_view what) {
                             static_cast<CleanupServiceTest*>(self)->misbehaved.push_back(
                                 peer.name() + ": " + std::string(what));
                         }});
        service.attach(peers);
        peers.add(store.parts(Role::store));
        peers.add(smtpd.parts(Role::smtpd));
    }

    static CleanupParts parts() {
        OpenReport report;
        auto policy =
            CleanupPolicy::read(Settings::initial("myhostname = mx.example\nmyorigin = example\n"),
                                {IpAddress::v4(127, 0, 0, 1)}, report);
        EXPECT_TRUE(policy) << report.error;
        return {std::move(*policy), {}, [](int64_t) { return LocalTime{0, "UTC"}; }};
    }

    void submit(uint64_t cookie, std::string_view message, size_t piece_bytes = kBlockBytes) {
        std::string bytes;
        encode_envelope(envelope(), bytes);
        smtpd.say(wire::SubmitMessage{cookie, bytes, smtpd.lend(message, piece_bytes)});
        loop.turn();
    }

    // What the store would gather for a request.
    std::string gathered(const wire::CommitRequest& request) {
        std::string out;
        for (const auto& extent : request.content) {
            Arena& from = extent.incarnation == arena.incarnation() ? arena : smtpd.arena();
            EXPECT_EQ(from.incarnation(), extent.incarnation);
            out += from.bytes(extent.first_block, extent.offset, extent.length);
        }
        return out;
    }

    TestingLoop loop;
    RecordingLog log;
    std::unique_ptr<CounterPage> page = std::make_unique<CounterPage>();
    Settings settings = Settings::initial();
    Arena arena = Arena::create_private(1, 4 * kMiB);
    World world{loop, log, *page, settings, &arena, 0, 1, "cleanup"};
    CleanupService service{world, parts()};
    Peers peers{loop, service};
    FarEnd store{2};
    FarEnd smtpd{3};
    std::vector<std::string> misbehaved;
};

TEST_F(CleanupServiceTest, SendsTheStoreANewHeaderAndTheOldBody) {
    submit(77, "Message-ID: <1@a>\r\nTo: joe\r\nBcc: x\r\n\r\nbody\r\n");
    const auto request = store.hear<wire::CommitRequest>();
    ASSERT_TRUE(request);
    const std::string message = gathered(*request);
    EXPECT_THAT(message,
                testing::StartsWith(
                    "Received: from helo.example (client.example [127.0.0.1])\r\n\tby mx.example"));
    EXPECT_THAT(message, HasSubstr("Message-ID: <1@a>\r\nTo: joe@example\r\nDate: Tue, 14 Nov 2023 "
                                   "22:13:20 +0000 (UTC)\r\n"
                                   "From: me@a.example\r\n\r\nbody\r\n"));
    const auto sent = decode_envelope(request->envelope);
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->size_bytes, message.size());
    ASSERT_EQ(sent->recipients.size(), 2U);
    EXPECT_EQ(sent->recipients[1].address, "ann@example");
    EXPECT_EQ(log.lines, std::vector<std::string>{queue_id_text(kId) + ": message-id=<1@a>"});
    EXPECT_FALSE(smtpd.hear<wire::SubmitResult>())
        << "nothing is answered before the store has answered";
}

TEST_F(CleanupServiceTest, PassesTheStoresAnswerOn) {
    const struct {
        wire::CommitOutcome outcome;
        uint16_t code;
        const char* dsn;
    } rows[] = {{wire::CommitOutcome::durable, 250, "2.0.0"},
                {wire::CommitOutcome::no_space, 452, "4.3.1"},
                {wire::CommitOutcome::busy, 451, "4.3.0"},
                {wire::CommitOutcome::refused, 451, "4.3.0"},
                {static_cast<wire::CommitOutcome>(200), 451, "4.3.0"}};

    for (const auto& row : rows) {
        submit(77, "A: b\r\n\r\n");
        EXPECT_LT(arena.blocks_free(), arena.blocks_total());
        EXPECT_FALSE(service.is_idle());
        store.say(wire::CommitResult{store.hear<wire::CommitRequest>()->cookie, row.outcome});
        loop.turn();
        const auto result = smtpd.hear<wire::SubmitResult>();
        ASSERT_TRUE(result);
        EXPECT_EQ(result->cookie, 77U);
        EXPECT_EQ(result->code, row.code);
        EXPECT_EQ(result->dsn, row.dsn);
        EXPECT_EQ(arena.blocks_free(), arena.blocks_total());
        EXPECT_TRUE(service.is_idle());
    }
}

TEST_F(CleanupServiceTest, CountsHowLongTheStoreTookAndWhatLiesInTheArena) {
    const auto counted = [&](std::string_view name) {
        for (const CounterValue& each : read_counters(*page))
            if (each.name == name) return each.value;
        return UINT64_MAX;
    };
    const auto answered_after = [&](int64_t duration_us, wire::CommitOutcome outcome) {
        submit(77, "A: b\r\n\r\n");
        const uint64_t cookie = store.hear<wire::CommitRequest>()->cookie;
        loop.pass_time(duration_us);
        store.say(wire::CommitResult{cookie, outcome});
        loop.turn();
    };
    answered_after(700, wire::CommitOutcome::durable);
    EXPECT_EQ(counted("store_time"), 700U);
    answered_after(50, wire::CommitOutcome::busy);
    answered_after(300, wire::CommitOutcome::durable);
    EXPECT_EQ(counted("store_time"), 1000U) << "of messages that were taken";
    EXPECT_EQ(counted("arena_blocks_used"), 0U);
    submit(77, "A: b\r\n\r\n");
    answered_after(1, wire::CommitOutcome::durable);
    EXPECT_EQ(counted("arena_blocks_used"), 1U) << "one message is still at the store";
}

TEST_F(CleanupServiceTest, FindsTheHeadersEndAcrossBlocks) {
    std::string header = "Message-ID: <1@a>\r\nFrom: a@b.example\r\nDate: x\r\n";
    const auto survives = [&](const std::string& message, size_t piece_bytes) {
        submit(1, message, piece_bytes);
        const auto request = store.hear<wire::CommitRequest>();
        ASSERT_TRUE(request);
        EXPECT_THAT(gathered(*request), testing::EndsWith("(UTC)\r\n" + message)) << piece_bytes;
        store.say(wire::CommitResult{request->cookie, wire::CommitOutcome::durable});
        loop.turn();
        smtpd.take_back();
    };
    for (size_t piece = 1; piece < 80; ++piece) survives(header + "\r\n\r\n\r\nbody\r\n", piece);
    header.insert(0, "X: " + std::string(2000, 'x') + "\r\nY: " + std::string(1900, 'y') + "\r\n");
    for (size_t piece : {300UL, 2047UL, 2048UL, 2049UL, 16384UL})
        survives(header + "\r\n" + std::string(9000, 'z'), piece);
}

TEST_F(CleanupServiceTest, PlacesALargeHeaderInSeveralBlocks) {
    std::string message;
    while (message.size() < 50'000)
        message += "X-" + std::to_string(message.size()) + ": " + std::string(900, 'v') + "\r\n";
    message += "\r\nbody";
    submit(1, message);
    const auto request = store.hear<wire::CommitRequest>();
    ASSERT_TRUE(request);
    EXPECT_THAT(gathered(*request), HasSubstr(message.substr(0, message.size() - 6)));
    EXPECT_THAT(gathered(*request), testing::EndsWith("\r\n\r\nbody"));
    EXPECT_GE(request->content.size(), 5U);
}

TEST_F(CleanupServiceTest, SaysWhereAHeaderBeyondItsBoundsBecomesBody) {
    std::string message;
    while (message.size() <= kHeaderSectionBytesMax)
        message += "X-" + std::to_string(message.size()) + ": " + std::string(900, 'v') + "\r\n";
    submit(1, message + "\r\nbody");
    ASSERT_TRUE(store.hear<wire::CommitRequest>());
    EXPECT_THAT(log.lines.back(), HasSubstr(" bytes goes on: what follows is sent as body"));
}

TEST_F(CleanupServiceTest, RefusesAMessageThatGoesInCircles) {
    std::string message;
    for (int hop = 0; hop < 50; ++hop) message += "Received: from x\r\n";
    submit(5, message + "\r\n");
    const auto result = smtpd.hear<wire::SubmitResult>();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->code, 554);
    EXPECT_EQ(result->text, "Error: too many hops");
    EXPECT_FALSE(store.hear<wire::CommitRequest>());
    EXPECT_EQ(arena.blocks_free(), arena.blocks_total());
}

TEST_F(CleanupServiceTest, ABrokenEnvelopeCostsThatMessageOnly) {
    smtpd.say(wire::SubmitMessage{9, "junk", smtpd.lend("A: b\r\n\r\n")});
    loop.turn();
    const auto result = smtpd.hear<wire::SubmitResult>();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->code, 451);
    EXPECT_TRUE(misbehaved.empty());
}

TEST_F(CleanupServiceTest, NobodyLendsWhatIsNotHis) {
    FarEnd other(4);
    peers.add(other.parts(Role::smtpd));
    std::string bytes;
    encode_envelope(envelope(), bytes);
    other.say(wire::SubmitMessage{9, bytes, smtpd.lend("A: b\r\n\r\n")});
    loop.turn();
    ASSERT_EQ(misbehaved.size(), 1U);
    EXPECT_THAT(misbehaved[0], HasSubstr("outside of its arena"));
    EXPECT_FALSE(peers.find(4)->is_heard());
    EXPECT_TRUE(peers.find(3)->is_heard());
}

TEST_F(CleanupServiceTest, NobodyLendsTheSameBytesOverAndOver) {
    std::string bytes;
    encode_envelope(envelope(), bytes);
    const wire::Extent whole{smtpd.incarnation(), 0, 0, 4 * kMiB};
    const std::vector<wire::Extent> most(wire::kContentBytesMax / whole.length, whole);
    smtpd.say(wire::SubmitMessage{1, bytes, most});
    loop.turn();
    EXPECT_TRUE(store.hear<wire::CommitRequest>());
    std::vector<wire::Extent> more = most;
    more.push_back({smtpd.incarnation(), 0, 0, 1});
    smtpd.say(wire::SubmitMessage{2, bytes, more});
    loop.turn();
    ASSERT_EQ(misbehaved.size(), 1U);
    EXPECT_THAT(misbehaved[0], HasSubstr("too long"));
    EXPECT_FALSE(store.hear<wire::CommitRequest>());
}

TEST_F(CleanupServiceTest, RecordsThatMakeNoSenseAreReported) {
    smtpd.say_bytes(wire::SubmitMessage::kType, "x");
    loop.turn();
    store.say(wire::CommitResult{123, wire::CommitOutcome::durable});
    loop.turn();
    EXPECT_EQ(misbehaved.size(), 2U);
}

TEST_F(CleanupServiceTest, WhenTheStoreDiesEverythingInFlightIsAnswered) {
    submit(1, "A: b\r\n\r\n");
    submit(2, "A: b\r\n\r\n");
    peers.remove(store.incarnation());
    loop.turn();
    for (uint64_t cookie : {1U, 2U}) {
        const auto result = smtpd.hear<wire::SubmitResult>();
        ASSERT_TRUE(result);
        EXPECT_EQ(result->cookie, cookie);
        EXPECT_EQ(result->code, 451);
    }
    EXPECT_EQ(arena.blocks_free(), arena.blocks_total());
}

TEST_F(CleanupServiceTest, WhileThereIsNoStoreMailWaitsAWhile) {
    peers.remove(store.incarnation());
    submit(1, "A: b\r\n\r\n");
    loop.pass_time(CleanupService::kStorePatienceUs - kSecondUs);
    loop.turn();
    EXPECT_FALSE(smtpd.hear<wire::SubmitResult>());
    FarEnd next(5);
    peers.add(next.parts(Role::store));
    loop.turn();
    EXPECT_TRUE(next.hear<wire::CommitRequest>());

    peers.remove(next.incarnation());
    loop.turn();
    EXPECT_EQ(smtpd.hear<wire::SubmitResult>()->cookie, 1U) << "it was in flight";
    submit(2, "A: b\r\n\r\n");
    EXPECT_FALSE(smtpd.hear<wire::SubmitResult>());
    loop.pass_time(CleanupService::kStorePatienceUs + kSecondUs);
    loop.turn();
    EXPECT_EQ(smtpd.hear<wire::SubmitResult>()->code, 451) << "long enough";
    loop.turn();
    submit(3, "A: b\r\n\r\n");
    EXPECT_EQ(smtpd.hear<wire::SubmitResult>()->code, 451);
}

// A submitter gives it mail as soon as the two have met.
TEST_F(CleanupServiceTest, TakesNothingBeforeItHasMetAStore) {
    auto own_page = std::make_unique<CounterPage>();
    Arena own_arena = Arena::create_private(11, 4 * kMiB);
    World own_world{loop, log, *own_page, settings, &own_arena, 0, 11, "cleanup"};
    CleanupService young(own_world, parts());
    Peers its_peers(loop, young);
    young.attach(its_peers);
    FarEnd client(13);
    its_peers.add(client.parts(Role::smtpd));
    std::string bytes;
    encode_envelope(envelope(), bytes);
    client.say(wire::SubmitMessage{1, bytes, client.lend("A: b\r\n\r\n")});
    loop.turn();
    EXPECT_FALSE(client.hear<wire::SubmitResult>());
    FarEnd its_store(12);
    its_peers.add(its_store.parts(Role::store));
    loop.turn();
    EXPECT_TRUE(its_store.hear<wire::CommitRequest>());
}

TEST_F(CleanupServiceTest, WhenASubmitterDiesItsMailIsFinishedAndItsAnswersAreDropped) {
    submit(1, "A: b\r\n\r\n");
    peers.remove(smtpd.incarnation());
    EXPECT_FALSE(service.is_idle());
    store.say(wire::CommitResult{store.hear<wire::CommitRequest>()->cookie,
                                 wire::CommitOutcome::durable});
    loop.turn();
    EXPECT_TRUE(misbehaved.empty());
    EXPECT_EQ(arena.blocks_free(), arena.blocks_total());
    EXPECT_TRUE(service.is_idle());
}

TEST_F(CleanupServiceTest, LeavesWhenNobodyGivesItAnythingMore) {
    submit(1, "A: b\r\n\r\n");
    store.say(wire::CommitResult{store.hear<wire::CommitRequest>()->cookie,
                                 wire::CommitOutcome::durable});
    loop.turn();
    EXPECT_TRUE(service.is_idle());
    service.on_drain();
    service.on_drain();
    EXPECT_FALSE(service.is_idle()) << "something may be on its way";
    submit(2, "A: b\r\n\r\n");
    EXPECT_TRUE(smtpd.hear<wire::SubmitResult>());
    EXPECT_TRUE(smtpd.hear<wire::NoMoreMail>());
    EXPECT_FALSE(smtpd.hear<wire::NoMoreMail>()) << "asked once";
    smtpd.say(wire::NoMoreMail{});
    loop.turn();
    EXPECT_FALSE(service.is_idle()) << "that message is not answered";
    store.say(wire::CommitResult{store.hear<wire::CommitRequest>()->cookie,
                                 wire::CommitOutcome::durable});
    loop.turn();
    EXPECT_TRUE(service.is_idle());

    FarEnd late(8);
    peers.expect(Role::smtpd, late.incarnation());
    EXPECT_FALSE(service.is_idle()) << "it has our greeting";
    peers.add(late.parts(Role::smtpd));
    loop.turn();
    EXPECT_FALSE(service.is_idle());
    EXPECT_TRUE(late.hear<wire::NoMoreMail>());
    peers.remove(late.incarnation());
    EXPECT_TRUE(service.is_idle());
    EXPECT_TRUE(misbehaved.empty());
    smtpd.say(wire::NoMoreMail{});
    loop.turn();
    EXPECT_FALSE(misbehaved.empty()) << "nobody asked it again";
}

TEST_F(CleanupServiceTest, AFullStoreRingPausesTheSubmitters) {
    peers.remove(store.incarnation());
    FarEnd narrow(5, 1024);
    peers.add(narrow.parts(Role::store));
    std::string bytes;
    encode_envelope(envelope(), bytes);
    for (uint64_t cookie = 1; cookie <= 20; ++cookie) {
        smtpd.say(wire::SubmitMessage{cookie, bytes, smtpd.lend("A: b\r\n\r\nbody")});
    }
    uint64_t heard = 0;
    loop.turn();
    EXPECT_TRUE(peers.find(smtpd.incarnation())->paused());
    const uint32_t held = arena.blocks_total() - arena.blocks_free();
    EXPECT_LT(held, 10U) << "what waits, waits in the submitter's ring";
    for (int turn = 0; turn < 40; ++turn) {
        while (const auto request = narrow.hear<wire::CommitRequest>()) {
            ++heard;
            narrow.say(wire::CommitResult{request->cookie, wire::CommitOutcome::durable});
            EXPECT_THAT(gathered(*request), testing::EndsWith("\r\n\r\nbody"));
        }
        loop.turn();
    }
    EXPECT_EQ(heard, 20U);
    EXPECT_FALSE(peers.find(smtpd.incarnation())->paused());
    uint64_t answers = 0;
    while (const auto result = smtpd.hear<wire::SubmitResult>())
        EXPECT_EQ(result->cookie, ++answers);
    EXPECT_EQ(answers, 20U);
}

TEST_F(CleanupServiceTest, TakesNothingWhileALargestHeaderMightFindNoRoom) {
    const uint32_t reserve =
        std::min(static_cast<uint32_t>(wire::kHeaderWrittenBytesMax / kBlockBytes),
                 arena.blocks_total() / 4);
    std::vector<uint32_t> taken;
    while (arena.blocks_free() > reserve + 1) taken.push_back(*arena.allocate());
    submit(1, "A: b\r\n\r\nbody");
    EXPECT_FALSE(peers.find(smtpd.incarnation())->paused()) << arena.blocks_free();
    submit(2, "A: b\r\n\r\nbody");
    EXPECT_TRUE(peers.find(smtpd.incarnation())->paused()) << arena.blocks_free();
    arena.free(taken.back());
    while (const auto request = store.hear<wire::CommitRequest>())
        store.say(wire::CommitResult{request->cookie, wire::CommitOutcome::durable});
    loop.turn();
    EXPECT_FALSE(peers.find(smtpd.incarnation())->paused());
}

TEST_F(CleanupServiceTest, WhatStalledDiesWithItsSubmitter) {
    peers.remove(store.incarnation());
    FarEnd narrow(5, 1024);
    peers.add(narrow.parts(Role::store));
    std::string bytes;
    encode_envelope(envelope(), bytes);
    for (uint64_t cookie = 1; cookie <= 20; ++cookie) {
        smtpd.say(wire::SubmitMessage{cookie, bytes, smtpd.lend("A: b\r\n\r\nbody")});
    }
    loop.turn();
    peers.remove(smtpd.incarnation());
    for (int turn = 0; turn < 5; ++turn) {
        while (const auto request = narrow.hear<wire::CommitRequest>()) {
            narrow.say(wire::CommitResult{request->cookie, wire::CommitOutcome::durable});
        }
        loop.turn();
    }
    EXPECT_TRUE(service.is_idle());
    EXPECT_EQ(arena.blocks_free(), arena.blocks_total());
}

TEST_F(CleanupServiceTest, RelaysLeasesAndAsksANewStoreAgain) {
    smtpd.say(wire::LeaseRequest{42});
    loop.turn();
    const auto asked = store.hear<wire::LeaseRequest>();
    ASSERT_TRUE(asked);
    peers.remove(store.incarnation());
    FarEnd next(5);
    peers.add(next.parts(Role::store));
    loop.turn();
    const auto again = next.hear<wire::LeaseRequest>();
    ASSERT_TRUE(again);
    next.say(wire::LeaseGrant{again->cookie, 5000, 1024});
    loop.turn();
    const auto grant = smtpd.hear<wire::LeaseGrant>();
    ASSERT_TRUE(grant);
    EXPECT_EQ(grant->cookie, 42U);
    EXPECT_EQ(grant->first, 5000U);
    EXPECT_EQ(grant->count, 1024U);
}

TEST_F(CleanupServiceTest, AReloadThatDoesNotParseKeepsTheSettings) {
    service.on_settings(
        Settings::initial("local_header_rewrite_clients = nonsense\nmyhostname = other.example\n"));
    ASSERT_EQ(log.lines.size(), 1U);
    EXPECT_THAT(log.lines[0], HasSubstr("nonsense"));
    submit(1, "A: b\r\n\r\n");
    EXPECT_THAT(gathered(*store.hear<wire::CommitRequest>()), HasSubstr("by mx.example "));
    service.on_settings(Settings::initial("myhostname = other.example\n"));
    submit(2, "A: b\r\n\r\n");
    EXPECT_THAT(gathered(*store.hear<wire::CommitRequest>()), HasSubstr("by other.example "));
}

TEST(LentMessage, ExtentsFromAnOffsetNameWhatIsLeft) {
    const std::vector<wire::Extent> content = {{9, 4, 100, 50}, {9, 7, 16'000, 40'000}};
    const auto from = [&](uint64_t offset) {
        std::vector<wire::Extent> out;
        append_extents_from(content, offset, out);
        std::vector<std::array<uint32_t, 3>> plain;
        for (const auto& extent : out)
            plain.push_back({extent.first_block, extent.offset, extent.length});
        return plain;
    };
    using Plain = std::vector<std::array<uint32_t, 3>>;
    EXPECT_EQ(from(0), (Plain{{4, 100, 50}, {7, 16'000, 40'000}}));
    EXPECT_EQ(from(49), (Plain{{4, 149, 1}, {7, 16'000, 40'000}}));
    EXPECT_EQ(from(50), (Plain{{7, 16'000, 40'000}}));
    EXPECT_EQ(from(50 + 384), (Plain{{8, 0, 39'616}}));
    EXPECT_EQ(from(50 + 20'000), (Plain{{9, 3232, 20'000}}));
    EXPECT_TRUE(from(40'050).empty());
}

}  // namespace
}  // namespace posthaste::cleanup
