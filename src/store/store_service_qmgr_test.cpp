// What the store records, lends and tells on the wire to qmgr, whoever that is just now.
#include <gtest/gtest.h>

#include "store/store_service.h"
#include "store/store_service_testing.h"

namespace posthaste::store {
namespace {

TEST_F(StoreServiceTest, OutcomesAreRecordedSoonWithoutMailAndWithTheNextBatchOtherwise) {
    const MessageId first = lease();
    submit(first, "h\r\n", "b\r\n", 1);
    submit(first + 1, "h\r\n", "b\r\n", 2);
    run();
    wire::RecordOutcome outcome;
    outcome.sequence = 1;
    outcome.id = first;
    const std::string state = deferred_state(1'800'000'000);
    outcome.state = state;
    outcome.reasons.push_back({0, "4.4.1", "connect: refused"});
    qmgr_.say(outcome);
    outcome.sequence = 2;
    outcome.id = first + 1;
    outcome.remove = true;
    outcome.state = {};
    outcome.reasons.clear();
    qmgr_.say(outcome);
    run(4 * StoreService::kOutcomeDelayUs);
    const auto recorded = qmgr_.hear<wire::OutcomeRecorded>();
    ASSERT_EQ(recorded.size(), 1u);
    EXPECT_EQ(recorded[0].sequence, 2u);
    on_.disk.power_cut();
    stop();
    const auto store = on_.open();
    EXPECT_EQ(store->load(first)->state, state);
    EXPECT_EQ(store->reasons(first).at(0).text, "connect: refused");
    EXPECT_FALSE(store->has_message(first + 1));
}

// The store was stopped, qmgr died meanwhile, and the next one has asked already.
TEST_F(StoreServiceTest, TheNextQmgrReadsWhatTheOneBeforeItSaidLast) {
    const MessageId id = lease();
    submit(id, "h\r\n", "b\r\n", 1);
    run();
    const std::string state = deferred_state(1'800'000'000);
    wire::RecordOutcome outcome;
    outcome.sequence = 1;
    outcome.id = id;
    outcome.state = state;
    qmgr_.say(outcome);
    FarEnd next(1 << 20);
    next.say(wire::ScanRequest{kNoMessage, 10});
    next.say(wire::LoadMessage{id, true});
    peers_->remove(kQmgr);
    link(next, Role::qmgr, kQmgr + 10, std::nullopt);
    run();
    const auto loaded = next.hear<wire::QueuedMessage>();
    ASSERT_EQ(loaded.size(), 1u);
    EXPECT_EQ(loaded[0].state, state);
    const auto pages = next.hear<wire::ScanPage>();
    ASSERT_EQ(pages.size(), 1u);
    ASSERT_EQ(pages[0].entries.size(), 1u);
    EXPECT_EQ(pages[0].entries[0].due_s, 1'800'000'000u);
    EXPECT_TRUE(next.hear<wire::OutcomeRecorded>().empty()) << "it has said nothing yet";
}

// It said them while the store wrote, and died before the store read again.
TEST_F(StoreServiceTest, WhatADyingQmgrSaidDuringAWriteIsRecorded) {
    const MessageId id = lease();
    submit(id, "h\r\n", "b\r\n", 1);
    run();
    const std::string state = deferred_state(1'800'000'000);
    Timer death{[](void* peers) { static_cast<Peers*>(peers)->remove(kQmgr); }, peers_.get()};
    bool said = false;
    on_.disk.set_on_sync([&](const std::string&) {
        if (std::exchange(said, true)) return;
        wire::RecordOutcome outcome;
        outcome.sequence = 1;
        outcome.id = id;
        outcome.state = state;
        qmgr_.say(outcome);
        loop_.timers().set(death, 0);  // in the next turn
    });
    submit(id + 1, "h\r\n", "b\r\n", 2);
    run();
    on_.disk.set_on_sync(nullptr);
    ASSERT_TRUE(said);
    ASSERT_EQ(peers_->find(kQmgr), nullptr);
    run(4 * StoreService::kOutcomeDelayUs);
    stop();
    EXPECT_EQ(on_.open()->load(id)->state, state);
}

// More than a batch takes; and of questions nothing, to which nobody waits for an answer.
TEST_F(StoreServiceTest, HoweverMuchADyingQmgrSaidIsRecorded) {
    const MessageId id = lease();
    submit(id, "h\r\n", "b\r\n", 1);
    run();
    qmgr_.say(wire::ReleaseContent{id});
    run();
    ASSERT_EQ(arena_.blocks_free(), arena_.blocks_total());
    const std::string state = deferred_state(1'800'000'000);
    const size_t count = StoreService::kOutcomesWaitingMax + 500;
    for (uint64_t sequence = 1; sequence <= count; ++sequence) {
        wire::RecordOutcome outcome;
        outcome.sequence = sequence;
        outcome.id = sequence < count ? id + 1 : id;
        outcome.state = state;
        qmgr_.say(outcome);
        if (sequence == count - 1) qmgr_.say(wire::LoadMessage{id, true});
    }
    peers_->remove(kQmgr);
    run(4 * StoreService::kOutcomeDelayUs);
    EXPECT_EQ(arena_.blocks_free(), arena_.blocks_total()) << "nothing is loaded for the dead";
    stop();
    EXPECT_EQ(on_.open()->load(id)->state, state);
}

TEST_F(StoreServiceTest, TheQmgrThatCameLastIsAnswered) {
    const MessageId id = lease();
    submit(id, "h\r\n", "b\r\n", 1);
    run();
    qmgr_.hear<wire::QueuedMessage>();
    FarEnd next(1 << 20);
    link(next, Role::qmgr, kQmgr + 10, std::nullopt);
    qmgr_.say(wire::ScanRequest{kNoMessage, 10});
    run();
    EXPECT_TRUE(qmgr_.hear<wire::ScanPage>().empty());
    EXPECT_TRUE(next.hear<wire::ScanPage>().empty()) << "it has not asked";
    peers_->remove(kQmgr);
    next.say(wire::ScanRequest{kNoMessage, 10});
    run();
    EXPECT_EQ(next.hear<wire::ScanPage>().size(), 1u);
}

TEST_F(StoreServiceTest, AnOutcomeRepeatedAfterTheRemovalLeavesNothingBehind) {
    const MessageId id = lease();
    submit(id, "h\r\n", "b\r\n", 1);
    run();
    const std::string state = deferred_state(5);
    // The last of them is one that the removal came after.
    for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
        wire::RecordOutcome outcome;
        outcome.sequence = sequence;
        outcome.id = id;
        outcome.remove = sequence == 2;
        outcome.had_state = outcome.remove;
        if (!outcome.remove) outcome.state = state;
        qmgr_.say(outcome);
        run(20 * kMsUs);
    }
    EXPECT_EQ(qmgr_.hear<wire::OutcomeRecorded>().back().sequence, 3u);
    qmgr_.say(wire::LoadMessage{id, true});
    run();
    EXPECT_EQ(qmgr_.hear<wire::MessageGone>().size(), 1u);
    stop();
    const auto store = on_.open();
    store->add_message(id, encoded(envelope_for(id, "x")), {});
    ASSERT_TRUE(store->commit());
    EXPECT_EQ(store->load(id)->state, "");
}

TEST_F(StoreServiceTest, ContentStaysLentUntilItIsReleased) {
    const uint32_t free_before = arena_.blocks_free();
    const MessageId id = lease();
    submit(id, "h\r\n", std::string(30'000, 'b'), 1);
    run();
    EXPECT_EQ(arena_.blocks_free(), free_before - 2);
    wire::RecordOutcome outcome;
    outcome.sequence = 1;
    outcome.id = id;
    outcome.remove = true;
    qmgr_.say(outcome);
    run(20 * kMsUs);
    EXPECT_EQ(arena_.blocks_free(), free_before - 2);  // an agent may still be sending from it
    qmgr_.say(wire::ReleaseContent{id});
    qmgr_.say(wire::ReleaseContent{id});
    run();
    EXPECT_EQ(arena_.blocks_free(), free_before);
}

// However long an agent takes to speak, what it may be sending from is nobody else's.
TEST_F(StoreServiceTest, GivesNothingOfAFormerQmgrAwayBeforeEveryOlderAgentHasSpoken) {
    const uint32_t free_before = arena_.blocks_free();
    const uint32_t stopped = kQmgr + 1;
    const uint32_t dying = kQmgr + 2;
    const uint32_t young = kQmgr + 20;
    const MessageId first = lease();
    for (uint64_t i = 0; i < 3; ++i) submit(first + i, "h\r\n", "body " + std::to_string(i), i);
    run();
    for (const uint32_t agent : {stopped, dying, young}) add_reader(agent);
    peers_->remove(kQmgr);
    FarEnd next(1 << 20);
    link(next, Role::qmgr, kQmgr + 10, std::nullopt);
    run(kMinuteUs);
    // The new one loads a message, has it delivered by another agent, and is done with it.
    for (uint64_t i = 0; i < 2; ++i) {
        next.say(wire::LoadMessage{first + i, true});
        run();
        next.say(wire::ReleaseContent{first + i});
    }
    run(kMinuteUs);
    EXPECT_EQ(arena_.blocks_free(), free_before - 3);
    next.say(wire::HeldContent{{first}, true, stopped});
    run(kMinuteUs);
    EXPECT_EQ(arena_.blocks_free(), free_before - 3) << "the other one has not said";
    peers_->remove(dying);
    run();
    EXPECT_EQ(arena_.blocks_free(), free_before - 1) << "all but what the slow one held";
    next.say(wire::ReleaseContent{first});
    run();
    EXPECT_EQ(arena_.blocks_free(), free_before);
}

TEST_F(StoreServiceTest, WhatAnAgentHeldAndHasReportedComesBackWhenTheLastOneSpeaks) {
    const uint32_t free_before = arena_.blocks_free();
    const uint32_t quick = kQmgr + 1;
    const uint32_t slow = kQmgr + 2;
    const MessageId first = lease();
    for (uint64_t i = 0; i < 2; ++i) submit(first + i, "h\r\n", "body " + std::to_string(i), i);
    run();
    for (const uint32_t agent : {quick, slow}) add_reader(agent);
    peers_->remove(kQmgr);
    FarEnd next(1 << 20);
    link(next, Role::qmgr, kQmgr + 10, std::nullopt);
    run();
    next.say(wire::HeldContent{{first, first + 1}, true, quick});
    // The agent's reports have come: one message was loaded to record it, the other needed no load.
    next.say(wire::LoadMessage{first, true});
    run();
    next.say(wire::ReleaseContent{first});
    next.say(wire::ReleaseContent{first + 1});
    run(kMinuteUs);
    EXPECT_EQ(arena_.blocks_free(), free_before - 2) << "the slow one may be sending from both";
    next.say(wire::HeldContent{{}, true, slow});
    run(kMinuteUs);
    EXPECT_EQ(arena_.blocks_free(), free_before);
}

TEST_F(StoreServiceTest, ANewQmgrSaysWhatAgentsStillHold) {
    const uint32_t free_before = arena_.blocks_free();
    add_reader(kQmgr + 1);
    const MessageId first = lease();
    for (uint64_t i = 0; i < 3; ++i) submit(first + i, "h\r\n", "body " + std::to_string(i), i);
    run();
    peers_->remove(kQmgr);
    run();
    submit(first + 3, "h\r\n", "while there is none", 3);
    run();
    EXPECT_EQ(outcome_of(3), wire::CommitOutcome::durable);
    EXPECT_EQ(arena_.blocks_free(), free_before - 3);
    FarEnd next(1 << 20);
    link(next, Role::qmgr, kQmgr + 10, std::nullopt);
    run();
    EXPECT_EQ(arena_.blocks_free(), free_before - 3);
    next.say(wire::LoadMessage{first, true});
    run();
    const auto loaded = next.hear<wire::QueuedMessage>();
    ASSERT_EQ(loaded.size(), 1u);
    EXPECT_EQ(content_of(loaded[0]), "h\r\nbody 0");
    next.say(wire::HeldContent{{first + 1, first + 777}, false, kQmgr + 1});
    next.say(wire::HeldContent{{}, true, kQmgr + 1});
    run();
    EXPECT_EQ(arena_.blocks_free(),
              free_before - 2);  // the first one is its own, the second one held
    next.say(wire::ScanRequest{kNoMessage, 2});
    next.say(wire::ScanRequest{first + 1, 100});
    run();
    const auto pages = next.hear<wire::ScanPage>();
    ASSERT_EQ(pages.size(), 2u);
    EXPECT_EQ(pages[0].entries.size(), 2u);
    EXPECT_FALSE(pages[0].last);
    EXPECT_EQ(pages[1].entries.at(1).id, first + 3);
    EXPECT_TRUE(pages[1].last);
}

// A cold read waits for the disk; who waits for a 250 waits for no more than a turn's share of them.
TEST_F(StoreServiceTest, MailIsCommittedBetweenTheReadsOfABacklogAndBeforeThem) {
    constexpr uint64_t kBacklog = 40;
    constexpr uint64_t kNewMail = 8;
    const MessageId first = lease();
    for (uint64_t i = 0; i < kBacklog; ++i) submit(first + i, "h\r\n", "b\r\n", i);
    run();
    for (uint64_t i = 0; i < kBacklog; ++i) qmgr_.say(wire::ReleaseContent{first + i});
    run();
    take_back();
    qmgr_.hear<wire::QueuedMessage>();
    qmgr_.forget();

    // Everything comes due, and mail comes in: one message now, the next one whenever one is synced.
    std::vector<size_t> loaded_at_sync;
    uint64_t submitted = 0;
    on_.disk.set_on_sync([&](const std::string&) {
        loaded_at_sync.push_back(qmgr_.hear<wire::QueuedMessage>().size());
        if (submitted == kNewMail) return;
        const uint64_t cookie = 100 + ++submitted;
        submit(first + cookie, "h\r\n", "b\r\n", cookie);
    });
    for (uint64_t i = 0; i < kBacklog; ++i) qmgr_.say(wire::LoadMessage{first + i, true});
    submit(first + 100, "h\r\n", "b\r\n", 100);
    run();
    on_.disk.set_on_sync(nullptr);

    ASSERT_EQ(loaded_at_sync.size(), kNewMail + 1);
    EXPECT_EQ(loaded_at_sync[0], 0u) << "asked for in the same turn, and committed first";
    size_t before = 0;
    for (const size_t loaded : loaded_at_sync) {
        EXPECT_LE(loaded - before, 1 + size_t{StoreService::kReadsATurn})
            << "one is the announcement of the message before";
        before = loaded;
    }
    for (uint64_t i = 0; i <= kNewMail; ++i) EXPECT_TRUE(answered(100 + i)) << i;
    EXPECT_EQ(qmgr_.hear<wire::QueuedMessage>().size(), kBacklog + kNewMail + 1)
        << "and the backlog is loaded in the end";
}

TEST_F(StoreServiceTest, AQmgrThatAsksForMoreThanMayWaitIsHeardWhenItHasBeenAnswered) {
    const MessageId id = lease();
    submit(id, "h\r\n", "b\r\n", 1);
    run();
    qmgr_.hear<wire::QueuedMessage>();
    qmgr_.forget();
    const size_t count = 3 * QmgrLink::kReadsWaitingMax;
    for (size_t i = 0; i < count; ++i) qmgr_.say(wire::LoadMessage{id, true});
    qmgr_.say(wire::ReleaseContent{id});
    run(kSecondUs);
    EXPECT_EQ(qmgr_.hear<wire::QueuedMessage>().size(), count);
}

TEST_F(StoreServiceTest, AFullRingToQmgrBecomesAGapAndLaterAnAnswer) {
    FarEnd narrow(16 * 1024);
    peers_->remove(kQmgr);
    run();
    link(narrow, Role::qmgr, kQmgr + 10, std::nullopt);
    const MessageId first = lease();
    constexpr uint64_t kMany = 120;
    for (uint64_t i = 0; i < kMany; ++i) {
        submit(first + i, "h\r\n", "b\r\n", i);
        if (i % 20 == 19) {
            run();
            take_back();
        }
    }
    for (uint64_t i = 0; i < kMany; ++i) EXPECT_EQ(outcome_of(i), wire::CommitOutcome::durable);
    std::map<MessageId, int> known;
    for (const auto& queued : narrow.hear<wire::QueuedMessage>())
        ++known[decode_envelope(queued.envelope)->id];
    ASSERT_LT(known.size(), kMany);
    run();
    const auto gaps = narrow.hear<wire::AnnounceGap>();
    ASSERT_EQ(gaps.size(), 1u);
    for (MessageId id = first; id < first + kMany; ++id) {
        EXPECT_EQ(known[id], id < gaps[0].first_id ? 1 : 0);
    }
    // Only what was announced is lent, and new mail leaves a quarter of the arena free.
    EXPECT_EQ(arena_.blocks_total() - arena_.blocks_free(),
              std::min<uint64_t>(gaps[0].first_id - first, arena_.blocks_total() / 4 * 3));
    // And goes on as before.
    submit(first + kMany, "h\r\n", "b\r\n", kMany);
    run();
    EXPECT_EQ(decode_envelope(narrow.hear<wire::QueuedMessage>().back().envelope)->id,
              first + kMany);
}

}  // namespace
}  // namespace posthaste::store
