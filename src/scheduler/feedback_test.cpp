#include "scheduler/feedback.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

TEST(Feedback, StaysAtWhatWorksWhenAFurtherConnectionIsRefused) {
    const FeedbackLimits limits;
    Feedback feedback(limits);
    feedback.crowded(3, limits);
    EXPECT_EQ(feedback.window(), 3U);
    feedback.crowded(7, limits);
    EXPECT_EQ(feedback.window(), 3U) << "never more than it was";
    int successes = 0;
    while (!feedback.succeeded(3, limits)) ++successes;
    EXPECT_EQ(successes, 60) << "20 for each";
    for (successes = 0; !feedback.succeeded(4, limits); ++successes) {
    }
    EXPECT_EQ(successes, 80) << "one step at a time";
    for (int i = 0; i < 1000; ++i) feedback.succeeded(feedback.window(), limits);
    EXPECT_EQ(feedback.window(), limits.limit) << "if nobody minds";
    feedback.crowded(0, limits);
    EXPECT_EQ(feedback.window(), 1U);
}

TEST(Feedback, TakesOneStepDownAtEachFailureAndDiesAfterACohort) {
    FeedbackLimits limits;
    Feedback feedback(limits);
    EXPECT_EQ(feedback.window(), 5U);
    EXPECT_FALSE(feedback.failed(limits));
    EXPECT_EQ(feedback.window(), 4U) << "Postfix would be at 3";
    EXPECT_FALSE(feedback.failed(limits));
    EXPECT_EQ(feedback.window(), 3U);
    EXPECT_FALSE(feedback.failed(limits));
    EXPECT_TRUE(feedback.failed(limits)) << "1/5 + 1/4 + 1/3 + 1/2";
}

TEST(Feedback, GrowsByOneForEachSuccessWhileTheWindowIsUsed) {
    FeedbackLimits limits;
    Feedback feedback(limits);
    for (int i = 0; i < 100; ++i) feedback.succeeded(1, limits);
    EXPECT_EQ(feedback.window(), 6U) << "busy 1 + initial 5";
    for (int i = 0; i < 100; ++i) feedback.succeeded(20, limits);
    EXPECT_EQ(feedback.window(), 20U);
    limits.limit = 3;
    feedback.succeeded(20, limits);
    EXPECT_EQ(feedback.window(), 3U) << "a lowered limit holds at once";
}

TEST(Feedback, GrowsByOneAWindowWithFractionalFeedback) {
    FeedbackLimits limits;
    limits.positive = *FeedbackShare::parse("1/concurrency");
    Feedback feedback(limits);
    int successes = 0;
    while (feedback.window() == 5 && successes < 100) {
        feedback.succeeded(5, limits);
        ++successes;
    }
    EXPECT_EQ(successes, 5);
}

TEST(Feedback, ASuccessForgivesFailuresAndAWindowOfOneHasASecondChance) {
    FeedbackLimits limits;
    limits.limit = 1;
    Feedback feedback(limits);
    for (int i = 0; i < 10; ++i) {
        EXPECT_FALSE(feedback.failed(limits));
        EXPECT_EQ(feedback.window(), 1U);
        feedback.succeeded(1, limits);
    }
    EXPECT_FALSE(feedback.failed(limits));
    EXPECT_TRUE(feedback.failed(limits));
    limits.failed_cohorts = 0;
    Feedback immortal(limits);
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(immortal.failed(limits));
}

TEST(Feedback, ReadsPostfixsForms) {
    EXPECT_DOUBLE_EQ(FeedbackShare::parse("1/4")->of(10), 0.25);
    EXPECT_DOUBLE_EQ(FeedbackShare::parse("0.5 / concurrency")->of(10), 0.05);
    EXPECT_DOUBLE_EQ(FeedbackShare::parse("1/sqrt_concurrency")->of(16), 0.25);
    for (const char* bad : {"", "x", "-1", "1/0", "1/x", "1/2/3", "nan", "inf"}) {
        EXPECT_FALSE(FeedbackShare::parse(bad)) << bad;
    }
}

}  // namespace
}  // namespace posthaste
