#include "store/garbage_collector.h"

#include <gtest/gtest.h>

namespace posthaste::store {
namespace {

rocksdb::BlobMetaData blob(uint64_t number, uint64_t alive, uint64_t garbage) {
    rocksdb::BlobMetaData out;
    out.blob_file_number = number;
    out.total_blob_bytes = alive + garbage;
    out.garbage_blob_bytes = garbage;
    return out;
}

rocksdb::SstFileMetaData table(uint64_t oldest_blob, std::string first, std::string last,
                               uint64_t bytes = 10) {
    rocksdb::SstFileMetaData out;
    out.oldest_blob_file_number = oldest_blob;
    out.smallestkey = std::move(first);
    out.largestkey = std::move(last);
    out.size = bytes;
    return out;
}

rocksdb::ColumnFamilyMetaData family(
    std::vector<rocksdb::BlobMetaData> blobs,
    const std::vector<std::vector<rocksdb::SstFileMetaData>>& levels) {
    rocksdb::ColumnFamilyMetaData out;
    out.blob_files = std::move(blobs);
    int number = 0;
    for (const auto& files : levels) out.levels.emplace_back(number++, 0, std::vector(files));
    return out;
}

TEST(GarbageRound, BeginsWithTheTableThatKeepsTheOldestFile) {
    const auto content =
        family({blob(9, 100, 0), blob(4, 100, 100)}, {{table(9, "m", "p")}, {table(4, "a", "f")}});
    const auto round = next_round(content, 1000);
    ASSERT_TRUE(round);
    EXPECT_EQ(round->oldest, 4u);
    EXPECT_EQ(round->first_key, "a");
    EXPECT_EQ(round->last_key, "f");
    EXPECT_EQ(round->files, 2u);
    EXPECT_EQ(round->files_total, 2u);
}

TEST(GarbageRound, IsNoneWithoutFilesOrWhileTheirTableIsMerged) {
    EXPECT_FALSE(next_round(family({}, {{table(0, "a", "b")}}), 1000));
    auto merging = table(1, "a", "b");
    merging.being_compacted = true;
    EXPECT_FALSE(next_round(family({blob(1, 1, 1)}, {{merging}}), 1000));
}

TEST(Garbage, IsCollectedFromHalfOnUntilAQuarterIsLeft) {
    const auto wants = [](uint64_t garbage, bool collecting, bool is_short = false) {
        return is_worth_collecting({garbage, 1000, 100, is_short}, collecting);
    };
    EXPECT_FALSE(wants(500, false));
    EXPECT_TRUE(wants(501, false));
    EXPECT_TRUE(wants(251, true));
    EXPECT_FALSE(wants(250, true));
    EXPECT_FALSE(wants(251, false)) << "it has not begun";
    EXPECT_TRUE(wants(126, false, true)) << "short of room it begins much earlier";
    EXPECT_FALSE(wants(125, false, true));
    EXPECT_FALSE(is_worth_collecting({90, 100, 100, false}, false))
        << "one round's worth is little";
}

// RocksDB counts the oldest files anew at each level: twice here, and one more each time.
TEST(GarbageRound, CopiesNoMoreThanFitsAtAllItsMerges) {
    std::vector<rocksdb::BlobMetaData> blobs;
    for (uint64_t number = 1; number <= 10; ++number) blobs.push_back(blob(number, 100, 100));
    const auto content = family(blobs, {{}, {table(1, "a", "z")}});
    EXPECT_FALSE(next_round(content, 419));
    const auto one = next_round(content, 420);
    ASSERT_TRUE(one);
    EXPECT_EQ(one->files, 1u);
    EXPECT_EQ(one->bytes, 420u);
    EXPECT_EQ(next_round(content, 700)->files, 2u);
    EXPECT_EQ(next_round(content, 1020)->files, 10u);
}

TEST(GarbageRound, CountsLargeFilesThatComeBehindSmallOnes) {
    const auto content = family({blob(1, 1, 1), blob(2, 1, 1), blob(3, 1, 1), blob(4, 5000, 5000)},
                                {{}, {table(1, "a", "z")}});
    EXPECT_FALSE(next_round(content, 1000));
}

TEST(GarbageRound, CountsTheTablesThatAreMergedWithItsOwn) {
    const std::vector<rocksdb::BlobMetaData> blobs = {blob(1, 1, 1)};
    // b–d, then c–f that overlaps it, then e–g that overlaps that; x–z does not.
    const auto content = family(blobs, {{table(1, "b", "d", 100), table(0, "c", "f", 100),
                                         table(0, "e", "g", 100), table(0, "x", "z", 100)},
                                        {table(0, "g", "h", 100)},
                                        {table(0, "a", "b", 100)}});
    const auto round = next_round(content, 10'000);
    ASSERT_TRUE(round);
    EXPECT_EQ(round->first_key, "b");
    EXPECT_EQ(round->last_key, "g");
    EXPECT_EQ(round->bytes, 3u * 500 + 1);
}

}  // namespace
}  // namespace posthaste::store
