#include "store/store_service.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>

#include "store/store_service_testing.h"

namespace posthaste::store {
namespace {

TEST_F(StoreServiceTest, AMessageIsDurableAnsweredAndAnnouncedWithItsBytes) {
    const MessageId id = lease();
    const std::string header = "Received: by us\r\n";
    const std::string body = "Subject: hi\r\n\r\n" + std::string(40'000, 'b') + "\r\n";
    submit(id, header, body, 1);
    run();
    EXPECT_EQ(outcome_of(1), wire::CommitOutcome::durable);
    take_back();  // what cleanup and smtpd write there now is of no concern
    const auto queued = qmgr_.hear<wire::QueuedMessage>();
    ASSERT_EQ(queued.size(), 1u);
    EXPECT_EQ(decode_envelope(queued[0].envelope)->id, id);
    EXPECT_EQ(content_of(queued[0]), header + body);
    on_.disk.power_cut();
    stop();
    const auto store = on_.open();
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store->load_content(id).value_or(""), header + body);
}

TEST_F(StoreServiceTest, WhatComesTogetherIsOneSyncedWrite) {
    const MessageId first = lease();
    submit(first, "a\r\n", "warm up\r\n", 1);
    run();
    const uint64_t before = on_.disk.syncs();
    for (uint64_t i = 1; i <= 25; ++i) submit(first + i, "h\r\n", "body\r\n", 100 + i);
    run();
    EXPECT_EQ(on_.disk.syncs() - before, 1u);
    for (uint64_t i = 1; i <= 25; ++i) EXPECT_EQ(outcome_of(100 + i), wire::CommitOutcome::durable);
    EXPECT_EQ(qmgr_.hear<wire::QueuedMessage>().size(), 26u);
}

TEST_F(StoreServiceTest, ABatchCountsItsTimeForEachMessageItBrought) {
    const auto counted = [&](std::string_view name) {
        for (const CounterValue& each : read_counters(page_))
            if (each.name == name) return each.value;
        return UINT64_MAX;
    };
    const MessageId first = lease();
    EXPECT_EQ(counted("batch_time_of_messages"), 0u) << "the lease's write brought no message";
    for (uint64_t i = 0; i < 25; ++i) submit(first + i, "h\r\n", "body\r\n", 100 + i);
    run();
    ASSERT_EQ(counted("messages_committed"), 25u);
    const uint64_t time_us = counted("batch_time_of_messages");
    EXPECT_GE(time_us, 25u) << "the next turn comes later";
    EXPECT_EQ(time_us % 25, 0u);
    EXPECT_EQ(counted("arena_blocks_used"), 25u) << "qmgr has them";
    run();
    EXPECT_EQ(counted("batch_time_of_messages"), time_us) << "each batch once";
}

TEST_F(StoreServiceTest, RequestsThatAreWrongAreRefusedAndNothingIsStored) {
    const MessageId id = lease();
    const std::string envelope = encoded(envelope_for(id, "0123456789"));
    const wire::Extent good = put(smtpd_arena_, "0123456789");
    const auto ask = [&](uint64_t cookie, std::string_view bytes,
                         std::vector<wire::Extent> content) {
        wire::CommitRequest request;
        request.cookie = cookie;
        request.envelope = bytes;
        request.content = std::move(content);
        cleanup_.say(request);
        run();
        return outcome_of(cookie);
    };
    const auto refused = wire::CommitOutcome::refused;
    EXPECT_EQ(ask(1, "no envelope", {good}), refused);
    EXPECT_EQ(ask(2, envelope, {}), refused);
    EXPECT_EQ(ask(3, envelope, {good, good}), refused);
    EXPECT_EQ(ask(4, envelope, {{99, good.first_block, 0, 10}}), refused);
    EXPECT_EQ(ask(5, envelope, {{kSmtpd, 64, 0, 10}}), refused);
    EXPECT_EQ(ask(6, envelope, {{kSmtpd, good.first_block, UINT32_MAX, 10}}), refused);
    const auto never_leased = encoded(envelope_for(id + wire::kLeaseIds, "0123456789"));
    EXPECT_EQ(ask(7, never_leased, {good}), refused);
    EXPECT_TRUE(qmgr_.hear<wire::QueuedMessage>().empty());
    // None of this has used the id up.
    EXPECT_EQ(ask(8, envelope, {good}), wire::CommitOutcome::durable);
    EXPECT_EQ(ask(9, envelope, {good}), refused);
    EXPECT_EQ(qmgr_.hear<wire::QueuedMessage>().size(), 1u);
}

// A list of extents is no more than some kilobytes, whatever it sums up to.
TEST_F(StoreServiceTest, TheSameBytesOverAndOverAreNoMessage) {
    Envelope envelope = envelope_for(lease(), "");
    const wire::Extent whole = put(smtpd_arena_, std::string(64 * kBlockBytes, 'x'));
    wire::CommitRequest request;
    request.cookie = 1;
    request.content.assign(wire::kContentBytesMax / whole.length + 1, whole);
    envelope.size_bytes = request.content.size() * uint64_t{whole.length};
    const std::string bytes = encoded(envelope);
    request.envelope = bytes;
    cleanup_.say(request);
    run();
    EXPECT_EQ(outcome_of(1), wire::CommitOutcome::refused);
}

TEST_F(StoreServiceTest, GarbageEndsTheLinkAndNothingElse) {
    ASSERT_TRUE(cleanup_.channel.send(wire::CommitRequest::kType, "garbage"));
    cleanup_.channel.publish();
    run();
    EXPECT_EQ(peers_->find(kCleanup), nullptr);
    ASSERT_TRUE(qmgr_.channel.send(999, ""));
    qmgr_.channel.publish();
    run();
    EXPECT_EQ(peers_->find(kQmgr), nullptr);
    EXPECT_EQ(failures_, 0);
}

TEST_F(StoreServiceTest, LeasesAreOnDiskBeforeTheyAreTold) {
    const MessageId first = lease();
    on_.disk.power_cut();
    stop();
    const auto store = on_.open();
    EXPECT_GE(store->id_mark(), first + wire::kLeaseIds);
}

TEST_F(StoreServiceTest, AnIdOfAnEarlierStoreMayStillBeUsedOnce) {
    const MessageId first = lease();
    submit(first, "h\r\n", "b\r\n", 1);
    run();
    stop();
    cleanup_ = FarEnd(1 << 20);
    qmgr_ = FarEnd(1 << 20);
    start();
    submit(first, "h\r\n", "again\r\n", 2);
    submit(first + 1, "h\r\n", "b\r\n", 3);
    submit(first + 1, "h\r\n", "again\r\n", 4);
    run();
    EXPECT_EQ(outcome_of(2), wire::CommitOutcome::refused);
    EXPECT_EQ(outcome_of(3), wire::CommitOutcome::durable);
    EXPECT_EQ(outcome_of(4), wire::CommitOutcome::refused);
}

TEST_F(StoreServiceTest, ANearlyFullDiskTakesNoMailButRecordsOutcomes) {
    const MessageId first = lease();
    submit(first, "h\r\n", "b\r\n", 1);
    run();
    free_bytes_ = 1000;
    run(FreeSpace::kAskEveryUs);
    submit(first + 1, "h\r\n", "b\r\n", 2);
    run();
    EXPECT_EQ(outcome_of(2), wire::CommitOutcome::no_space);
    wire::RecordOutcome done;
    done.sequence = 1;
    done.id = first;
    done.remove = true;
    qmgr_.say(done);
    run(20 * kMsUs);
    ASSERT_EQ(qmgr_.hear<wire::OutcomeRecorded>().size(), 1u);
    free_bytes_ = uint64_t{1} << 40;
    run(FreeSpace::kAskEveryUs);
    submit(first + 2, "h\r\n", "b\r\n", 3);
    run();
    EXPECT_EQ(outcome_of(3), wire::CommitOutcome::durable);
}

TEST_F(StoreServiceTest, HolesInTheQueueAreGivenBackWhileMailIsRefusedForThem) {
    stop();
    {
        const auto store = on_.open();
        ASSERT_NO_FATAL_FAILURE(leave_holes(*store, 300, 2));
    }
    cleanup_ = FarEnd(1 << 20);
    qmgr_ = FarEnd(1 << 20);
    free_bytes_ = free_space_floor(settings_) - 1;
    start();
    const auto blobs = [&] {
        return service_->queue().property("rocksdb.live-blob-file-size").value_or(0);
    };
    const uint64_t before = blobs();
    const MessageId id = lease();
    uint64_t cookie = 0;
    while (cookie < 1000 && blobs() > before * 6 / 10) {
        submit(id, "h\r\n", "b\r\n", ++cookie);
        run(StoreService::kCollectEveryUs);
        ASSERT_EQ(outcome_of(cookie), wire::CommitOutcome::no_space);
        ::usleep(1'000);
    }
    EXPECT_LT(blobs(), before * 6 / 10);
    EXPECT_TRUE(on_.log.says("not enough free space for the queue: 1023 MiB, less than 1024 MiB"));
    free_bytes_ = free_space_floor(settings_);
    run(FreeSpace::kAskEveryUs);
    submit(id, "h\r\n", "b\r\n", ++cookie);
    run();
    EXPECT_EQ(outcome_of(cookie), wire::CommitOutcome::durable);
    EXPECT_TRUE(on_.log.says("there is room on the disk again"));
}

// Between two looks at the disk more may come than lies above the floor.
TEST_F(StoreServiceTest, WhatWasTakenSinceTheLastLookAtTheDiskCounts) {
    const MessageId first = lease();
    const std::string body(100'000, 'b');
    free_bytes_ = free_space_floor(settings_) + 250'000;
    run(FreeSpace::kAskEveryUs);
    for (uint64_t i = 0; i < 4; ++i) submit(first + i, "h\r\n", body, i);
    run();
    for (uint64_t i = 0; i < 4; ++i) {
        EXPECT_EQ(outcome_of(i),
                  i < 3 ? wire::CommitOutcome::durable : wire::CommitOutcome::no_space);
    }
}

TEST(FreeSpaceFloor, LeavesRoomForWhatRocksdbWritesAtOnce) {
    EXPECT_EQ(free_space_floor(Settings::initial()), 1024 * kMiB);
    EXPECT_EQ(free_space_floor(Settings::initial("store_write_buffer_size = 8M\n")), 128 * kMiB);
    EXPECT_EQ(free_space_floor(Settings::initial("store_free_space_floor = 64M\n")), 64 * kMiB);
    EXPECT_EQ(free_space_floor(Settings::initial("store_free_space_floor = 1M\n")), 15'360'000u);
}

TEST_F(StoreServiceTest, AFailedSyncAnswersBusyToAllAndThenEndsTheProcess) {
    const MessageId first = lease();
    on_.disk.fail_after(0, SimDisk::Fault::io_error, ".log");
    submit(first, "h\r\n", "b\r\n", 1);
    submit(first + 1, "h\r\n", "b\r\n", 2);
    cleanup_.say(wire::LeaseRequest{9});
    run();
    EXPECT_EQ(outcome_of(1), wire::CommitOutcome::busy);
    EXPECT_EQ(outcome_of(2), wire::CommitOutcome::busy);
    EXPECT_EQ(cleanup_.hear<wire::LeaseGrant>().back().count, 0u);
    EXPECT_TRUE(qmgr_.hear<wire::QueuedMessage>().empty());
    EXPECT_EQ(failures_, 1);
    run(kSecondUs);
    EXPECT_EQ(failures_, 1);
    EXPECT_EQ(arena_.blocks_free(), arena_.blocks_total());
}

// The first process that can not read something ends; the next one does not, or one bad sector
// would stop all mail.
TEST_F(StoreServiceTest, AMessageThatCanNotBeReadEndsOneStoreAndNotTheNext) {
    const auto restart = [&] {
        stop();
        cleanup_ = FarEnd(1 << 20);
        qmgr_ = FarEnd(1 << 20);
        start();
    };
    const MessageId id = lease();
    submit(id, "h\r\n", std::string(30'000, 'b'), 1);
    run();
    restart();
    on_.disk.fail_reads(SimDisk::Fault::io_error, ".blob");
    qmgr_.say(wire::LoadMessage{id, true});
    run();
    EXPECT_EQ(failures_, 1);
    EXPECT_TRUE(qmgr_.hear<wire::MessageGone>().empty());
    restart();
    qmgr_.say(wire::LoadMessage{id, true});
    run();
    EXPECT_EQ(failures_, 1);
    EXPECT_EQ(qmgr_.hear<wire::MessageGone>().size(), 1u);
    on_.disk.heal();
    restart();
    qmgr_.say(wire::LoadMessage{id, true});
    run();
    ASSERT_EQ(qmgr_.hear<wire::QueuedMessage>().size(), 1u);
    EXPECT_EQ(service_->queue().quarantined_total(), 0u);
    EXPECT_FALSE(service_->queue().leaves_unreadable());
}

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
    for (uint64_t sequence = 1; sequence <= 4; ++sequence) {
        wire::RecordOutcome outcome;
        outcome.sequence = sequence;
        outcome.id = id;
        outcome.remove = sequence % 2 == 0;
        outcome.had_state = outcome.remove;
        if (!outcome.remove) outcome.state = state;
        qmgr_.say(outcome);
        run(20 * kMsUs);
    }
    EXPECT_EQ(qmgr_.hear<wire::OutcomeRecorded>().back().sequence, 4u);
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

TEST_F(StoreServiceTest, AnswersWaitForRoomAndNoneIsLost) {
    FarEnd narrow(4096);
    peers_->remove(kCleanup);
    run();
    link(narrow, Role::cleanup, kCleanup + 10, std::nullopt);
    // More leases than answers fit the ring; nobody reads.
    size_t asked = 0;
    for (int round = 0; round < 40; ++round) {
        std::string bytes;
        for (int i = 0; i < 10; ++i) {
            wire::encode(wire::LeaseRequest{asked}, bytes);
            if (narrow.channel.send(wire::LeaseRequest::kType, bytes)) ++asked;
        }
        narrow.channel.publish();
        run();
    }
    EXPECT_GT(asked, 150u);
    EXPECT_TRUE(peers_->find(kCleanup + 10)->paused());
    size_t heard = 0;
    for (int round = 0; round < 40 && heard < asked; ++round) {
        heard = narrow.hear<wire::LeaseGrant>().size();
        run();
    }
    const auto grants = narrow.hear<wire::LeaseGrant>();
    ASSERT_EQ(grants.size(), asked);
    for (size_t i = 0; i < asked; ++i) EXPECT_EQ(grants[i].cookie, i);
}

class StoreServiceWithSmallArena : public StoreServiceTest {
 protected:
    StoreServiceWithSmallArena() : StoreServiceTest(8 * kBlockBytes) {}
};

TEST_F(StoreServiceWithSmallArena, AFullArenaDelaysDeliveryAndNotAcceptance) {
    const MessageId first = lease();
    for (uint64_t i = 0; i < 10; ++i) submit(first + i, "h\r\n", "body " + std::to_string(i), i);
    run();
    for (uint64_t i = 0; i < 10; ++i) EXPECT_EQ(outcome_of(i), wire::CommitOutcome::durable);
    const auto queued = qmgr_.hear<wire::QueuedMessage>();
    ASSERT_EQ(queued.size(), 10u);
    EXPECT_EQ(content_of(queued[5]), "h\r\nbody 5");
    EXPECT_TRUE(queued[6].content.empty());  // two blocks are kept for what qmgr loads
    qmgr_.forget();
    for (const uint64_t i : {6u, 7u, 8u}) qmgr_.say(wire::LoadMessage{first + i, true});
    run();
    const auto loaded = qmgr_.hear<wire::QueuedMessage>();
    ASSERT_EQ(loaded.size(), 3u);
    EXPECT_EQ(content_of(loaded[1]), "h\r\nbody 7");
    EXPECT_TRUE(loaded[2].content.empty());
    qmgr_.say(wire::ReleaseContent{first});
    qmgr_.say(wire::LoadMessage{first + 8, true});
    qmgr_.say(wire::LoadMessage{first + 9, false});
    run();
    const auto again = qmgr_.hear<wire::QueuedMessage>();
    EXPECT_EQ(content_of(again.at(3)), "h\r\nbody 8");
    EXPECT_TRUE(again.at(4).content.empty());
}

TEST_F(StoreServiceWithSmallArena, WhatCanNeverBeSentIsNotAcceptedAndStandsInNobodysWay) {
    const MessageId first = lease();
    submit(first, "h\r\n", std::string(8 * kBlockBytes, 'b'), 1);
    submit(first + 1, "h\r\n", std::string(8 * kBlockBytes - 3, 'b'), 2);
    run();
    EXPECT_EQ(outcome_of(1), wire::CommitOutcome::refused);
    EXPECT_EQ(outcome_of(2), wire::CommitOutcome::durable);
    EXPECT_TRUE(on_.log.says("raise store_arena_size"));
    // Accepted when there was more memory.
    stop();
    {
        const auto store = on_.open();
        add(*store, first + 2, std::string(9 * kBlockBytes, 'b'));
        ASSERT_TRUE(store->commit());
    }
    qmgr_ = FarEnd(1 << 20);
    start();
    qmgr_.say(wire::LoadMessage{first + 2, true});
    qmgr_.say(wire::LoadMessage{first + 1, true});
    run();
    EXPECT_EQ(qmgr_.hear<wire::MessageGone>().size(), 1u);
    EXPECT_EQ(qmgr_.hear<wire::QueuedMessage>().size(), 1u);
    EXPECT_TRUE(on_.log.says("left in the queue"));
}

TEST_F(StoreServiceWithSmallArena, NothingIsReadForWhichThereIsNoRoom) {
    const MessageId first = lease();
    const std::string body(2 * kBlockBytes, 'b');
    for (uint64_t i = 0; i < 4; ++i) submit(first + i, "h\r\n", body, i);
    run();
    stop();
    qmgr_ = FarEnd(1 << 20);
    arena_ = Arena::create_private(kStore, 8 * kBlockBytes);
    start();
    qmgr_.say(wire::LoadMessage{first, true});
    qmgr_.say(wire::LoadMessage{first + 1, true});
    run();
    EXPECT_EQ(arena_.blocks_free(), 2u);
    on_.disk.fail_reads(SimDisk::Fault::io_error, ".blob");
    qmgr_.say(wire::LoadMessage{first + 2, true});
    run();
    EXPECT_EQ(failures_, 0);
    ASSERT_EQ(qmgr_.hear<wire::QueuedMessage>().size(), 3u);
    EXPECT_TRUE(qmgr_.hear<wire::QueuedMessage>()[2].content.empty());
    on_.disk.heal();
    qmgr_.say(wire::ReleaseContent{first});
    qmgr_.say(wire::LoadMessage{first + 2, true});
    run();
    EXPECT_EQ(content_of(qmgr_.hear<wire::QueuedMessage>().back()), "h\r\n" + body);
}

TEST_F(StoreServiceWithSmallArena, AFragmentedArenaStillTakesALongMessage) {
    const MessageId first = lease();
    for (uint64_t i = 0; i < 6; ++i) submit(first + i, "h\r\n", "b\r\n", i);
    run();
    for (const uint64_t i : {0u, 2u, 4u}) qmgr_.say(wire::ReleaseContent{first + i});
    run();
    take_back();
    std::string body;
    for (int i = 0; i < 6000; ++i) body += std::to_string(i) + ",";
    submit(first + 10, "h\r\n", body, 10);
    run();
    EXPECT_EQ(outcome_of(10), wire::CommitOutcome::durable);
    EXPECT_EQ(content_of(qmgr_.hear<wire::QueuedMessage>().back()), "h\r\n" + body);
}

}  // namespace
}  // namespace posthaste::store
