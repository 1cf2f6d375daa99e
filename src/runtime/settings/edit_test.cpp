#include "runtime/settings/edit.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

TEST(EditMainCf, ReplacesInPlaceAndKeepsEverythingElse) {
    EXPECT_EQ(edited_main_cf("# head\na = 1\n\n# about b\nb = 2,\n   3\n  # inside\n   4\nc = 5\n",
                             {{"b", "9"}}),
              "# head\na = 1\n\n# about b\nb = 9\n  # inside\nc = 5\n");
}

TEST(EditMainCf, AppendsWhatIsNew) {
    EXPECT_EQ(edited_main_cf("a = 1\n", {{"z", "26"}, {"y", ""}}), "a = 1\nz = 26\ny = \n");
    EXPECT_EQ(edited_main_cf("", {{"a", "1"}}), "a = 1\n");
    EXPECT_EQ(edited_main_cf("a=1", {{"b", "2"}}), "a=1\nb = 2\n");
}

TEST(EditMainCf, OfSeveralDefinitionsOneIsLeft) {
    EXPECT_EQ(edited_main_cf("a = 1\nb = 2\na = 3\n", {{"a", "4"}}), "b = 2\na = 4\n");
}

TEST(EditMainCf, OfSeveralWishesTheLastHolds) {
    EXPECT_EQ(edited_main_cf("a = 1\n", {{"a", "2"}, {"a", "3"}}), "a = 3\n");
    EXPECT_EQ(edited_main_cf("", {{"a", "2"}, {"a", "3"}}), "a = 3\n");
}

}  // namespace
}  // namespace posthaste
