#include "cleanup/rewrite/rewrite_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "runtime/testing_loop.h"

#include "cleanup/rewrite/testing_resolver.h"

namespace posthaste::rewrite {
namespace {

using testing::HasSubstr;

constexpr std::string_view kSettings =
    "myhostname = mx.example\nmydestination = here.example\ninet_protocols = ipv4\n"
    "transport_maps = inline:{ bad.example={error:5.7.1 no}, via.example=smtp:[gw.example]:26 }\n";

struct RecordingLog final : Log {
    void line(wire::Severity, std::string_view text) override {
        lines.push_back(std::string(text));
    }

    std::vector<std::string> lines;
};

struct RewriteServiceTest : testing::Test {
    explicit RewriteServiceTest(std::string_view text = kSettings)
        : settings(Settings::initial(text)) {
        Routing routing;
        OpenReport report;
        EXPECT_TRUE(routing.open(settings, {}, report)) << report.error;
        auto owned = std::make_unique<TestingResolver>();
        resolver = owned.get();
        resolver->has_mx("a.example", {{10, "mx.a.example"}});
        resolver->has_address("mx.a.example", "192.0.2.1");
        resolver->has_address("gw.example", "192.0.2.2");
        service = std::make_unique<RewriteService>(
            world, RewriteParts{std::move(routing),
                                HostsFile::parse("127.0.0.1 localhost\n"),
                                {},
                                std::move(owned)});
        service->attach(*(peers = std::make_unique<Peers>(loop, *service)));
        peers->set_hooks({this, nullptr, [](void* self, Peer&, std::string_view what) {
                              static_cast<RewriteServiceTest*>(self)->misbehaved.push_back(
                                  std::string(what));
                          }});
        peers->add({Role::qmgr, 0, 7, Channel(Segment::alias(near), Segment::alias(far)),
                    std::nullopt, -1});
    }

    template <class Record>
    void ask(const Record& record) {
        std::string body;
        wire::encode(record, body);
        ASSERT_TRUE(channel.send(Record::kType, body));
        channel.publish();
    }

    void ask_for(uint64_t cookie, std::string_view recipient, bool with_hosts = true) {
        ask(wire::ResolveRequest{cookie, with_hosts, recipient});
        loop.turn();
    }

    template <class Record>
    std::optional<Record> hear() {
        loop.turn();
        Channel::Record record;
        if (!channel.receive(record)) return std::nullopt;
        channel.release();
        heard = record.body;
        Record out;
        EXPECT_EQ(record.type, Record::kType);
        EXPECT_TRUE(wire::decode(heard, out));
        return out;
    }

    // The next answer about hosts; others are passed over.
    std::optional<wire::ResolveReply> hear_any() {
        loop.turn();
        Channel::Record record;
        while (channel.receive(record)) {
            channel.release();
            heard = record.body;
            wire::ResolveReply out;
            if (record.type == wire::ResolveReply::kType && wire::decode(heard, out)) return out;
        }
        return std::nullopt;
    }

    static std::string shown(const std::optional<wire::ResolveReply>& reply) {
        if (!reply) return "(none)";
        std::string out = std::to_string(reply->cookie) + " " + std::string(reply->transport) +
                          ":" + std::string(reply->nexthop) + " site " + std::string(reply->site);
        if (reply->outcome != wire::ResolveOutcome::ok) {
            out += (reply->outcome == wire::ResolveOutcome::deferred ? " deferred " : " bounced ") +
                   std::string(reply->dsn);
        }
        for (const wire::Host& host : reply->hosts)
            out += " " + std::string(host.name) + "=" + host.endpoint().text();
        return out;
    }

