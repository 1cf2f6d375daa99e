#include "mail/date.h"

#include <ctime>
#include <gtest/gtest.h>

#include "base/units.h"

namespace posthaste {
namespace {

constexpr int64_t kSampleS = 1'795'332'600;  // 2026-11-22 07:30:00 UTC, a Sunday

TEST(Date, IsWrittenAsRfc5322AndPostfixDo) {
    EXPECT_EQ(rfc5322_date(kSampleS * kSecondUs, 0, "UTC"),
              "Sun, 22 Nov 2026 07:30:00 +0000 (UTC)");
    EXPECT_EQ(rfc5322_date(kSampleS * kSecondUs, 3600, "CET"),
              "Sun, 22 Nov 2026 08:30:00 +0100 (CET)");
    EXPECT_EQ(rfc5322_date(kSampleS * kSecondUs, -12600, ""), "Sun, 22 Nov 2026 04:00:00 -0330");
    EXPECT_EQ(rfc5322_date(0, 0, nullptr), "Thu,  1 Jan 1970 00:00:00 +0000");
}

TEST(Date, OfLogsAndListingsPadTheDay) {
    EXPECT_EQ(log_date(kSampleS * kSecondUs, 0), "Nov 22 07:30:00");
    EXPECT_EQ(log_date(0, 0), "Jan  1 00:00:00");
    EXPECT_EQ(listing_date(kSampleS * kSecondUs, 0), "Sun Nov 22 07:30:00");
    EXPECT_EQ(listing_date(0, 0).size(), 19U);
}

TEST(Date, BeforeTheEpochRoundsDown) { EXPECT_EQ(log_date(-1, 0), "Dec 31 23:59:59"); }

TEST(CivilTime, AgreesWithTheCLibraryOverFourCenturies) {
    for (int64_t s = -11'000'000'000; s < 11'000'000'000; s += 86'400 * 3 + 7'919) {
        const time_t time = s;

        struct tm expected {};

        gmtime_r(&time, &expected);
        const CivilTime t = civil_time(s);
        ASSERT_EQ(t.year, expected.tm_year + 1900) << s;
        ASSERT_EQ(t.month, expected.tm_mon + 1) << s;
        ASSERT_EQ(t.day, expected.tm_mday) << s;
        ASSERT_EQ(t.hour, expected.tm_hour) << s;
        ASSERT_EQ(t.minute, expected.tm_min) << s;
        ASSERT_EQ(t.second, expected.tm_sec) << s;
        ASSERT_EQ(t.weekday, expected.tm_wday) << s;
    }
}

TEST(CivilTime, StaysInsideFourDigitYears) {
    EXPECT_EQ(civil_time(INT64_MIN).year, 0);
    EXPECT_EQ(civil_time(INT64_MAX).year, 9999);
    EXPECT_EQ(rfc5322_date(INT64_MAX, INT32_MAX, "").size(), 31U);
    EXPECT_EQ(rfc5322_date(INT64_MIN, INT32_MIN, "").size(), 31U);
}

}  // namespace
}  // namespace posthaste
