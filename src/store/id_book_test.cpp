#include "store/id_book.h"

#include <gtest/gtest.h>

namespace posthaste::store {
namespace {

constexpr int64_t kNow = 1'700'000'000'000'000;

TEST(IdBook, LeasesAscendAndNeverOverlap) {
    IdBook book(kNoMessage);
    const MessageId first = book.lease(kNow);
    EXPECT_EQ(first, static_cast<MessageId>(kNow));
    EXPECT_EQ(book.lease(kNow), first + wire::kLeaseIds);
    // The clock steps back: ids do not.
    EXPECT_EQ(book.lease(kNow - kNow / 2), first + 2 * wire::kLeaseIds);
    EXPECT_EQ(book.mark(), first + 3 * wire::kLeaseIds);
}

TEST(IdBook, ContinuesAboveTheStoredMark) {
    IdBook book(static_cast<MessageId>(kNow) + 5000);
    EXPECT_EQ(book.lease(kNow), static_cast<MessageId>(kNow) + 5000);
}

TEST(IdBook, AcceptsAnIdOnce) {
    IdBook book(kNoMessage);
    const MessageId first = book.lease(kNow);
    const MessageId last = first + wire::kLeaseIds - 1;
    EXPECT_EQ(book.claim(first), IdBook::Claim::fresh);
    EXPECT_EQ(book.claim(first), IdBook::Claim::refused);
    EXPECT_EQ(book.claim(last), IdBook::Claim::fresh);
    EXPECT_EQ(book.claim(last), IdBook::Claim::refused);
}

TEST(IdBook, RefusesIdsNobodyLeased) {
    IdBook book(kNoMessage);
    const MessageId first = book.lease(kNow);
    EXPECT_EQ(book.claim(kNoMessage), IdBook::Claim::refused);
    EXPECT_EQ(book.claim(first + wire::kLeaseIds), IdBook::Claim::refused);
    EXPECT_EQ(book.claim(UINT64_MAX), IdBook::Claim::refused);
}

TEST(IdBook, AsksTheQueueAboutIdsOfAnEarlierLife) {
    IdBook book(static_cast<MessageId>(kNow));
    book.lease(kNow + 10'000);
    EXPECT_EQ(book.claim(static_cast<MessageId>(kNow) - 1), IdBook::Claim::ask_queue);
    EXPECT_EQ(book.claim(static_cast<MessageId>(kNow) - 1), IdBook::Claim::refused);
}

TEST(IdBook, ForgetsOldBlocksButNotThatTheyWereLeased) {
    IdBook book(kNoMessage);
    const MessageId first = book.lease(kNow);
    for (size_t i = 0; i < IdBook::kBlocksMax; ++i) book.lease(kNow);
    EXPECT_EQ(book.claim(first), IdBook::Claim::ask_queue);
    EXPECT_EQ(book.claim(first + wire::kLeaseIds), IdBook::Claim::fresh);
}

TEST(IdBook, SaysWhenIdsRunOut) {
    IdBook book(kMessageIdMax - wire::kLeaseIds + 1);
    EXPECT_EQ(book.lease(kNow), kNoMessage);
}

}  // namespace
}  // namespace posthaste::store
