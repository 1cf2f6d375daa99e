#include <cstdlib>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/fd.h"

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

TEST(SmtpdSettings, ListsOfWordsMayStandInFiles) {
    char name[] = "/tmp/posthaste-words-XXXXXX";
    const Fd file(::mkstemp(name));
    constexpr std::string_view kWords = "# ours\nBEEP, HELLO\nPING\n";
    ASSERT_EQ(::write(file.get(), kWords.data(), kWords.size()),
              static_cast<ssize_t>(kWords.size()));
    const auto settings_of = [](const std::string& main_cf, std::string& why_not) {
        std::vector<std::string> warnings;
        return SmtpdService::read_settings(Settings::initial(main_cf), warnings, why_not);
    };
    std::string why_not;
    const auto read = settings_of("smtpd_noop_commands = A " + std::string(name) +
                                      "\nsmtpd_forbidden_commands = GET " + name + "\n",
                                  why_not);
    ::unlink(name);
    ASSERT_TRUE(read) << why_not;
    EXPECT_EQ(read->noop_commands, (std::vector<std::string>{"A", "BEEP", "HELLO", "PING"}));
    EXPECT_EQ(read->forbidden_commands, (std::vector<std::string>{"GET", "BEEP", "HELLO", "PING"}));
    EXPECT_FALSE(settings_of("smtpd_noop_commands = /nonexistent\n", why_not));
    EXPECT_TRUE(why_not.starts_with("smtpd_noop_commands: /nonexistent: ")) << why_not;
    EXPECT_FALSE(settings_of("smtpd_forbidden_commands = regexp:/x\n", why_not));
    EXPECT_TRUE(why_not.starts_with("smtpd_forbidden_commands: \"regexp:/x\" is not")) << why_not;
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
