#include "mail/queue_id.h"

#include <gtest/gtest.h>
#include <utility>

namespace posthaste {
namespace {

constexpr MessageId kSample = 1'795'332'600'123'456;  // 2026-11-22 07:30:00.123456 UTC

TEST(QueueId, IsWrittenAsPostfixWritesLongIds) {
    const std::string text = queue_id_text(kSample);
    ASSERT_EQ(text.size(), kQueueIdLength);
    // Decoded by hand, as a tool that knows Postfix's form does.
    const std::string digits = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    uint64_t seconds = 0;
    uint64_t micros = 0;
    for (size_t i = 0; i < 6; ++i) seconds = seconds * 52 + digits.find(text[i]);
    for (size_t i = 6; i < 10; ++i) micros = micros * 52 + digits.find(text[i]);
    EXPECT_EQ(seconds, 1'795'332'600U);
    EXPECT_EQ(micros, 123'456U);
    EXPECT_EQ(text[10], 'z');
    EXPECT_EQ(text.rfind('z'), 10U) << "Postfix finds the inode behind the last z";
}

TEST(QueueId, ReadsBackWhatItWrote) {
    for (const MessageId id :
         {MessageId{1}, MessageId{999'999}, MessageId{1'000'000}, kSample, kMessageIdMax}) {
        EXPECT_EQ(parse_queue_id(queue_id_text(id)), id) << id;
    }
}

TEST(QueueId, SortsAsTextInTheOrderOfTime) {
    EXPECT_LT(queue_id_text(kSample), queue_id_text(kSample + 1));
    EXPECT_LT(queue_id_text(kSample), queue_id_text(kSample + 1'000'000));
}

TEST(QueueId, NoticesEveryWrongCharacterAndEverySwappedPair) {
    const std::string text = queue_id_text(kSample);
    for (size_t at = 0; at < text.size(); ++at) {
        for (int c = 0; c < 256; ++c) {
            std::string wrong = text;
            wrong[at] = static_cast<char>(c);
            if (wrong == text) continue;
            EXPECT_FALSE(parse_queue_id(wrong)) << wrong;
        }
        if (at + 1 < text.size() && text[at] != text[at + 1]) {
            std::string swapped = text;
            std::swap(swapped[at], swapped[at + 1]);
            EXPECT_FALSE(parse_queue_id(swapped)) << swapped;
        }
    }
}

TEST(QueueId, RefusesWhatIsNoId) {
    const std::string text = queue_id_text(kSample);
    EXPECT_FALSE(parse_queue_id(""));
    EXPECT_FALSE(parse_queue_id(text.substr(0, 12)));
    EXPECT_FALSE(parse_queue_id(text + "0"));
    EXPECT_FALSE(parse_queue_id(queue_id_text(kNoMessage)));
    EXPECT_FALSE(parse_queue_id("0000000001z01" + std::string(1, '\0')));
    EXPECT_FALSE(parse_queue_id("9B0E51A"));
}

TEST(QueueId, HasOneTextOnly) {
    const auto digit = [](uint64_t value) {
        return "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"[value];
    };
    // A million microseconds are a second, not microseconds with the same check digits.
    const MessageId id = kSample - kSample % 1'000'000;
    std::string text = queue_id_text(id - 1'000'000);
    uint64_t micros = 1'000'000;
    for (size_t at = 10; at-- > 6; micros /= 52) text[at] = digit(micros % 52);
    text.replace(10, 3, queue_id_text(id), 10, 3);
    EXPECT_FALSE(parse_queue_id(text)) << text;
    // The separator is no digit of base 51: "0z" is not "10".
    MessageId carried = kSample;
    while (queue_id_text(carried).substr(11) != "10") ++carried;
    EXPECT_FALSE(parse_queue_id(queue_id_text(carried).substr(0, 11) + "0z"));
}

TEST(QueueId, AnImpossibleIdIsNoTextThatParses) {
    EXPECT_EQ(queue_id_text(kMessageIdMax + 1), "?????????????");
    EXPECT_FALSE(parse_queue_id(queue_id_text(UINT64_MAX)));
}

}  // namespace
}  // namespace posthaste
