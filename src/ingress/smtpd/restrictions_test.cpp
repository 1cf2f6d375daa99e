#include "ingress/smtpd/restrictions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace posthaste::smtpd {
namespace {

using ::testing::HasSubstr;

// Settings as a snapshot may hold them, past the checks that main.cf goes through before.
Settings unchecked(const Settings& checked, std::string_view name, std::string_view value) {
    std::string lines = checked.snapshot();
    const std::string begin = "\n" + std::string(name) + " = ";
    const size_t at = lines.find(begin) + begin.size();
    lines.replace(at, lines.find('\n', at) - at, value);
    auto settings = Settings::parse_snapshot(lines);
    EXPECT_TRUE(settings.has_value());
    return std::move(*settings);
}

struct Asker {
    explicit Asker(std::string_view overrides) {
        std::string lines =
            "mynetworks = 10.0.0.0/8 [2001:db8::]/32\nmyorigin = mx.origin.test\nmydestination = "
            "local.test\n"
            "relay_domains = example.com, .example.org\n";
        lines.append(overrides);
        restrictions = Restrictions::parse(Settings::initial(lines), fault);
    }

    std::string rcpt(std::string_view recipient, std::string_view client = "192.0.2.1",
                     std::string_view sender = "s@net.test",
                     std::string_view helo = "helo.test") const {
        return restrictions->at_recipient({.client = *IpAddress::parse(client),
                                           .local = *IpAddress::parse("192.0.2.99"),
                                           .client_name_address = "name[192.0.2.1]",
                                           .helo = helo,
                                           .sender = sender,
                                           .recipient = recipient});
    }

