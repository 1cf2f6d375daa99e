#include "runtime/settings/master_cf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace posthaste {
namespace {

using testing::HasSubstr;

struct Read {
    MasterCf master_cf;
    Diagnostics diagnostics;
    std::string remarks;
};

Read read(std::string_view text) {
    Read out;
    out.master_cf = MasterCf::parse("master.cf", text, out.diagnostics);
    for (const auto& diagnostic : out.diagnostics.all()) out.remarks += diagnostic.shown() + "\n";
    return out;
}

TEST(MasterCf, ReadsAllEightColumns) {
    const auto got = read(
        "# comment\n2525 inet n - y - 4 smtpd\nqmgr unix n - n 300? 1 qmgr\n"
        "postlog unix-dgram n n - - - postlogd\n");
    ASSERT_EQ(got.master_cf.services.size(), 3U) << got.remarks;
    const auto& smtpd = got.master_cf.services[0];
    EXPECT_EQ(smtpd.name, "2525");
    EXPECT_EQ(smtpd.type, ServiceType::inet);
    EXPECT_FALSE(smtpd.is_private);
    EXPECT_TRUE(smtpd.chroot);
    EXPECT_EQ(smtpd.process_limit, 4U);
    EXPECT_EQ(smtpd.program, "smtpd");
    EXPECT_EQ(smtpd.place.line, 2U);
    const auto& qmgr = got.master_cf.services[1];
    EXPECT_EQ(qmgr.wakeup_s, 300U);
    EXPECT_TRUE(qmgr.wakeup_if_used);
    EXPECT_FALSE(qmgr.chroot);
    const auto& postlog = got.master_cf.services[2];
    EXPECT_EQ(postlog.type, ServiceType::unix_dgram);
    EXPECT_FALSE(postlog.unprivileged);
    EXPECT_FALSE(postlog.process_limit.has_value());
}

TEST(MasterCf, ReadsOptionsBareAndBracedAndContinued) {
    const auto got = read(
        "submission inet n - y - - smtpd\n  -o smtpd_timeout=60s -osyslog_name=postfix/submission\n"
        "# between\n  -o { smtpd_banner = hello  you } -o relayhost=\n");
    ASSERT_EQ(got.master_cf.services.size(), 1U) << got.remarks;
    const auto& overrides = got.master_cf.services[0].overrides;
    ASSERT_EQ(overrides.size(), 4U);
    EXPECT_EQ(overrides[0].name, "smtpd_timeout");
    EXPECT_EQ(overrides[0].value, "60s");
    EXPECT_EQ(overrides[1].value, "postfix/submission");
    EXPECT_EQ(overrides[2].name, "smtpd_banner");
    EXPECT_EQ(overrides[2].value, "hello  you");
    EXPECT_EQ(overrides[3].value, "");
    EXPECT_EQ(overrides[3].place.text(), "master.cf:1");
}

TEST(MasterCf, TheLastOfTwoEqualServicesHolds) {
    const auto got =
        read("smtp inet n - y - 1 smtpd\nsmtp unix - - y - - smtp\nsmtp inet n - y - 2 smtpd\n");
    ASSERT_EQ(got.master_cf.services.size(), 2U);
    EXPECT_EQ(got.master_cf.services[0].process_limit, 2U);
    EXPECT_THAT(got.remarks,
                HasSubstr("warning: master.cf:3: overrides the earlier service smtp of line 1"));
}

TEST(MasterCf, NamesFileAndLineOfEveryFault) {
    EXPECT_THAT(read("\nsmtp inet n - y\n").remarks,
                HasSubstr("error: master.cf:2: has 5 columns"));
    EXPECT_THAT(read("smtp pass n - y - - smtpd\n").remarks,
                HasSubstr("master.cf:1: type \"pass\""));
    EXPECT_THAT(read("smtp inet y - y - - smtpd\n").remarks, HasSubstr("never private"));
    EXPECT_THAT(read("smtp inet n - x - - smtpd\n").remarks, HasSubstr("chroot column \"x\""));
    EXPECT_THAT(read("smtp inet n - y soon - smtpd\n").remarks,
                HasSubstr("wakeup column \"soon\""));
    EXPECT_THAT(read("smtp inet n - y - many smtpd\n").remarks,
                HasSubstr("maxproc column \"many\""));
    EXPECT_THAT(read("smtp inet n - y - - ../smtpd\n").remarks, HasSubstr("holds a \"/\""));
    EXPECT_THAT(read("{} unix n - y - - smtpd\n").remarks,
                HasSubstr("master.cf:1: \"\" is no name"));
    EXPECT_THAT(read("smtp unix n - y - - \r}\n").remarks, HasSubstr("is no name"));
    EXPECT_THAT(read("smtp inet n - y - - smtpd -o\n").remarks, HasSubstr("-o without name=value"));
    EXPECT_THAT(read("smtp inet n - y - - smtpd -o a b\n").remarks,
                HasSubstr("-o a: write -o name=value"));
    EXPECT_THAT(read("smtp inet n - y - - smtpd -o my}name=a\n").remarks,
                HasSubstr("no braces and control characters"));
    EXPECT_THAT(read("smtp inet n - y - - smtpd -o { a = b\n").remarks,
                HasSubstr("\"{\" without its \"}\""));
    EXPECT_THAT(read("smtp inet n - y - - smtpd -q\n").remarks,
                HasSubstr("option \"-q\" does not exist"));
    EXPECT_THAT(read("smtp inet n - y - - smtpd -v\n").remarks,
                HasSubstr("warning: master.cf:1: -v does nothing"));
}

}  // namespace
}  // namespace posthaste
