#include "master/postlogd/log_text.h"

#include <gtest/gtest.h>
#include <stdlib.h>

namespace posthaste {
namespace {

constexpr int64_t kWallUs = 1'795'332'600'000'000;  // 2026-11-22 07:30:00 UTC

wire::LogLine a_line(wire::Severity severity = wire::Severity::info) {
    wire::LogLine line;
    line.wall_us = kWallUs;
    line.pid = 4711;
    line.severity = severity;
    line.program = "postfix/smtpd";
    line.text = "connect from unknown[192.0.2.1]";
    return line;
}

std::string text_of(const wire::LogLine& line) {
    ::setenv("TZ", "UTC0", 1);
    LogText text("mail.example.com");
    std::string out;
    text.append(line, out);
    return out;
}

TEST(LogText, ReadsAsPostfixWritesIt) {
    EXPECT_EQ(text_of(a_line()),
              "Nov 22 07:30:00 mail postfix/smtpd[4711]: connect from unknown[192.0.2.1]\n");
    EXPECT_EQ(
        text_of(a_line(wire::Severity::warning)),
        "Nov 22 07:30:00 mail postfix/smtpd[4711]: warning: connect from unknown[192.0.2.1]\n");
}

TEST(LogText, TheDayIsPaddedWithABlank) {
    auto line = a_line();
    line.wall_us -= int64_t{20} * 86400 * 1'000'000;
    EXPECT_EQ(text_of(line).substr(0, 15), "Nov  2 07:30:00");
}

TEST(LogText, ANewSecondIsANewTime) {
    ::setenv("TZ", "UTC0", 1);
    LogText text("mail");
    std::string out;
    auto line = a_line();
    text.append(line, out);
    line.wall_us += 1'500'000;
    out.clear();
    text.append(line, out);
    EXPECT_EQ(out.substr(0, 20), "Nov 22 07:30:01 mail");
}

TEST(LogText, AForeignTextCannotForgeALine) {
    auto line = a_line();
    line.text = "a\nNov 22 07:30:00 mail postfix/smtpd[1]: forged\x1b[2J";
    const std::string out = text_of(line);
    EXPECT_EQ(out.find('\n'), out.size() - 1);
    EXPECT_EQ(out.find('\x1b'), std::string::npos);
}

TEST(LogText, AnAbsurdTimeIsStillALine) {
    for (const int64_t wall_us : {INT64_MIN, INT64_MAX, int64_t{-1}, int64_t{0}}) {
        auto line = a_line();
        line.wall_us = wall_us;
        EXPECT_NE(text_of(line).find("postfix/smtpd[4711]: connect"), std::string::npos);
    }
}

TEST(LogText, ADatagramForSyslogCarriesFacilityMail) {
    ::setenv("TZ", "UTC0", 1);
    LogText text("mail");
    std::string out;
    text.append_for_syslog(a_line(wire::Severity::warning), out);
    EXPECT_EQ(out,
              "<20>Nov 22 07:30:00 postfix/smtpd[4711]: warning: connect from unknown[192.0.2.1]");
}

}  // namespace
}  // namespace posthaste
