#include <algorithm>
#include <gtest/gtest.h>
#include <unistd.h>

#include "store/free_space.h"
#include "store/queue_store.h"
#include "store/store_testing.h"

namespace posthaste::store {
namespace {

// A full disk is worked off: what was delivered must give its bytes back though no mail comes.
TEST(QueueStore, WhatWasRemovedGivesItsDiskBackWhenRoomIsWanted) {
    OnSimDisk on;
    const auto store = on.open();
    for (MessageId id = 1; id <= 400; ++id)
        add(*store, id, content_of(id, 5'000 + id % 2 * 20'000));
    ASSERT_TRUE(store->commit());
    ASSERT_TRUE(store->flush());
    const auto used = [&] {
        return store->property("rocksdb.total-sst-files-size").value_or(0) +
               store->property("rocksdb.total-blob-file-size").value_or(0);
    };
    ASSERT_GT(used(), 4'000'000u);
    for (MessageId id = 1; id <= 400; ++id) {
        store->remove_message(id, false);
        ASSERT_TRUE(id % 40 != 0 || store->commit());
    }
    store->make_room();
    for (int i = 0; i < 1000 && used() > 100'000; ++i) ::usleep(10'000);
    EXPECT_LT(used(), 100'000u);
}

constexpr MessageId kMessages = 1200;

// Looks until nothing is being copied and `is_done`; the most that blob files held meanwhile.
template <class IsDone>
uint64_t collect(QueueStore& store, uint64_t bytes_max, bool is_short, IsDone is_done) {
    uint64_t most = 0;
    for (int i = 0; i < 3000; ++i) {
        const QueueGarbage garbage = store.collect_garbage(bytes_max, is_short);
        EXPECT_LE(garbage.reserved_bytes, bytes_max);
        most = std::max(most, store.property("rocksdb.total-blob-file-size").value_or(0));
        if (garbage.reserved_bytes == 0 && is_done()) break;
        ::usleep(5'000);
    }
    return most;
}

void expect_whole(QueueStore& store, MessageId every) {
    for (MessageId id = every; id <= kMessages; id += every) {
        const auto content = store.load_content(id);
        ASSERT_TRUE(content) << id;
        EXPECT_EQ(*content, content_of(id, 40'000));
    }
}

uint64_t blob_bytes(const QueueStore& store) {
    return store.property("rocksdb.live-blob-file-size").value_or(0);
}

TEST(QueueStore, HolesThatTakeMoreThanIsFreeGoBackToTheDisk) {
    OnSimDisk on;
    const auto store = on.open();
    EXPECT_EQ(store->collect_garbage(0, false).bytes, 0u);
    ASSERT_NO_FATAL_FAILURE(leave_holes(*store, kMessages, 3));
    const uint64_t before = blob_bytes(*store);
    // There is room for as much again.
    const QueueGarbage idle = store->collect_garbage(before, false);
    EXPECT_GT(idle.bytes, before / 2);
    EXPECT_EQ(idle.reserved_bytes, 0u);
    const auto few = [&] { return blob_bytes(*store) < before / 2; };
    EXPECT_LT(collect(*store, before / 2, false, few), before + before / 2);
    EXPECT_TRUE(few());
    expect_whole(*store, 3);
}

// The disk is short, and less is free than the messages that are alive take: piece by piece it goes
// nevertheless.
TEST(QueueStore, AShortDiskIsGivenBackPieceByPieceWhatEverySecondMessageHeld) {
    OnSimDisk on;
    const auto store = on.open();
    ASSERT_NO_FATAL_FAILURE(leave_holes(*store, kMessages, 2));
    const uint64_t before = blob_bytes(*store);
    const uint64_t bytes_max = before / 4;
    EXPECT_EQ(store->collect_garbage(4096, true).reserved_bytes, 0u) << "not even a piece fits";
    const auto few = [&] { return blob_bytes(*store) < before * 6 / 10; };
    EXPECT_LT(collect(*store, bytes_max, true, few), before + bytes_max);
    EXPECT_TRUE(few());
    expect_whole(*store, 2);
}

TEST(QueueStore, EndsInTheMiddleOfACollectionAndLosesNothing) {
    OnSimDisk on;
    auto store = on.open();
    ASSERT_NO_FATAL_FAILURE(leave_holes(*store, kMessages, 2));
    EXPECT_GT(store->collect_garbage(UINT64_MAX, true).reserved_bytes, 0u);
    store = nullptr;
    store = on.open();
    expect_whole(*store, 2);
    EXPECT_GT(store->collect_garbage(UINT64_MAX, true).reserved_bytes, 0u);
    store = on.power_cut_and_open(std::move(store));
    expect_whole(*store, 2);
}

TEST(FreeSpace, ANewFloorHoldsAtOnceAndTheDiskIsAskedAnew) {
    uint64_t free = 1000;
    FreeSpace space([&] { return std::optional<uint64_t>(free); }, 800);
    EXPECT_TRUE(space.is_enough(0));
    free = 900;
    EXPECT_EQ(space.left_bytes(1), 1000u) << "it was asked just now";
    space.set_floor(950);
    EXPECT_EQ(space.left_bytes(1), 900u);
    EXPECT_FALSE(space.is_enough(1));
    space.set_floor(900);
    EXPECT_TRUE(space.is_enough(1));
}

TEST(FreeSpace, WhatCopiesMayTakeIsKeptFromNewMail) {
    FreeSpace space([] { return std::optional<uint64_t>(1000); }, 800);
    EXPECT_TRUE(space.is_enough(0));
    EXPECT_EQ(space.copy_bytes_max(0), 600u);
    space.reserve(600);
    EXPECT_TRUE(space.is_enough(0));
    space.take(1);
    EXPECT_FALSE(space.is_enough(0));
    space.reserve(0);
    EXPECT_TRUE(space.is_enough(0));
}

}  // namespace
}  // namespace posthaste::store
