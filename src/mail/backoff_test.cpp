#include "mail/backoff.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

#include "base/units.h"

namespace posthaste {
namespace {

constexpr BackoffLimits kDefaults{300 * kSecondUs, 4000 * kSecondUs};

struct Range {
    int64_t low_us = INT64_MAX;
    int64_t high_us = INT64_MIN;
};

Range range_of(uint32_t attempts, BackoffLimits limits) {
    Range range;
    std::mt19937_64 random(attempts);
    for (int i = 0; i < 4000; ++i) {
        const int64_t wait_us = backoff_us(attempts, limits, random());
        range.low_us = std::min(range.low_us, wait_us);
        range.high_us = std::max(range.high_us, wait_us);
    }
    return range;
}

TEST(Backoff, DoublesFromMinimalToMaximal) {
    const int64_t centres_s[] = {337, 600, 1200, 2400, 3500, 3500, 3500};
    for (uint32_t attempts = 1; attempts <= 7; ++attempts) {
        const Range range = range_of(attempts, kDefaults);
        const int64_t middle_s = (range.low_us + range.high_us) / 2 / kSecondUs;
        EXPECT_NEAR(static_cast<double>(middle_s), static_cast<double>(centres_s[attempts - 1]), 4)
            << attempts;
    }
}

TEST(Backoff, SpreadsOverAQuarterOfTheWait) {
    const Range first = range_of(1, kDefaults);
    EXPECT_NEAR(static_cast<double>(first.high_us - first.low_us), 75e6, 1e6);
    const Range third = range_of(3, kDefaults);
    EXPECT_NEAR(static_cast<double>(third.high_us - third.low_us), 300e6, 4e6);
    const Range last = range_of(1000, kDefaults);
    EXPECT_NEAR(static_cast<double>(last.high_us - last.low_us), 1000e6, 10e6);
}

TEST(Backoff, StaysWithinItsLimitsWhateverItIsGiven) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 100'000; ++i) {
        const auto attempts = static_cast<uint32_t>(random());
        int64_t minimal_us = static_cast<int64_t>(random() >> (random() % 63 + 1));
        int64_t maximal_us = static_cast<int64_t>(random() >> (random() % 63 + 1));
        if (minimal_us > maximal_us) std::swap(minimal_us, maximal_us);
        const int64_t wait_us = backoff_us(attempts, {minimal_us, maximal_us}, random());
        ASSERT_GE(wait_us, minimal_us);
        ASSERT_LE(wait_us, maximal_us);
    }
    EXPECT_EQ(backoff_us(9, {INT64_MAX, INT64_MAX}, UINT64_MAX), INT64_MAX);
    EXPECT_EQ(backoff_us(3, {-5, -9}, 77), 0);
    EXPECT_EQ(backoff_us(3, {50, 10}, 77), 50);
    EXPECT_GE(backoff_us(0, kDefaults, 3), kDefaults.minimal_us);
}

TEST(Backoff, GivesTheSameAnswerForTheSameRandomBits) {
    EXPECT_EQ(backoff_us(3, kDefaults, 12345), backoff_us(3, kDefaults, 12345));
    EXPECT_NE(backoff_us(3, kDefaults, 12345), backoff_us(3, kDefaults, 12346));
}

}  // namespace
}  // namespace posthaste
