#include "store/crc32c.h"

#include <gtest/gtest.h>
#include <string>

#include "store/store_testing.h"

namespace posthaste::store {
namespace {

// RFC 3720 B.4 and the usual check value.
TEST(Crc32c, GivesThePublishedSums) {
    EXPECT_EQ(crc32c(0, "123456789", 9), 0xe306'9283u);
    const std::string zeros(32, '\0');
    EXPECT_EQ(crc32c(0, zeros.data(), zeros.size()), 0x8a91'36aau);
    const std::string ones(32, '\xff');
    EXPECT_EQ(crc32c(0, ones.data(), ones.size()), 0x62a8'ab43u);
}

TEST(Crc32c, MayBeCutAnywhere) {
    const std::string text = "The same bytes must have the same sum however they are cut.";
    const uint32_t whole = crc32c(0, text.data(), text.size());
    for (size_t cut = 0; cut <= text.size(); ++cut) {
        const uint32_t first = crc32c(0, text.data(), cut);
        EXPECT_EQ(crc32c(first, text.data() + cut, text.size() - cut), whole) << cut;
    }
}

// If RocksDB stopped asking us, its log would be summed in software again, and nobody would notice.
TEST(Crc32c, IsTheOneThatRocksdbUses) {
    const uint64_t before = crc32c_calls_by_rocksdb();
    OnSimDisk on;
    const auto store = on.open();
    add(*store, 1, "content");
    ASSERT_TRUE(store->commit());
    EXPECT_GT(crc32c_calls_by_rocksdb(), before);
}

}  // namespace
}  // namespace posthaste::store
