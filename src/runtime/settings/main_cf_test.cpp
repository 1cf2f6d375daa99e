#include "runtime/settings/main_cf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace posthaste {
namespace {

using testing::HasSubstr;

struct Read {
    MainCf main_cf;
    Diagnostics diagnostics;
    std::optional<Settings> settings;
    std::string remarks;
};

Read read(std::string_view text, std::vector<MainCfEntry> overrides = {},
          const SystemFacts& facts = {}) {
    Read out;
    out.main_cf = MainCf::parse("main.cf", text, out.diagnostics);
    const SettingsReader reader(out.main_cf, facts);
    out.settings = reader.read(overrides, out.diagnostics);
    reader.warn_of_unknown(overrides, out.diagnostics);
    for (const auto& diagnostic : out.diagnostics.all()) out.remarks += diagnostic.shown() + "\n";
    return out;
}

TEST(MainCf, JoinsContinuedLinesAcrossCommentsAndBlankLines) {
    const auto got = read(
        "# head\nmydestination = a.example,\n\n  # between\n\tb.example,\n#c\n   "
        "c.example\nrelayhost=\n");
    ASSERT_TRUE(got.settings) << got.remarks;
    EXPECT_EQ(got.settings->text("mydestination"), "a.example, b.example, c.example");
    EXPECT_EQ(got.settings->text("relayhost"), "");
    EXPECT_EQ(got.remarks, "");
}

TEST(MainCf, TheLastDefinitionWinsAndIsRemarkedOn) {
    const auto got = read("relayhost = a\nrelayhost = b\n");
    EXPECT_EQ(got.settings->text("relayhost"), "b");
    EXPECT_THAT(got.remarks,
                HasSubstr("warning: main.cf:2: overrides the earlier relayhost of line 1"));
}

TEST(MainCf, ANameThatIsDerivedFromItselfIsAFaultAndNotAnEndlessLoop) {
    for (const char* text : {"myhostname = mx.$mydomain\n", "mynetworks_style = $mynetworks\n",
                             "myhostname = $mynetworks\nmynetworks_style = $mydomain\n"}) {
        const auto got = read(text);
        EXPECT_FALSE(got.settings) << text;
        EXPECT_THAT(got.remarks, HasSubstr("names itself")) << text;
    }
    const auto got = read("myhostname = mx.$mydomain\nmydomain = example\n");
    ASSERT_TRUE(got.settings) << got.remarks;
    EXPECT_EQ(got.settings->text("myhostname"), "mx.example");
}

TEST(MainCf, NamesFileAndLineOfABadValueAndTheRemedy) {
    auto got = read("\n\nsmtpd_timeout = 5x\n");
    EXPECT_FALSE(got.settings);
    EXPECT_THAT(got.remarks, HasSubstr("error: main.cf:3: smtpd_timeout = 5x: not a time; write"));
    got = read("smtpd_recipient_limit = 0\n");
    EXPECT_THAT(got.remarks, HasSubstr("main.cf:1: smtpd_recipient_limit = 0: outside 1 to"));
    got = read("smtpd_delay_reject = maybe\n");
    EXPECT_THAT(got.remarks, HasSubstr("main.cf:1: smtpd_delay_reject = maybe: write yes or no"));
    got = read("sandbox = loose\n");
    EXPECT_THAT(got.remarks, HasSubstr("write one of \"best\" \"strict\""));
    got = read("mynetworks = 127.0.0.0/8, 10.0.0.1/8\n");
    EXPECT_THAT(got.remarks, HasSubstr("\"10.0.0.1/8\" is no network"));
    got = read("relayhost = ${oops\n");
    EXPECT_THAT(got.remarks, HasSubstr("main.cf:1: relayhost ="));
    got = read("slow_destination_rate_delay = soon\n");
    EXPECT_THAT(got.remarks,
                HasSubstr("main.cf:1: slow_destination_rate_delay = soon: not a time"));
}

TEST(MainCf, NamesFileAndLineOfBadSyntax) {
    EXPECT_THAT(read("\nrelayhost\n").remarks,
                HasSubstr("error: main.cf:2: \"relayhost\" has no \"=\""));
    EXPECT_THAT(read("= x\n").remarks, HasSubstr("error: main.cf:1: there is no name"));
    EXPECT_THAT(read("relay host = x\n").remarks, HasSubstr("holds a blank"));
}

TEST(MainCf, WarnsOfUnknownNamesButNotOfOnesOwn) {
    const auto got = read(
        "smtpd_timeuot = 5s\nmy_nets = 127.0.0.0/8\nmynetworks = ${my_nets}\nfrobnicate = 1\n"
        "slow_destination_rate_delay = 1s\n");
    ASSERT_TRUE(got.settings) << got.remarks;
    EXPECT_THAT(
        got.remarks,
        HasSubstr("warning: main.cf:1: unknown parameter smtpd_timeuot, ignored; did you mean "
                  "smtpd_timeout?"));
    EXPECT_THAT(got.remarks, HasSubstr("main.cf:4: unknown parameter frobnicate"));
    EXPECT_THAT(got.remarks, Not(HasSubstr("my_nets")));
    EXPECT_THAT(got.remarks, Not(HasSubstr("slow_")));
    EXPECT_EQ(got.settings->text("mynetworks"), "127.0.0.0/8");
}

TEST(MainCf, AParameterThatOnlyPostfixHasIsNotCalledMistyped) {
    const auto got = read("smtpd_tls_cert_file = /etc/ssl/x.pem\n");
    ASSERT_TRUE(got.settings);
    EXPECT_THAT(
        got.remarks,
        HasSubstr(
            "main.cf:1: smtpd_tls_cert_file is a parameter of Postfix that has no effect here"));
}

// Mail would go out in clear, unfiltered, or elsewhere, with nobody told but the log.
TEST(MainCf, AValueThatForbidsWhatWouldBeDoneStopsTheStart) {
    const auto error_of = [](const std::string& text) {
        const auto got = read(text);
        return got.remarks.find("error: ") == std::string::npos ? std::string() : got.remarks;
    };
    EXPECT_THAT(
        error_of("smtp_tls_security_level = encrypt\n"),
        HasSubstr("main.cf:1: smtp_tls_security_level = encrypt: Posthaste does not do this "
                  "yet, and mail would go out without TLS; to go on without it, set it to "
                  "may"));
    EXPECT_THAT(error_of("smtpd_milters = inet:127.0.0.1:1\n"), HasSubstr("remove the line"));
    EXPECT_THAT(error_of("smtp_discard_ehlo_keywords = starttls, pipelining\n"),
                HasSubstr("what it forbids would be used"));
    EXPECT_EQ(error_of("smtp_discard_ehlo_keywords = starttls, AUTH\n"), "");
    EXPECT_NE(error_of("smtpd_client_message_rate_limit = 100\n"), "");
    EXPECT_EQ(error_of("level = may\nsmtp_tls_security_level = $level\n"), "");
    EXPECT_NE(error_of("level = encrypt\nsmtp_tls_security_level = $level\n"), "");
    for (const char* const text :
         {"content_filter = smtp:[127.0.0.1]:10025\n", "header_checks = regexp:/etc/x\n",
          "always_bcc = a@b.test\n", "soft_bounce = yes\n", "smtpd_tls_security_level = encrypt\n",
          "relay_recipient_maps = texthash:/x\n"}) {
        EXPECT_NE(error_of(text), "") << text;
    }
    for (const char* const text :
         {"smtp_tls_security_level = may\n", "smtpd_tls_security_level =\n", "smtpd_milters =\n",
          "soft_bounce = no\n", "virtual_alias_maps = $virtual_maps\n",
          "soft_bounce = yes\nsoft_bounce = no\n"}) {
        EXPECT_EQ(error_of(text), "") << text;
    }
}

TEST(MainCf, ANextHopThatIsNoneIsNamedWithItsRemedy) {
    const auto remarks = [](const std::string& value) {
        return read("relayhost = " + value + "\n").remarks;
    };
    EXPECT_THAT(remarks("[127.0.0.1]:14000  # our smarthost"),
                HasSubstr("a comment is a line of its own"));
    EXPECT_THAT(remarks("[10.0.0.1:25"), HasSubstr("\"[10.0.0.1:25\" lacks its \"]\""));
    EXPECT_THAT(remarks("[10.0.0.1]:99999"), HasSubstr("the port is 1 to 65535"));
    EXPECT_THAT(remarks("[10.0.0.1]25"), HasSubstr("write [host] or [host]:port"));
    EXPECT_THAT(remarks(":25"), HasSubstr("names no host"));
    for (const char* const good :
         {"", "mx.example.com", "[mx.example.com]:submission", "127.0.0.1:14000",
          "a.example, [b.example]:587 [2001:db8::1]:25"})
        EXPECT_EQ(remarks(good), "") << good;
    EXPECT_THAT(read("minimal_backoff_time = 1h\nmaximal_backoff_time = 10m\n").remarks,
                HasSubstr("error: main.cf:2: maximal_backoff_time = 10m is less than"));
}

TEST(MainCf, AnIndentedFileIsToldFromOneWithContinuedLines) {
    const auto got =
        read("  myhostname = mx.example.org\n  relayhost = [10.0.0.1]\n  mydestination =\n");
    EXPECT_THAT(got.remarks,
                HasSubstr("warning: main.cf:2: begins with a blank and so continues line 1; "
                          "if relayhost is a setting of its own, begin its line without a blank"));
    EXPECT_EQ(read("mydestination = a.example,\n  b.example\n").remarks, "");
}

TEST(MainCf, MyoriginMayBeTheFirstLineOfAFile) {
    SystemFacts facts;
    facts.first_line = [](const std::string& path) {
        return path == "/etc/mailname" ? std::optional<std::string>(" host.example.org\r")
                                       : std::nullopt;
    };
    EXPECT_EQ(read("myorigin = /etc/mailname\n", {}, facts).settings->text("myorigin"),
              "host.example.org");
    const auto gone = read("myorigin = /etc/gone\n", {}, facts);
    EXPECT_FALSE(gone.settings);
    EXPECT_THAT(gone.remarks, HasSubstr("the file /etc/gone can not be read"));
}

TEST(MainCf, AServicesOwnOptionsHoldOverTheFile) {
    const auto got = read("smtpd_banner = hello\nrelayhost = $smtpd_banner\n",
                          {{"smtpd_banner", "goodbye", {"master.cf", 4}}});
    EXPECT_EQ(got.settings->text("smtpd_banner"), "goodbye");
    EXPECT_EQ(got.settings->text("relayhost"), "goodbye");
    EXPECT_THAT(read("", {{"smtpd_timeout", "x", {"master.cf", 4}}}).remarks,
                HasSubstr("error: master.cf:4:"));
}

TEST(MainCf, RefusesToBecomeAnOpenRelay) {
    const auto got = read("relayhost =\nsmtpd_relay_restrictions = permit_mynetworks\n");
    EXPECT_FALSE(got.settings);
    EXPECT_THAT(got.remarks, HasSubstr("error: main.cf:2: "));
    EXPECT_THAT(got.remarks, HasSubstr("open relay"));
    EXPECT_TRUE(read("smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = "
                     "permit_mynetworks, reject\n")
                    .settings);
}

TEST(MainCf, TheMachineGivesNameAndNetworksThatAreNotSet) {
    SystemFacts facts;
    facts.hostname = "mx1.example.org";
    facts.networks_host = "127.0.0.1/32 192.0.2.7/32";
    facts.networks_subnet = "127.0.0.0/8 192.0.2.0/24";
    auto got = read("", {}, facts);
    EXPECT_EQ(got.settings->text("myhostname"), "mx1.example.org");
    EXPECT_EQ(got.settings->text("mydomain"), "example.org");
    EXPECT_EQ(got.settings->text("mynetworks"), facts.networks_host);
    EXPECT_EQ(read("mynetworks_style = subnet\n", {}, facts).settings->text("mynetworks"),
              facts.networks_subnet);
    EXPECT_EQ(read("inet_interfaces = loopback-only\n", {}, facts).settings->text("mynetworks"),
              "127.0.0.1/32");
    EXPECT_EQ(read("inet_interfaces = 192.0.2.7\nmynetworks_style = subnet\n", {}, facts)
                  .settings->text("mynetworks"),
              "192.0.2.0/24");
    facts.networks_host += " [::1]/128";
    EXPECT_EQ(read("inet_protocols = ipv6\n", {}, facts).settings->text("mynetworks"), "[::1]/128");
    facts.hostname = "mx1";
    EXPECT_EQ(read("", {}, facts).settings->text("myhostname"), "mx1.localdomain");
    EXPECT_EQ(read("mydomain = example.net\n", {}, facts).settings->text("myhostname"),
              "mx1.example.net");
    EXPECT_EQ(read("myhostname = a.b.example\n", {}, facts).settings->text("mydomain"),
              "b.example");
}

TEST(MainCf, APortMayBeNamed) {
    EXPECT_EQ(read("smtp_tcp_port = submission\n").settings->integer("smtp_tcp_port"), 587);
    EXPECT_FALSE(read("smtp_tcp_port = gopher\n").settings);
}

TEST(MainCf, AFileThatCannotBeReadIsAnError) {
    Diagnostics diagnostics;
    MainCf::load("/nonexistent/main.cf", diagnostics);
    ASSERT_TRUE(diagnostics.has_errors());
    EXPECT_THAT(diagnostics.all()[0].shown(), HasSubstr("/nonexistent/main.cf"));
}

}  // namespace
}  // namespace posthaste
