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

TEST_F(StoreServiceTest, WhoTalksGarbageIsHeardNoMoreAndNothingElse) {
    ASSERT_TRUE(cleanup_.channel.send(wire::CommitRequest::kType, "garbage"));
    cleanup_.channel.publish();
    run();
    EXPECT_FALSE(peers_->find(kCleanup)->is_heard());
    EXPECT_TRUE(peers_->find(kQmgr)->is_heard());
    ASSERT_TRUE(qmgr_.channel.send(999, ""));
    qmgr_.channel.publish();
    run();
    EXPECT_FALSE(peers_->find(kQmgr)->is_heard());
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

// What the former store left in cleanup's ring; the smtpd is still shaking hands.
class StoreServiceThatMeetsCleanupFirst : public StoreServiceTest {
 protected:
    static constexpr uint32_t kLateSmtpd = 12;
    static constexpr uint32_t kFirstCleanup = 13;

    StoreServiceThatMeetsCleanupFirst() {
        id_ = lease();
        peers_->remove(kCleanup);
        peers_->remove(kSmtpd);
        smtpd_arena_ = Arena::create_private(kLateSmtpd, 64 * kBlockBytes);
        cleanup_arena_ = Arena::create_private(kFirstCleanup, 64 * kBlockBytes);
        cleanup_ = FarEnd(1 << 20);
        peers_->expect(Role::smtpd, kLateSmtpd);
        submit(id_, "h\r\n", "b\r\n", 1);
        link(cleanup_, Role::cleanup, kFirstCleanup, ArenaView::of(cleanup_arena_));
        run();
        EXPECT_TRUE(cleanup_.hear<wire::CommitResult>().empty());
    }

    void meet_smtpd() {
        peers_->add({Role::smtpd, 1, kLateSmtpd, std::nullopt, ArenaView::of(smtpd_arena_), -1});
    }

    MessageId id_;
};

TEST_F(StoreServiceThatMeetsCleanupFirst, ReadsItWhenItHasMetTheSmtpd) {
    wire::RecordOutcome outcome;
    outcome.sequence = 1;
    outcome.id = id_ + 7;
    qmgr_.say(outcome);
    run(2 * StoreService::kOutcomeDelayUs);
    ASSERT_EQ(qmgr_.hear<wire::OutcomeRecorded>().size(), 1U);
    EXPECT_TRUE(cleanup_.hear<wire::CommitResult>().empty()) << "after a batch of somebody else's";
    meet_smtpd();
    run();
    EXPECT_EQ(outcome_of(1), wire::CommitOutcome::durable);
}

TEST_F(StoreServiceThatMeetsCleanupFirst, ReadsItWhenTheSmtpdIsDead) {
    peers_->expect_no_more(kLateSmtpd);
    run(StoreService::kOwnersPatienceUs);
    EXPECT_EQ(outcome_of(1), wire::CommitOutcome::refused) << "those bytes are nowhere";
}

TEST_F(StoreServiceThatMeetsCleanupFirst, ReadsItAfterASecondAtTheLatest) {
    run(StoreService::kOwnersPatienceUs);
    EXPECT_EQ(outcome_of(1), wire::CommitOutcome::refused);
    meet_smtpd();
    peers_->expect(Role::smtpd, kLateSmtpd + 100);
    submit(id_ + 1, "h\r\n", "b\r\n", 2);
    run();
    EXPECT_EQ(outcome_of(2), wire::CommitOutcome::durable)
        << "one that was born later is not waited for";
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
