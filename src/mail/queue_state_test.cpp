#include "mail/queue_state.h"

#include <gtest/gtest.h>
#include <string>

namespace posthaste {
namespace {

QueueState sample() {
    QueueState state;
    state.queue = QueueName::deferred;
    state.groups.push_back({1'700'000'300, 3, {0, 7, 9'999}});
    state.groups.push_back({1'700'000'100, 1, {2}});
    return state;
}

std::string encoded(const QueueState& state) {
    std::string out;
    encode_queue_state(state, out);
    return out;
}

TEST(QueueState, ComesBackAsItWasEncoded) {
    const auto state = decode_queue_state(encoded(sample()));
    ASSERT_TRUE(state);
    EXPECT_EQ(state->queue, QueueName::deferred);
    ASSERT_EQ(state->groups.size(), 2u);
    EXPECT_EQ(state->groups[0].due_s, 1'700'000'300u);
    EXPECT_EQ(state->groups[0].attempts, 3);
    EXPECT_EQ(state->groups[0].recipients, (std::vector<uint32_t>{0, 7, 9'999}));
    EXPECT_EQ(state->groups[1].recipients, (std::vector<uint32_t>{2}));
    EXPECT_EQ(state->due_s(), 1'700'000'100u);
}

TEST(QueueState, BytesOfVersionOneNeverChange) {
    QueueState state;
    state.queue = QueueName::hold;
    state.groups.push_back({0x01020304, 0x0506, {0x11}});
    EXPECT_EQ(encoded(state), std::string("\x01\x02"
                                          "\x01\0\0\0"
                                          "\x04\x03\x02\x01"
                                          "\x06\x05"
                                          "\x01\0\0\0"
                                          "\x11\0\0\0",
                                          20));
}

TEST(QueueState, SummaryAgreesWithTheWhole) {
    const auto summary = summarize_queue_state(encoded(sample()));
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->queue, QueueName::deferred);
    EXPECT_EQ(summary->due_s, 1'700'000'100u);
    const auto without_groups = summarize_queue_state(encoded(QueueState{}));
    ASSERT_TRUE(without_groups);
    EXPECT_EQ(without_groups->due_s, 0u);
}

TEST(QueueState, LeavesEmptyGroupsOut) {
    QueueState state;
    state.groups.push_back({5, 1, {}});
    const auto back = decode_queue_state(encoded(state));
    ASSERT_TRUE(back);
    EXPECT_TRUE(back->groups.empty());
}

TEST(QueueState, RefusesEveryTruncationAndEveryTrailingByte) {
    const std::string whole = encoded(sample());
    for (size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(decode_queue_state(std::string_view(whole).substr(0, size))) << size;
        EXPECT_FALSE(summarize_queue_state(std::string_view(whole).substr(0, size))) << size;
    }
    EXPECT_FALSE(decode_queue_state(whole + '\0'));
    EXPECT_FALSE(summarize_queue_state(whole + '\0'));
}

TEST(QueueState, RefusesRecipientsOutOfRangeOrNamedTwice) {
    QueueState twice;
    twice.groups.push_back({1, 1, {4}});
    twice.groups.push_back({2, 1, {4}});
    EXPECT_FALSE(decode_queue_state(encoded(twice)));

    std::string beyond = encoded(sample());
    beyond.replace(beyond.size() - 4, 4, std::string("\x10\x27\0\0", 4));  // 10000
    EXPECT_FALSE(decode_queue_state(beyond));
}

TEST(QueueState, SurvivesEveryChangedByte) {
    const std::string whole = encoded(sample());
    for (size_t at = 0; at < whole.size(); ++at) {
        for (int value = 0; value < 256; ++value) {
            std::string changed = whole;
            changed[at] = static_cast<char>(value);
            const auto state = decode_queue_state(changed);
            if (state) {
                EXPECT_EQ(encoded(*state), changed) << "byte " << at << " = " << value;
            }
        }
    }
}

}  // namespace
}  // namespace posthaste
