#include "lookup/transport_map.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

TransportMap opened(std::string_view text, TransportMap::Options options = {}) {
    TransportMap map;
    OpenReport report;
    EXPECT_TRUE(map.open(text, std::move(options), report)) << report.error;
    return map;
}

std::string found(const TransportMap& map, std::string_view address) {
    const auto value = map.find(address);
    return value && *value ? **value : "(none)";
}

TEST(TransportMap, AsksFromTheAddressToTheStar) {
    const auto map =
        opened("inline:{ user@a.example=user, a.example=domain, .example=below, *=star }");
    EXPECT_EQ(found(map, "User@A.example"), "user");
    EXPECT_EQ(found(map, "other@a.example"), "domain");
    EXPECT_EQ(found(map, "x@b.a.example"), "below");
    EXPECT_EQ(found(map, "x@example"), "star");
    EXPECT_EQ(found(map, "x@[192.0.2.1]"), "star");
}

TEST(TransportMap, AParentIsWrittenWithADotUnlessParentsMatch) {
    const std::string_view text = "inline:{ example=plain, .example=dotted }";
    EXPECT_EQ(found(opened(text), "x@a.b.example"), "dotted");
    EXPECT_EQ(found(opened(text, {true, ""}), "x@a.b.example"), "plain");
}

TEST(TransportMap, TriesTheAddressWithoutItsExtension) {
    const std::string_view text = "inline:{ user@a.example=user, u+x@a.example=exact, *=star }";
    EXPECT_EQ(found(opened(text, {false, "+"}), "user+more@a.example"), "user");
    EXPECT_EQ(found(opened(text, {false, "+"}), "u+x@a.example"), "exact");
    EXPECT_EQ(found(opened(text, {false, "+"}), "+user@a.example"), "star");
    EXPECT_EQ(found(opened(text), "user+more@a.example"), "star");
}

TEST(TransportMap, KnowsWhatHoldsForAWholeDomain) {
    const auto map = opened("inline:{ user@a.example=user, b.example=domain }");
    EXPECT_FALSE(map.is_per_domain("a.example"));
    EXPECT_TRUE(map.is_per_domain("b.example"));
}

TEST(TransportMap, EmptyFindsNothing) { EXPECT_EQ(found(opened(""), "x@example.com"), "(none)"); }

}  // namespace
}  // namespace posthaste
