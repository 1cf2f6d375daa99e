#include "runtime/settings/settings.h"

#include <gtest/gtest.h>

#include "base/units.h"

#include "runtime/settings/main_cf.h"
#include "runtime/settings/value.h"

namespace posthaste {
namespace {

TEST(Settings, InitialValuesAreThoseOfTheTableExpanded) {
    const auto settings = Settings::initial();
    EXPECT_EQ(settings.text("myhostname"), "localhost.localdomain");
    EXPECT_EQ(settings.text("mydestination"),
              "localhost.localdomain, localhost.localdomain, localhost");
    EXPECT_EQ(settings.text("smtpd_banner"), "localhost.localdomain ESMTP Posthaste");
    EXPECT_EQ(settings.text("syslog_name"), "postfix");
    EXPECT_EQ(settings.time_us("smtpd_timeout"), 300 * kSecondUs);
    EXPECT_EQ(settings.time_us("maximal_queue_lifetime"), 5 * kDayUs);
    EXPECT_EQ(settings.integer("smtpd_hard_error_limit"), 20);
    EXPECT_EQ(settings.integer("message_size_limit"), 10240000);
    EXPECT_EQ(settings.integer("smtpd_arena_size"), 256 << 20);
    EXPECT_TRUE(settings.boolean("smtpd_delay_reject"));
}

TEST(Settings, OverridesTakeTheUnitOfTheDefault) {
    const auto settings = Settings::initial(
        "maximal_queue_lifetime = 2\nstress = yes\nsmtpd_error_sleep_time=100ms\n");
    EXPECT_EQ(settings.time_us("maximal_queue_lifetime"), 2 * kDayUs);
    EXPECT_EQ(settings.time_us("smtpd_timeout"), 10 * kSecondUs);
    EXPECT_EQ(settings.time_us("smtpd_error_sleep_time"), 100 * kMsUs);
}

TEST(Settings, ListsAreSeparatedByBlanksOrCommas) {
    const auto settings = Settings::initial("mynetworks = 127.0.0.0/8,10.0.0.0/8   [::1]/128 ,");
    EXPECT_EQ(settings.list("mynetworks"),
              (std::vector<std::string>{"127.0.0.0/8", "10.0.0.0/8", "[::1]/128"}));
}

TEST(Settings, ATransportsOwnValueHoldsOverTheDefault) {
    const auto settings = Settings::initial(
        "default_destination_concurrency_limit = 7\nslow_destination_concurrency_limit = 1\n"
        "slow_destination_rate_delay = 50ms\nslow_initial_destination_concurrency = 2\n");
    EXPECT_EQ(settings.integer_for_transport("slow", "destination_concurrency_limit"), 1);
    EXPECT_EQ(settings.integer_for_transport("smtp", "destination_concurrency_limit"), 7);
    EXPECT_EQ(settings.time_us_for_transport("slow", "destination_rate_delay"), 50 * kMsUs);
    EXPECT_EQ(settings.integer_for_transport("slow", "initial_destination_concurrency"), 2);
    EXPECT_EQ(settings.integer_for_transport("smtp", "initial_destination_concurrency"), 5);
    EXPECT_EQ(settings.integer_for_transport("local", "destination_concurrency_limit"), 2);
    EXPECT_EQ(settings.text_for_transport("smtp", "destination_concurrency_positive_feedback"),
              "1");
}

TEST(Settings, ASnapshotReadsBackTheSame) {
    const auto settings = Settings::initial("relayhost = [mx.example.com]:2525\nmine = a = b\n");
    const auto again = Settings::parse_snapshot(settings.snapshot());
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->snapshot(), settings.snapshot());
    EXPECT_EQ(again->text("relayhost"), "[mx.example.com]:2525");
    EXPECT_EQ(again->text("mine"), "a = b");
}

TEST(Settings, AForgedSnapshotIsAnErrorAndNothingElse) {
    const std::string good = Settings::initial().snapshot();
    EXPECT_FALSE(Settings::parse_snapshot("").has_value());
    EXPECT_FALSE(Settings::parse_snapshot("no equals sign\n").has_value());
    EXPECT_FALSE(Settings::parse_snapshot(good + "smtpd_timeout = never\n").has_value());
    EXPECT_TRUE(Settings::parse_snapshot(good).has_value());
}

TEST(Settings, ANameThatAnOlderMasterDoesNotKnowHasItsInitialValue) {
    const auto settings = Settings::parse_snapshot("smtpd_banner = hello\n");
    ASSERT_TRUE(settings.has_value());
    EXPECT_EQ(settings->text("smtpd_banner"), "hello");
    EXPECT_EQ(settings->integer("smtpd_recipient_limit"), 1000);
}

TEST(SettingsDeathTest, AskingForWhatDoesNotExistIsOurBug) {
    const auto settings = Settings::initial();
    EXPECT_DEATH(settings.text("no_such_parameter"), "");
    EXPECT_DEATH((void)settings.boolean("smtpd_timeout"), "");
}

TEST(Value, TimesKnowTheirUnits) {
    EXPECT_EQ(parse_time_us("5", 'd'), 5 * kDayUs);
    EXPECT_EQ(parse_time_us("5", 's'), 5 * kSecondUs);
    EXPECT_EQ(parse_time_us("2w", 's'), 14 * kDayUs);
    EXPECT_EQ(parse_time_us("3M", 's'), 3 * kMinuteUs);
    EXPECT_EQ(parse_time_us("250ms", 's'), 250 * kMsUs);
    for (const auto bad :
         {"", "s", "-1s", "1.5s", "5x", "ms", "99999999999999999999", "9223372036854775807d"})
        EXPECT_FALSE(parse_time_us(bad, 's').has_value()) << bad;
}

TEST(Value, SizesAndBooleans) {
    EXPECT_EQ(parse_size("10240000"), 10240000);
    EXPECT_EQ(parse_size("64M"), 64 << 20);
    EXPECT_EQ(parse_size("2g"), int64_t{2} << 30);
    EXPECT_FALSE(parse_size("9999999999999G").has_value());
    EXPECT_FALSE(parse_size("M").has_value());
    EXPECT_EQ(parse_boolean("YES"), true);
    EXPECT_EQ(parse_boolean("no"), false);
    EXPECT_FALSE(parse_boolean("true").has_value());
}

}  // namespace
}  // namespace posthaste
