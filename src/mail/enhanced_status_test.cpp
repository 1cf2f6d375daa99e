#include "mail/enhanced_status.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

TEST(EnhancedStatus, IsReadFromTheBeginningOfTheText) {
    EXPECT_EQ(enhanced_status_of("5.1.1 no such user"), "5.1.1");
    EXPECT_EQ(enhanced_status_of("5.7.2"), "5.7.2");
    EXPECT_EQ(enhanced_status_of("4.123.456\tx"), "4.123.456");
    EXPECT_EQ(enhanced_status_of("2.0.0 Ok"), "2.0.0");
}

TEST(EnhancedStatus, IsEmptyForWhatIsNoCode) {
    for (const char* text : {"", "5", "5.", "5.1", "5.1.", "5..1", "5.1.1x", "5.1.1.1", "3.1.1",
                             "55.1.1", "5.1234.1", "5.1.1234", " 5.1.1", "192.0.2.1"}) {
        EXPECT_EQ(enhanced_status_of(text), "") << text;
    }
}

}  // namespace
}  // namespace posthaste
