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

}  // namespace
}  // namespace posthaste
