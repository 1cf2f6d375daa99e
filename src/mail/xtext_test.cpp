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

TEST(Xtext, WritesAddressesOfTypeUtf8InBothForms) {
    constexpr std::string_view kAddress = "j\xc3\xb6rg+\xe2\x82\xac=\\ \xf0\x9f\x98\x80@b";
    EXPECT_EQ(to_utf8_xtext(kAddress, true),
              "j\xc3\xb6rg\\x{2B}\xe2\x82\xac\\x{3D}\\x{5C}\\x{20}\xf0\x9f\x98\x80@b");
    EXPECT_EQ(to_utf8_xtext(kAddress, false),
              "j\\x{F6}rg\\x{2B}\\x{20AC}\\x{3D}\\x{5C}\\x{20}\\x{1F600}@b");
    EXPECT_EQ(to_utf8_xtext("j\\x{F6}rg@b", false), "j\\x{F6}rg@b") << "as it came";
    EXPECT_EQ(to_utf8_xtext("\\x{}\\x{1234567}\\x{F6", false),
              "\\x{5C}x{}\\x{5C}x{1234567}\\x{5C}x{F6");
    EXPECT_EQ(to_utf8_xtext("\x0b", false), "\\x{0B}");
    EXPECT_EQ(to_utf8_xtext("\xff", false), "+FF");
}

TEST(Xtext, RefusesBadEscapesAndBareControls) {
    for (const char* bad : {"+", "a+", "+2", "+2G", "+-1", "a b", "a\tb", "a\x7f"}) {
        EXPECT_FALSE(from_xtext(bad)) << bad;
    }
    EXPECT_FALSE(from_xtext(std::string_view("a\0", 2)));
}

}  // namespace
}  // namespace posthaste
