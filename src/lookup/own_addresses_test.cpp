#include "lookup/own_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace posthaste {
namespace {

using testing::Contains;
using testing::UnorderedElementsAre;

TEST(OwnAddresses, AreWhatIsListedOnce) {
    OpenReport report;
    EXPECT_THAT(own_addresses("192.0.2.1, [2001:db8::1]", "198.51.100.7 192.0.2.1", report),
                UnorderedElementsAre(IpAddress::v4(192, 0, 2, 1), *IpAddress::parse("2001:db8::1"),
                                     IpAddress::v4(198, 51, 100, 7)));
    EXPECT_TRUE(report.warnings.empty());
}

TEST(OwnAddresses, OfLoopbackOnlyAreTwo) {
    OpenReport report;
    EXPECT_THAT(own_addresses("loopback-only", "", report),
                UnorderedElementsAre(IpAddress::v4(127, 0, 0, 1), *IpAddress::parse("::1")));
}

TEST(OwnAddresses, OfAllHoldTheInterfacesOfThisMachine) {
    OpenReport report;
    EXPECT_THAT(own_addresses("all", "", report), Contains(IpAddress::v4(127, 0, 0, 1)));
}

}  // namespace
}  // namespace posthaste
