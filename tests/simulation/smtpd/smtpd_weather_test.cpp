// Many clients, any weather, cleanups that die: from a seed.
#include "simulation/smtpd/smtpd_house.h"

namespace posthaste::smtpd {
namespace {

// Clients that send many messages in any weather, while cleanups die and come: every message that
// was answered 250 was handed over whole, and all memory comes home.
class SmtpdServiceWeather : public SmtpdHouse, public ::testing::WithParamInterface<uint64_t> {
 protected:
    SmtpdServiceWeather() : SmtpdHouse(GetParam()) {}
};

TEST_P(SmtpdServiceWeather, LosesNothing) {
    start("message_size_limit = 100000\nsmtpd_hard_error_limit = 1000\n", 12);
    add_cleanup(1);
    add_cleanup(2);
    sim.network().conditions.reset_permille = 1;
    answer_delay_us_max = 20'000;
    std::map<std::string, std::string> bodies;  // by their first word
    constexpr int kClients = 6;
    constexpr int kMessages = 15;
    size_t accepted = 0;

    struct Talk {
        TestClient* client;
        int sent = 0;
        size_t expected_lines = 0;
        bool said_ehlo = false;
        bool is_esmtp = false;
        bool quit = false;
    };

    std::vector<Talk> talks;
    for (int i = 0; i < kClients; ++i) {
        clients.push_back(std::make_unique<TestClient>(client_loop));
        talks.push_back({clients.back().get()});
    }
    uint32_t next_cleanup = 3;
    const auto step_talk = [&](Talk& talk, int number) {
        TestClient& client = *talk.client;
        if (client.closed || talk.quit || !client.is_connected()) return;
        const auto lines = std::count(client.heard.begin(), client.heard.end(), '\n');
        if (lines <= static_cast<long>(talk.expected_lines)) return;
        if (!std::exchange(talk.said_ehlo, true)) return client.say("EHLO me\r\n");
        if (!talk.is_esmtp && !has_ehlo_reply(client)) return;
        talk.is_esmtp = true;
        talk.expected_lines = static_cast<size_t>(lines);
        if (talk.sent == kMessages) {
            client.say("QUIT\r\n");
            talk.quit = true;
            return;
        }
        ++talk.sent;
        const std::string body = std::to_string(number) + "/" + std::to_string(talk.sent) + " " +
                                 std::string(static_cast<size_t>(sim.between(0, 60'000)), 'x') +
                                 "\r\n";
        bodies.emplace(body.substr(0, body.find(' ')), body);
        talk.expected_lines += 2;
        client.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nBDAT " +
                   std::to_string(body.size()) + " LAST\r\n" + body);
    };
    const auto all_over = [&] {
        for (int i = 0; i < kClients; ++i) step_talk(talks[static_cast<size_t>(i)], i);
        if (sim.chance(1, 500) && !cleanups.empty()) {
            FarEnd& doomed = *cleanups[static_cast<size_t>(
                sim.between(0, static_cast<int64_t>(cleanups.size()) - 1))];
            if (!doomed.deaf) {
                const uint32_t incarnation = doomed.incarnation;
                kill_cleanup(doomed);
                sim.after(sim.between(1, 50'000),
                          [this, incarnation] { peers->forgotten(kStore, incarnation); });
                add_cleanup(next_cleanup++);
            }
        }
        for (const Talk& talk : talks) {
            if (!talk.client->closed) return false;
        }
        return true;
    };
    ASSERT_TRUE(until(all_over));
    for (const Taken& each : taken) {
        EXPECT_EQ(each.content, bodies.at(each.content.substr(0, each.content.find(' '))));
    }
    for (const Talk& talk : talks) {
        for (size_t at = 0; (at = talk.client->heard.find("queued as ", at)) != std::string::npos;
             ++at) {
            if (talk.client->heard.find('\n', at) == std::string::npos)
                break;  // cut off by a reset
            ++accepted;
            const auto id = parse_queue_id(talk.client->heard.substr(at + 10, kQueueIdLength));
            ASSERT_TRUE(id);
            EXPECT_TRUE(std::any_of(taken.begin(), taken.end(),
                                    [&](const Taken& each) { return each.envelope.id == *id; }));
        }
    }
    EXPECT_GT(accepted, 0U);
    ASSERT_TRUE(until([&] { return counted(SmtpdCounter::sessions_open) == 0; }));
    pass(kSecondUs);
    EXPECT_EQ(arena->blocks_free(), arena->blocks_total());
}

INSTANTIATE_TEST_SUITE_P(Seeds, SmtpdServiceWeather, ::testing::Range<uint64_t>(1, 21));

}  // namespace
}  // namespace posthaste::smtpd
