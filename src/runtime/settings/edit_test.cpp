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

TEST(Edit, TakesDefinitionsOutOrMakesCommentsOfThem) {
    constexpr std::string_view kText =
        "# head\na = 1\nb = 2\n# inside\n  and more\n\na = 3\nc = 4\n";
    EXPECT_EQ(main_cf_without(kText, {"b", "nosuch"}, Disposal::remove),
              "# head\na = 1\n# inside\n\na = 3\nc = 4\n");
    EXPECT_EQ(main_cf_without(kText, {"a", "b"}, Disposal::comment_out),
              "# head\n#a = 1\n#b = 2\n# inside\n#  and more\n\n#a = 3\nc = 4\n");
}

}  // namespace
}  // namespace posthaste
