#include "mail/delay_text.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

TEST(DelayText, HasTwoSignificantDigitsAndAtMostTwoBehindThePoint) {
    EXPECT_EQ(delay_text(0), "0");
    EXPECT_EQ(delay_text(4'999), "0");
    EXPECT_EQ(delay_text(5'000), "0.01");
    EXPECT_EQ(delay_text(50'000), "0.05");
    EXPECT_EQ(delay_text(104'000), "0.1");
    EXPECT_EQ(delay_text(120'000), "0.12");
    EXPECT_EQ(delay_text(1'000'000), "1");
    EXPECT_EQ(delay_text(1'240'000), "1.2");
    EXPECT_EQ(delay_text(1'250'000), "1.3");
    EXPECT_EQ(delay_text(35'400'000), "35");
    EXPECT_EQ(delay_text(35'500'000), "36");
    EXPECT_EQ(delay_text(123'456'000'000), "123456");
}

TEST(DelayText, RoundsUpIntoTheNextMagnitude) {
    EXPECT_EQ(delay_text(994'999), "0.99");
    EXPECT_EQ(delay_text(996'000), "1");
    EXPECT_EQ(delay_text(9'949'999), "9.9");
    EXPECT_EQ(delay_text(9'950'000), "10");
}

TEST(DelayText, SurvivesTheEndsOfItsRange) {
    EXPECT_EQ(delay_text(-1), "0");
    EXPECT_EQ(delay_text(INT64_MIN), "0");
    EXPECT_EQ(delay_text(INT64_MAX), "9223372036855");
}

}  // namespace
}  // namespace posthaste
