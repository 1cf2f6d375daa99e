#include "mail/delivery_status.h"

#include <gtest/gtest.h>

namespace posthaste {
namespace {

TEST(Outcome, HasTheNamesOfPostfixsLog) {
    EXPECT_STREQ(name_of(Outcome::sent), "sent");
    EXPECT_STREQ(name_of(Outcome::deferred), "deferred");
    EXPECT_STREQ(name_of(Outcome::bounced), "bounced");
    EXPECT_STREQ(name_of(static_cast<Outcome>(77)), "unknown");
}

}  // namespace
}  // namespace posthaste
