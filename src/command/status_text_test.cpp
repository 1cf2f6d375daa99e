#include "command/status_text.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

TEST(StatusText, LetsNoServiceSpeakTheTerminalsLanguage) {
    const std::string text = status_text(
        R"({"version":"1","phase":"running","pid":1,"seconds":3,"processes":[)"
        R"({"process":"smtpd/0\u001b[2J","pid":2,"state":"ready","seconds":3,"missing_layers":"\u001b]0;x\u0007",)"
        R"("counters":[{"name":"a\u001bb","unit":"c\u0008d","value":1}]}],"waiting":["e\u001bf"]})");
    for (const char c : text) EXPECT_TRUE(static_cast<unsigned char>(c) >= ' ' || c == '\n');
    EXPECT_NE(text.find("smtpd/0?[2J"), std::string::npos);
    EXPECT_NE(text.find("a?b"), std::string::npos);
    EXPECT_NE(text.find("c?d"), std::string::npos);
    EXPECT_NE(text.find("e?f: died"), std::string::npos);
}

TEST(StatusText, BeginsWithWhatIsWrongAndCountsWhatTheDeadHadCounted) {
    constexpr const char* kStatus =
        R"({"version":"1","phase":"running","pid":1,"seconds":3,"processes":[)"
        R"({"process":"smtpd/0","pid":2,"state":"ready","seconds":3,)"
        R"("counters":[{"name":"connections","unit":"connections","value":2}]}],)"
        R"("former":[{"process":"smtpd","counters":[)"
        R"({"name":"connections","unit":"connections","value":40},{"name":"old","unit":"u","value":1}]}],)"
        R"("faults":["smtp smtp is down"]})";
    const std::string text = status_text(kStatus);
    EXPECT_TRUE(text.starts_with("warning: smtp smtp is down\nposthaste 1 is running")) << text;
    EXPECT_NE(text.find(" 42 connections\n"), std::string::npos) << text;
    EXPECT_NE(text.find(" 1 u\n"), std::string::npos) << text;
    EXPECT_TRUE(tells_of_faults(kStatus));
    EXPECT_FALSE(tells_of_faults(R"({"faults":[]})"));
}

}  // namespace
}  // namespace posthaste
