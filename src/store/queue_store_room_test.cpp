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

// Two of three messages are gone: what is left is copied together, if there is room for the copies,
// and read back as it was.
TEST(QueueStore, HolesBetweenMessagesGoBackToTheDiskWhenThereIsRoomForTheCopies) {
    OnSimDisk on;
    const auto store = on.open();
    constexpr MessageId kMessages = 300;
    EXPECT_EQ(store->collect_garbage(UINT64_MAX), 0u);  // there is none
    ASSERT_NO_FATAL_FAILURE(leave_holes(*store, kMessages));
    const auto blobs = [&] { return store->property("rocksdb.live-blob-file-size").value_or(0); };
    const uint64_t before = blobs();
    EXPECT_EQ(store->collect_garbage(before / 10), 0u);  // no room for the copies
    EXPECT_EQ(blobs(), before);
    const uint64_t copies = store->collect_garbage(before / 2);
    EXPECT_GT(copies, before / 4);
    EXPECT_LT(copies, before / 2);
    for (int i = 0; i < 1000 && store->collect_garbage(before / 2) > 0; ++i) ::usleep(10'000);
    EXPECT_LT(blobs(), before / 2);
    EXPECT_EQ(store->collect_garbage(UINT64_MAX), 0u);
    for (MessageId id = 3; id <= kMessages; id += 3) {
        const auto content = store->load_content(id);
        ASSERT_TRUE(content);
        EXPECT_EQ(*content, content_of(id, 40'000));
    }
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
