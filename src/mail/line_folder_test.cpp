#include "mail/line_folder.h"

#include <gtest/gtest.h>
#include <string>

namespace posthaste {
namespace {

std::string fold(size_t max, std::string_view bytes, size_t cut = std::string_view::npos) {
    LineFolder folder(max);
    std::string out;
    const auto put = [&](std::string_view piece) { out += piece; };
    folder.feed(bytes.substr(0, cut), put);
    if (cut < bytes.size()) folder.feed(bytes.substr(cut), put);
    return out;
}

TEST(LineFolder, LeavesLinesThatFitAloneAndInOneRun) {
    const std::string text = "a\r\n\r\n" + std::string(20, 'x') + "\r\nno end";
    size_t runs = 0;
    LineFolder folder(20);
    folder.feed(text, [&](std::string_view piece) {
        EXPECT_EQ(piece, text);
        ++runs;
    });
    EXPECT_EQ(runs, 1U);
}

TEST(LineFolder, BreaksALineThatIsOneByteTooLong) {
    EXPECT_EQ(fold(20, std::string(20, 'x') + "\r\n"), std::string(20, 'x') + "\r\n");
    EXPECT_EQ(fold(20, std::string(21, 'x') + "\r\n"), std::string(20, 'x') + "\r\n x\r\n");
}

TEST(LineFolder, BreaksAsOftenAsNeeded) {
    // The blank counts: 20, then 19 and its blank each time.
    EXPECT_EQ(fold(20, std::string(58, 'x') + "\r\n"), std::string(20, 'x') + "\r\n " +
                                                           std::string(19, 'x') + "\r\n " +
                                                           std::string(19, 'x') + "\r\n");
    EXPECT_EQ(fold(20, std::string(59, 'x')), std::string(20, 'x') + "\r\n " +
                                                  std::string(19, 'x') + "\r\n " +
                                                  std::string(19, 'x') + "\r\n x");
}

TEST(LineFolder, BreaksNothingWhenToldSo) {
    const std::string text(5000, 'x');
    EXPECT_EQ(fold(0, text), text);
}

TEST(LineFolder, MeansTheSameHoweverTheBytesAreCut) {
    const std::string text = std::string(45, 'a') + "\r\n" + std::string(20, 'b') + "\r\n" +
                             std::string(21, 'c') + "\r\n\r\n" + std::string(40, 'd');
    const std::string whole = fold(20, text);
    for (size_t cut = 0; cut <= text.size(); ++cut)
        EXPECT_EQ(fold(20, text, cut), whole) << "cut at " << cut;
}

TEST(LineFolder, SurvivesALimitThatNoLineCouldKeep) {
    const std::string folded = fold(1, std::string(100, 'x') + "\r\n");
    EXPECT_LT(folded.size(), 150U);
}

}  // namespace
}  // namespace posthaste
