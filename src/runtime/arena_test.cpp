#include "runtime/arena.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace posthaste {
namespace {

TEST(Arena, RoundsUpToBlocksAndGivesEachOnce) {
    Arena arena = Arena::create_private(1, 3 * kBlockBytes - 1);
    EXPECT_EQ(arena.blocks_total(), 3U);
    std::set<uint32_t> blocks;
    while (const auto number = arena.allocate()) blocks.insert(*number);
    EXPECT_EQ(blocks, (std::set<uint32_t>{0, 1, 2}));
    EXPECT_EQ(arena.blocks_free(), 0U);
    arena.free(1);
    EXPECT_EQ(arena.blocks_free(), 1U);
    EXPECT_EQ(arena.allocate(), 1U);
}

TEST(Arena, UsesTheWarmestBlockFirst) {
    Arena arena = Arena::create_private(1, 64 * kBlockBytes);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(arena.allocate());
    arena.free(3);
    arena.free(7);
    EXPECT_EQ(arena.allocate(), 7U);
    EXPECT_EQ(arena.allocate(), 3U);
    EXPECT_EQ(arena.allocate(), 10U);
}

TEST(Arena, FindsRunsBetweenLentBlocks) {
    Arena arena = Arena::create_private(1, 200 * kBlockBytes);
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(arena.allocate());
    for (const uint32_t number : {5U, 6U, 62U, 63U, 64U, 65U, 199U}) arena.free(number);
    EXPECT_FALSE(arena.allocate_run(5));
    EXPECT_EQ(arena.allocate_run(3), 62U);
    EXPECT_EQ(arena.allocate_run(2), 5U);
    EXPECT_FALSE(arena.allocate_run(2)) << "199 is the last block: nothing follows it";
    EXPECT_EQ(arena.blocks_free(), 2U);
    EXPECT_TRUE(arena.allocate());
    EXPECT_TRUE(arena.allocate());
    EXPECT_FALSE(arena.allocate());
}

TEST(Arena, SinglesAndRunsNeverOverlap) {
    std::mt19937 random(11);
    Arena arena = Arena::create_private(1, 300 * kBlockBytes);
    std::vector<bool> ours(300);

    struct Held {
        uint32_t first;
        uint32_t count;
    };

    std::vector<Held> held;
    uint32_t held_blocks = 0;
    for (int step = 0; step < 50'000; ++step) {
        if (random() % 100 < 52) {
            const uint32_t count = random() % 3 == 0 ? 1 + static_cast<uint32_t>(random() % 70) : 1;
            const auto first = arena.allocate_run(count);
            if (!first) continue;
            for (uint32_t i = *first; i < *first + count; ++i) {
                ASSERT_LT(i, 300U);
                ASSERT_FALSE(ours[i]) << "block " << i << " given twice at step " << step;
                ours[i] = true;
            }
            held.push_back({*first, count});
            held_blocks += count;
        } else if (!held.empty()) {
            std::swap(held[random() % held.size()], held.back());
            for (uint32_t i = held.back().first; i < held.back().first + held.back().count; ++i) {
                arena.free(i);
                ours[i] = false;
            }
            held_blocks -= held.back().count;
            held.pop_back();
        }
        ASSERT_EQ(arena.blocks_free(), 300 - held_blocks);
    }
}

TEST(Arena, KeepsQuarantinedBlocksUntilEveryReaderHasForgotten) {
    Arena arena = Arena::create_private(1, 4 * kBlockBytes);
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(arena.allocate());
    arena.quarantine(0, 77);
    arena.quarantine(1, 78);
    arena.quarantine(2, 77);
    EXPECT_FALSE(arena.allocate());
    arena.release_quarantine(77);
    EXPECT_EQ(arena.blocks_free(), 2U);
    arena.release_quarantine(77);
    EXPECT_EQ(arena.blocks_free(), 2U);
    arena.release_quarantine(78);
    EXPECT_EQ(arena.blocks_free(), 3U);
}

TEST(ArenaDeathTest, NoticesABlockFreedTwice) {
    Arena arena = Arena::create_private(1, 4 * kBlockBytes);
    ASSERT_EQ(arena.allocate(), 0U);
    arena.free(0);
    EXPECT_DEATH(arena.free(0), "is_lent");
}

TEST(ArenaView, SeesTheOwnersBytesAndCanNotWriteThem) {
    auto arena = Arena::create(9, 4 * kBlockBytes);
    ASSERT_TRUE(arena) << arena.error().text();
    auto view = ArenaView::map(9, arena->memfd());
    ASSERT_TRUE(view) << view.error().text();
    arena->block(2)[5] = 'x';
    const auto bytes = view->bytes(2, 5, 1);
    ASSERT_TRUE(bytes);
    EXPECT_EQ(*bytes, "x");
    EXPECT_EQ(::mprotect(const_cast<char*>(view->bytes(0, 0, 1)->data()), kBlockBytes,
                         PROT_READ | PROT_WRITE),
              -1);
    EXPECT_EQ(::mmap(nullptr, kBlockBytes, PROT_READ | PROT_WRITE, MAP_SHARED, arena->memfd(), 0),
              MAP_FAILED);
}

TEST(ArenaView, ChecksExtentsWithItsOwnNumbers) {
    const Arena arena = Arena::create_private(9, 4 * kBlockBytes);
    const ArenaView view = ArenaView::of(arena);
    EXPECT_TRUE(view.bytes(3, kBlockBytes - 1, 1));
    EXPECT_TRUE(view.bytes(0, 0, 4 * kBlockBytes));
    EXPECT_TRUE(view.bytes(4, 0, 0));
    EXPECT_FALSE(view.bytes(3, kBlockBytes - 1, 2));
    EXPECT_FALSE(view.bytes(4, 0, 1));
    EXPECT_FALSE(view.bytes(UINT32_MAX, UINT32_MAX, UINT32_MAX));
    EXPECT_FALSE(view.bytes(0, UINT32_MAX, 1));
    EXPECT_FALSE(view.bytes(0, 1, UINT32_MAX));
}

TEST(ArenaView, RefusesAForeignDescriptorThatIsNoArena) {
    Fd plain(::memfd_create("plain", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(::ftruncate(plain.get(), kBlockBytes), 0);
    EXPECT_FALSE(ArenaView::map(1, plain.get()));
    ASSERT_EQ(::ftruncate(plain.get(), kBlockBytes + 1), 0);
    ASSERT_EQ(::fcntl(plain.get(), F_ADD_SEALS,
                      F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL),
              0);
    EXPECT_FALSE(ArenaView::map(1, plain.get())) << "not whole blocks";
}

}  // namespace
}  // namespace posthaste