    std::string fault;
    std::optional<Restrictions> restrictions;
};

constexpr std::string_view kReject =
    "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n";

TEST(Restrictions, RelayForOwnNetworksAndOwnDomainsOnly) {
    const Asker ask(kReject);
    ASSERT_TRUE(ask.restrictions) << ask.fault;
    EXPECT_EQ(ask.rcpt("a@elsewhere.test"), "554 5.7.1 <a@elsewhere.test>: Relay access denied");
    EXPECT_EQ(ask.rcpt("a@elsewhere.test", "10.9.8.7"), "");
    EXPECT_EQ(ask.rcpt("a@elsewhere.test", "::ffff:10.9.8.7"), "");
    EXPECT_EQ(ask.rcpt("a@elsewhere.test", "2001:db8::1"), "");
    EXPECT_NE(ask.rcpt("a@elsewhere.test", "2001:db9::1"), "");
    EXPECT_EQ(ask.rcpt("a@Example.COM"), "");
    EXPECT_EQ(ask.rcpt("a@sub.example.com"),
              "");  // parent_domain_matches_subdomains holds relay_domains
    EXPECT_NE(ask.rcpt("a@notexample.com"), "");
    EXPECT_EQ(ask.rcpt("a@local.test"), "");
    EXPECT_NE(ask.rcpt("a@sub.local.test"), "");  // mydestination never matches below
}

TEST(Restrictions, DefaultsDeferStrangers) {
    const Asker ask("");
    ASSERT_TRUE(ask.restrictions) << ask.fault;
    EXPECT_EQ(ask.rcpt("a@elsewhere.test"), "454 4.7.1 <a@elsewhere.test>: Relay access denied");
    EXPECT_EQ(ask.rcpt("a@example.com"), "");
}

TEST(Restrictions, DotsCountWhereParentsDoNotMatch) {
    const Asker ask(std::string(kReject) + "parent_domain_matches_subdomains =\n");
    EXPECT_EQ(ask.rcpt("a@example.com"), "");
    EXPECT_NE(ask.rcpt("a@sub.example.com"), "");
    EXPECT_EQ(ask.rcpt("a@sub.example.org"), "");
    EXPECT_NE(ask.rcpt("a@example.org"), "");
}

TEST(Restrictions, DomainsMayComeFromTables) {
    const Asker ask(std::string(kReject) + "relay_domains = inline:{ table.test=x }\n");
    ASSERT_TRUE(ask.restrictions) << ask.fault;
    EXPECT_EQ(ask.rcpt("a@table.test"), "");
    EXPECT_NE(ask.rcpt("a@example.com"), "");
}

TEST(Restrictions, AnEarlierExclusionWins) {
    const Asker ask(
        std::string(kReject) +
        "relay_domains = !secret.example.com, example.com\nmynetworks = !10.1.2.3, 10.0.0.0/8\n");
    ASSERT_TRUE(ask.restrictions) << ask.fault;
    EXPECT_EQ(ask.rcpt("a@open.example.com"), "");
    EXPECT_NE(ask.rcpt("a@secret.example.com"), "");
    EXPECT_NE(ask.rcpt("a@below.secret.example.com"), "");
    EXPECT_NE(ask.rcpt("a@elsewhere.test", "10.1.2.3"), "");
    EXPECT_EQ(ask.rcpt("a@elsewhere.test", "10.1.2.4"), "");
}

TEST(Restrictions, RoutesThroughUsAreStrangers) {
    const Asker ask(kReject);
    EXPECT_NE(ask.rcpt("a%elsewhere.test@example.com"), "");
    EXPECT_NE(ask.rcpt("elsewhere.test!a@example.com"), "");
    EXPECT_NE(ask.rcpt("\"a@elsewhere.test\"@example.com"), "");
    EXPECT_EQ(ask.rcpt("a%elsewhere.test@example.com", "10.0.0.1"), "");
}

TEST(Restrictions, PostmasterIsAlwaysWelcome) {
    const Asker ask("smtpd_relay_restrictions = reject\nsmtpd_client_restrictions = reject\n");
    EXPECT_EQ(ask.rcpt("postmaster"), "");
    EXPECT_EQ(ask.rcpt("PostMaster"), "");
    EXPECT_NE(ask.rcpt("postmaster@elsewhere.test"), "");
}

TEST(Restrictions, ABareNameBelongsToMyOrigin) {
    EXPECT_NE(Asker(kReject).rcpt("user"), "");
    EXPECT_EQ(Asker(std::string(kReject) +
                    "mydestination = mx.example.com\nmyorigin = mx.example.com\nrelay_domains =\n")
                  .rcpt("user"),
              "");
}

TEST(Restrictions, LiteralsAreOursWhenTheyNameOurAddress) {
    const Asker ask(kReject);
    EXPECT_EQ(ask.rcpt("a@[192.0.2.99]"), "");
    EXPECT_NE(ask.rcpt("a@[192.0.2.98]"), "");
    EXPECT_NE(ask.rcpt("a@[IPv6:2001:db8::1]"), "");
}

TEST(Restrictions, BothListsAreAsked) {
    const Asker ask(
        "smtpd_relay_restrictions = permit\nsmtpd_recipient_restrictions = "
        "permit_auth_destination, reject\n");
    ASSERT_TRUE(ask.restrictions) << ask.fault;
    EXPECT_EQ(ask.rcpt("a@example.com"), "");
    EXPECT_EQ(ask.rcpt("a@elsewhere.test"),
              "554 5.7.1 <a@elsewhere.test>: Recipient address rejected: Access denied");
}

TEST(Restrictions, SayWhatTheyRefuse) {
    EXPECT_EQ(
        Asker(std::string(kReject) + "smtpd_client_restrictions = permit_mynetworks, reject\n")
            .rcpt("a@example.com"),
        "554 5.7.1 <name[192.0.2.1]>: Client host rejected: Access denied");
    EXPECT_EQ(
        Asker(std::string(kReject) + "smtpd_helo_restrictions = defer\n").rcpt("a@example.com"),
        "450 4.3.2 <helo.test>: Helo command rejected: Try again later");
    EXPECT_EQ(
        Asker(std::string(kReject) + "smtpd_sender_restrictions = reject\n").rcpt("a@example.com"),
        "554 5.7.1 <s@net.test>: Sender address rejected: Access denied");
    const Asker fqdn(
        std::string(kReject) +
        "smtpd_recipient_restrictions = reject_non_fqdn_sender, reject_non_fqdn_recipient, "
        "reject_non_fqdn_helo_hostname, reject_invalid_helo_hostname\n");
    EXPECT_EQ(fqdn.rcpt("a@example.com"), "");
    EXPECT_EQ(fqdn.rcpt("a@example.com", "192.0.2.1", ""), "");
    EXPECT_EQ(fqdn.rcpt("a@example.com", "192.0.2.1", "s@short"),
              "504 5.5.2 <s@short>: Sender address rejected: need fully-qualified address");
    EXPECT_EQ(fqdn.rcpt("a", "10.0.0.1"),
              "504 5.5.2 <a>: Recipient address rejected: need fully-qualified address");
    EXPECT_EQ(fqdn.rcpt("a@example.com", "192.0.2.1", "", "me"),
              "504 5.5.2 <me>: Helo command rejected: need fully-qualified hostname");
    for (const char* const name : {"web_1.example.com", "mx.example.com."})
        EXPECT_EQ(fqdn.rcpt("a@example.com", "192.0.2.1", "", name), "") << name;
    EXPECT_EQ(fqdn.rcpt("a@example.com", "192.0.2.1", "", "a..example"),
              "504 5.5.2 <a..example>: Helo command rejected: need fully-qualified hostname");
}

TEST(Restrictions, AddressesAsHelloNames) {
    const Asker ask(std::string(kReject) +
                    "smtpd_helo_restrictions = reject_invalid_helo_hostname, "
                    "reject_non_fqdn_helo_hostname\n");
    EXPECT_EQ(ask.rcpt("a@example.com", "192.0.2.1", "", "[192.0.2.7]"), "");
    EXPECT_EQ(ask.rcpt("a@example.com", "192.0.2.1", "", "[300.0.2.7]"),
              "501 5.5.2 <[300.0.2.7]>: Helo command rejected: invalid ip address");
    EXPECT_EQ(ask.rcpt("a@example.com", "192.0.2.1", "", "192.0.2.7"),
              "504 5.5.2 <192.0.2.7>: Helo command rejected: need fully-qualified hostname");
    EXPECT_EQ(ask.rcpt("a@example.com", "192.0.2.1", "", "a..b"),
              "501 5.5.2 <a..b>: Helo command rejected: Invalid name");
}

TEST(Restrictions, RelayIsAskedBeforeRecipientUnlessToldOtherwise) {
    const std::string both =
        std::string(kReject) + "smtpd_recipient_restrictions = reject_non_fqdn_recipient, reject\n";
    EXPECT_EQ(Asker(both).rcpt("a@elsewhere.test").substr(0, 9), "554 5.7.1");
    EXPECT_NE(Asker(both).rcpt("a@elsewhere.test").find("Relay access denied"), std::string::npos);
    const Asker other(both + "smtpd_relay_before_recipient_restrictions = no\n");
    EXPECT_EQ(other.rcpt("a@elsewhere.test").find("Relay access denied"), std::string::npos);
    EXPECT_NE(other.rcpt("a@elsewhere.test"), "");
}

TEST(Restrictions, ConfiguredCodesTakeTheirClassAlong) {
    const Asker ask(std::string(kReject) + "relay_domains_reject_code = 450\n");
    EXPECT_EQ(ask.rcpt("a@elsewhere.test"), "450 4.7.1 <a@elsewhere.test>: Relay access denied");
}

TEST(Restrictions, TransportsThatRefuseDoSoAtRcpt) {
    constexpr std::string_view kMap =
        "transport_maps = inline:{ { example.com = error:5.1.2 no such place } "
        "{ u@sub.example.com = retry: } { x@sub.example.com = error:4.2.2 odd } "
        "{ y@sub.example.com = smtp:[gw.test] } }\n";
    const Asker ask(std::string(kReject) + std::string(kMap));
    EXPECT_EQ(ask.rcpt("a@example.com"),
              "550 5.1.2 <a@example.com>: Recipient address rejected: no such place");
    EXPECT_EQ(
        ask.rcpt("u@sub.example.com"),
        "450 4.1.1 <u@sub.example.com>: Recipient address rejected: Address is undeliverable");
    EXPECT_EQ(ask.rcpt("x@sub.example.com"),
              "550 5.2.2 <x@sub.example.com>: Recipient address rejected: odd");
    EXPECT_EQ(ask.rcpt("y@sub.example.com"), "");
    EXPECT_EQ(ask.rcpt("a@elsewhere.test").substr(0, 9), "554 5.7.1") << "relaying goes before";
    const Asker mild(std::string(kReject) + std::string(kMap) +
                     "smtpd_reject_unlisted_recipient = no\n");
    EXPECT_EQ(mild.rcpt("a@example.com"), "");
    const Asker classes(std::string(kReject) +
                        "local_transport = error:nobody lives here\nrelay_transport = retry:4.3.2 "
                        "not now\ntransport_maps = inline:{ { example.com = smtp: } }\n");
    EXPECT_EQ(classes.rcpt("a@local.test"),
              "550 5.1.1 <a@local.test>: Recipient address rejected: nobody lives here");
    EXPECT_EQ(classes.rcpt("a@sub.example.com"),
              "450 4.3.2 <a@sub.example.com>: Recipient address rejected: not now");
    EXPECT_EQ(classes.rcpt("a@example.com"), "") << "the map's word goes before the class's";
    EXPECT_EQ(classes.rcpt("a@elsewhere.test", "10.0.0.1"), "");
}

TEST(Restrictions, NeverAnOpenRelay) {
    struct Case {
        std::string_view relay;
        std::string_view recipient;
        bool good;
    };

    const Case cases[] = {{"", "", false},
                          {"permit_mynetworks", "", false},
                          {"permit, reject_unauth_destination", "permit, reject", false},
                          {"permit_auth_destination", "reject_non_fqdn_sender", false},
                          {"", "defer_unauth_destination", true},
                          {"reject", "", true}};
    for (const Case& each : cases) {
        const Settings settings =
            unchecked(unchecked(Settings::initial(), "smtpd_relay_restrictions", each.relay),
                      "smtpd_recipient_restrictions", each.recipient);
        std::string fault;
        EXPECT_EQ(Restrictions::parse(settings, fault).has_value(), each.good)
            << each.relay << " / " << each.recipient;
        EXPECT_THAT(
            fault,
            HasSubstr(each.good ? ""
                                : "at least one working instance of: reject_unauth_destination"));
    }
}

TEST(Restrictions, RefuseWhatTheyDoNotKnow) {
    const Asker ask("smtpd_recipient_restrictions = reject_rbl_client zen.example.net\n");
    EXPECT_FALSE(ask.restrictions);
    EXPECT_EQ(
        ask.fault,
        "smtpd_recipient_restrictions: unknown restriction: \"reject_rbl_client\"; nobody would "
        "ask it: remove it, if you can do without");
    EXPECT_EQ(Asker("mynetworks = /no/such/file\n").fault.substr(0, 12), "mynetworks: ");
    EXPECT_EQ(Asker("relay_domains = hash:/etc/relay\n").fault.substr(0, 15), "relay_domains: ");
}

}  // namespace
}  // namespace posthaste::smtpd