    TestingLoop loop;
    RecordingLog log;
    std::unique_ptr<CounterPage> page = std::make_unique<CounterPage>();
    Settings settings;
    World world{loop, log, *page, settings, nullptr, 0, 1, "rewrite"};
    TestingResolver* resolver = nullptr;
    std::unique_ptr<RewriteService> service;
    std::unique_ptr<Peers> peers;
    Segment near = Segment::create_private(64 * 1024);
    Segment far = Segment::create_private(4 * 1024 * 1024);
    Channel channel{Segment::alias(far), Segment::alias(near)};
    std::string heard;
    std::vector<std::string> misbehaved;
};

TEST_F(RewriteServiceTest, TellsTheWholeWayOfARecipient) {
    ask_for(1, "joe@A.example");
    EXPECT_FALSE(service->is_idle());
    resolver->answer_all();
    const auto reply = hear<wire::ResolveReply>();
    EXPECT_EQ(shown(reply), "1 smtp:a.example site a.example mx.a.example=192.0.2.1:25");
    EXPECT_TRUE(reply->per_domain);
    EXPECT_EQ(reply->address_class, wire::AddressClass::other);
    EXPECT_EQ(reply->ttl_s, 300U);
    EXPECT_TRUE(service->is_idle());
}

TEST_F(RewriteServiceTest, AnswersAtOnceWhatNeedsNoHosts) {
    ask_for(1, "joe@here.example");
    EXPECT_EQ(shown(hear<wire::ResolveReply>()), "1 local:mx.example site mx.example");
    ask_for(2, "joe@bad.example");
    EXPECT_EQ(shown(hear<wire::ResolveReply>()), "2 error:5.7.1 no site 5.7.1 no");
    ask_for(3, "joe@a.example", false);
    EXPECT_EQ(shown(hear<wire::ResolveReply>()), "3 smtp:a.example site a.example");
    EXPECT_TRUE(resolver->questions.empty());
}

TEST_F(RewriteServiceTest, AsksOnceForAllAndRemembers) {
    for (uint64_t cookie = 1; cookie <= 3; ++cookie) ask_for(cookie, "joe@a.example");
    EXPECT_EQ(resolver->questions.size(), 1U);
    resolver->answer_all();
    for (uint64_t cookie = 1; cookie <= 3; ++cookie) {
        EXPECT_EQ(hear<wire::ResolveReply>()->cookie, cookie);
    }
    const size_t asked = resolver->questions.size();
    loop.pass_time(100 * kSecondUs);
    ask_for(4, "ann@a.example");
    EXPECT_EQ(hear<wire::ResolveReply>()->ttl_s, 201U);
    EXPECT_EQ(resolver->questions.size(), asked);
    loop.pass_time(201 * kSecondUs);
    ask_for(5, "ann@a.example");
    EXPECT_GT(resolver->questions.size(), asked);
}

TEST_F(RewriteServiceTest, BouncesAndDefersAsTheDnsSays) {
    ask_for(1, "joe@gone.example");
    resolver->answer_all();
    EXPECT_EQ(shown(hear<wire::ResolveReply>()),
              "1 smtp:gone.example site gone.example bounced 5.4.4");
    resolver->fails("ill.example");
    ask_for(2, "joe@ill.example");
    resolver->answer_all();
    EXPECT_EQ(shown(hear<wire::ResolveReply>()),
              "2 smtp:ill.example site ill.example deferred 4.4.3");
}

TEST_F(RewriteServiceTest, NamesClients) {
    ask(wire::ClientNameRequest{1, false, IpAddress::v4(127, 0, 0, 1).bytes});
    EXPECT_EQ(hear<wire::ClientNameReply>()->name, "localhost");
    resolver->has_name("192.0.2.1", "mx.a.example");
    auto bytes = IpAddress::v4(192, 0, 2, 1).bytes;
    bytes[9] = 77;
    ask(wire::ClientNameRequest{2, false, bytes});
    loop.turn();
    resolver->answer_all();
    EXPECT_EQ(hear<wire::ClientNameReply>()->name, "mx.a.example");
    const size_t asked = resolver->questions.size();
    ask(wire::ClientNameRequest{3, false, bytes});
    EXPECT_EQ(hear<wire::ClientNameReply>()->name, "mx.a.example");
    EXPECT_EQ(resolver->questions.size(), asked);
}

TEST_F(RewriteServiceTest, AnAskerThatDiesLeavesItsAnswerInTheCache) {
    ask_for(1, "joe@a.example");
    peers->remove(7);
    resolver->answer_all();
    EXPECT_TRUE(service->is_idle());
}

TEST_F(RewriteServiceTest, TakesNoMoreThanItsBound) {
    uint64_t cookie = 0;
    for (; cookie < RewriteService::kWaitersMax + 100; ++cookie)
        ask_for(cookie, "joe@d" + std::to_string(cookie % 1500) + ".example");
    EXPECT_EQ(resolver->questions.size(), RewriteService::kHostQuestionsMax);
    EXPECT_TRUE(peers->find(7)->paused());
    size_t answers = 0;
    for (int turn = 0; turn < 50'000 && answers < cookie; ++turn) {
        resolver->answer_all();
        while (hear<wire::ResolveReply>()) ++answers;
    }
    EXPECT_EQ(answers, cookie);
    EXPECT_FALSE(peers->find(7)->paused());
    EXPECT_TRUE(service->is_idle());
}

// A thousand clients whose reverse zones are silent, and a mailing to a thousand dead domains.
TEST_F(RewriteServiceTest, StrangersHoldUpNobodysMail) {
    ask_for(1, "joe@a.example");
    resolver->answer_all();
    ASSERT_TRUE(hear<wire::ResolveReply>());
    for (int i = 0; i < 1000; ++i) {
        const IpAddress ip =
            IpAddress::v4(10, 0, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i & 255));
        resolver->is_silent(ip.text());
        ask(wire::ClientNameRequest{static_cast<uint64_t>(10'000 + i), false, ip.bytes});
        loop.turn();
        const std::string dead = "dead" + std::to_string(i) + ".example";
        resolver->is_silent(dead);
        ask_for(20'000 + static_cast<uint64_t>(i), "joe@" + dead);
    }
    EXPECT_LE(resolver->unanswered(),
              RewriteService::kHostQuestionsMax + RewriteService::kNameQuestionsMax);
    // What is known is answered at once, whatever waits.
    ask_for(2, "joe@a.example");
    EXPECT_EQ(shown(hear<wire::ResolveReply>()),
              "2 smtp:a.example site a.example mx.a.example=192.0.2.1:25");
    // A name beyond the bound is unknown at once, and nobody waits for it.
    ask(wire::ClientNameRequest{3, false, IpAddress::v4(192, 0, 2, 99).bytes});
    const auto name = hear<wire::ClientNameReply>();
    ASSERT_TRUE(name);
    EXPECT_EQ(name->cookie, 3U);
    EXPECT_EQ(name->name, "unknown");
    // What is not known waits for those before it, but not for their time-outs.
    std::set<uint64_t> good;
    for (uint64_t i = 0; i < 200; ++i) {
        const std::string domain = "good" + std::to_string(i) + ".example";
        resolver->has_mx(domain, {{10, "mx.a.example"}});
        ask_for(30'000 + i, "joe@" + domain);
    }
    int64_t waited_us = 0;
    while (good.size() < 200 && waited_us < HostFinder::kSearchTimeoutUs) {
        resolver->answer_all();
        while (const auto reply = hear_any()) {
            if (reply->cookie >= 30'000 && reply->outcome == wire::ResolveOutcome::ok)
                good.insert(reply->cookie);
        }
        if (good.size() == 200) break;
        loop.pass_time(500 * kMsUs);
        waited_us += 500 * kMsUs;
    }
    EXPECT_EQ(good.size(), 200U);
    EXPECT_LE(waited_us, 2 * QuestionBudget::kPatienceUs);
    for (int i = 0; i < 100 && !service->is_idle(); ++i) {
        loop.pass_time(kSecondUs);
        while (hear_any()) {
        }
    }
    EXPECT_TRUE(service->is_idle());
    EXPECT_EQ(resolver->unanswered(), 0U) << "what nobody waits for takes no place";
}

TEST_F(RewriteServiceTest, AReloadAsksTheDnsNothingAnew) {
    ask_for(1, "joe@a.example");
    resolver->answer_all();
    ASSERT_TRUE(hear<wire::ResolveReply>());
    const size_t questions = resolver->questions.size();
    service->on_settings(Settings::initial("inet_protocols = ipv4\n"));
    ask_for(2, "joe@a.example");
    EXPECT_EQ(shown(hear<wire::ResolveReply>()),
              "2 smtp:a.example site a.example mx.a.example=192.0.2.1:25");
    EXPECT_EQ(resolver->questions.size(), questions);
    service->on_settings(Settings::initial("inet_protocols = ipv4\nsmtp_tcp_port = 26\n"));
    ask_for(3, "joe@a.example");
    resolver->answer_all();
    EXPECT_EQ(shown(hear<wire::ResolveReply>()),
              "3 smtp:a.example site a.example mx.a.example=192.0.2.1:26")
        << "but what would be asked otherwise now";
}

TEST_F(RewriteServiceTest, WhoTalksNonsenseIsHeardNoMore) {
    ASSERT_TRUE(channel.send(wire::ResolveRequest::kType, "x"));
    channel.publish();
    loop.turn();
    EXPECT_EQ(misbehaved.size(), 1U);
    EXPECT_FALSE(peers->find(7)->is_heard());
}

TEST_F(RewriteServiceTest, ReloadsRoutesAndForgetsWhatItKnew) {
    service->on_settings(Settings::initial("inet_protocols = ipv4\nrelayhost = [gw.example]\n"));
    ask_for(1, "joe@via.example");
    resolver->answer_all();
    EXPECT_EQ(shown(hear<wire::ResolveReply>()),
              "1 smtp:[gw.example] site [gw.example] gw.example=192.0.2.2:25");
    service->on_settings(Settings::initial("transport_maps = texthash:/nonexistent\n"));
    ASSERT_EQ(log.lines.size(), 1U);
    EXPECT_THAT(log.lines[0], HasSubstr("/nonexistent"));
    ask_for(2, "joe@via.example", false);
    EXPECT_EQ(shown(hear<wire::ResolveReply>()), "2 smtp:[gw.example] site [gw.example]");
}

struct RelayhostTest : RewriteServiceTest {
    RelayhostTest()
        : RewriteServiceTest("myhostname = mx.example\nrelayhost = [nowhere.example]\n") {}
};

TEST_F(RelayhostTest, ThatIsNotFoundIsOurOwnMistakeAndMailWaits) {
    ask_for(1, "joe@a.example");
    resolver->answer_all();
    EXPECT_EQ(shown(hear<wire::ResolveReply>()),
              "1 smtp:[nowhere.example] site [nowhere.example] deferred 4.3.5");
    ASSERT_EQ(log.lines.size(), 1U);
    EXPECT_THAT(log.lines[0], HasSubstr("relayhost configuration problem"));
}

}  // namespace
}  // namespace posthaste::rewrite
