#include "mail/xtext.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

TEST(Xtext, EscapesPlusEqualsBlanksControlsAndHighBytes) {
    EXPECT_EQ(to_xtext("a+b=c d"), "a+2Bb+3Dc+20d");
    EXPECT_EQ(to_xtext(std::string_view("\0\x7f\xc3", 3)), "+00+7F+C3");
    EXPECT_EQ(to_xtext("rfc822;a@b.example"), "rfc822;a@b.example");
}

TEST(Xtext, ReadsBackEveryByte) {
    std::string all;
    for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
    EXPECT_EQ(from_xtext(to_xtext(all)), all);
}

TEST(Xtext, TakesWhatOthersWrite) {
    EXPECT_EQ(from_xtext("prvs=1+2b@c"), "prvs=1+@c");
    EXPECT_EQ(from_xtext("\xc3\xbc"), "\xc3\xbc");
}

TEST(Xtext, RefusesBadEscapesAndBareControls) {
    for (const char* bad : {"+", "a+", "+2", "+2G", "+-1", "a b", "a\tb", "a\x7f"}) {
        EXPECT_FALSE(from_xtext(bad)) << bad;
    }
    EXPECT_FALSE(from_xtext(std::string_view("a\0", 2)));
}

}  // namespace
}  // namespace posthaste
