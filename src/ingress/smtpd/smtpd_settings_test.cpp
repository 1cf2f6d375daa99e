#include <gtest/gtest.h>

#include "mail/wire/submitted_message.h"

#include "ingress/smtpd/smtpd_service.h"

namespace posthaste::smtpd {
namespace {

struct Read {
    uint64_t message_bytes_max = 0;
    std::vector<std::string> warnings;
};

Read read(const char* main_cf) {
    Read out;
    std::string why_not;
    const auto read =
        SmtpdService::read_settings(Settings::initial(main_cf), out.warnings, why_not);
    EXPECT_TRUE(read) << why_not;
    if (read) out.message_bytes_max = read->message_bytes_max;
    return out;
}

TEST(SmtpdSettings, AMessageOfTheLargestSizeFitsBothArenasWithItsNewHeader) {
    EXPECT_EQ(read("").message_bytes_max, 10'240'000u);
    EXPECT_EQ(read("message_size_limit = 0\n").message_bytes_max, wire::kSubmittedBytesMax);
    EXPECT_EQ(read("message_size_limit = 0\nsmtpd_arena_size = 8M\n").message_bytes_max, 4u << 20);
    const Read small = read("store_arena_size = 8M\n");
    EXPECT_EQ(small.message_bytes_max, (2u << 20) / 8 * 7);
    ASSERT_EQ(small.warnings.size(), 1u);
    EXPECT_NE(small.warnings[0].find("store_arena_size"), std::string::npos);
    EXPECT_TRUE(read("message_size_limit = 0\nstore_arena_size = 8M\n").warnings.empty());
}

TEST(SmtpdSettings, ASizeThatIsAskedForAndCanNotBeHadIsAFault) {
    std::vector<std::string> warnings;
    std::string why_not;
    const auto settings =
        Settings::initial("message_size_limit = 4000000\nstore_arena_size = 8M\n");
    EXPECT_FALSE(SmtpdService::read_settings(settings, warnings, why_not));
    EXPECT_TRUE(why_not.starts_with("message_size_limit: more than")) << why_not;
    EXPECT_NE(why_not.find("write 1835008 at most"), std::string::npos) << why_not;
}

}  // namespace
}  // namespace posthaste::smtpd
