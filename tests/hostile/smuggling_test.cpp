// SMTP smuggling, exhaustively: every text of CR, LF, dot and a letter up to a length, as the data
// of a message and behind it whatever follows, however it is cut. One message must stay one for us
// (server) and, as we pass it on (client), for the strictest and the laxest of the next servers.
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"

#include "mail/data_scanner_model.h"

#include "egress/smtp/client_session.h"
#include "ingress/smtpd/session_testing.h"

namespace posthaste {
namespace {

using smtpd::Dialogue;
using smtpd::SmtpdSettings;

constexpr std::string_view kLetters = "\r\n.a";
constexpr size_t kServerLengthMax = 7;
constexpr size_t kCutLengthMax = 5;
constexpr size_t kClientLengthMax = 7;

// Calls visit(text) for each text of these letters up to that length.
template <class Visit>
void each_text(size_t length_max, Visit&& visit) {
    std::string text;
    const auto grow = [&](const auto& self) -> void {
        visit(std::string_view(text));
        if (text.size() == length_max) return;
        for (const char letter : kLetters) {
            text.push_back(letter);
            self(self);
            text.pop_back();
        }
    };
    grow(grow);
}

std::string shown(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) out += c == '\r' ? "<CR>" : c == '\n' ? "<LF>" : std::string(1, c);
    return out;
}

// ---- as server

const std::string kEnvelope =
    "EHLO me\r\nMAIL FROM:<outer@b.test>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n";
const std::string kInner = "MAIL FROM:<inner@b.test>\r\nRCPT TO:<d@example.com>\r\nDATA\r\n";
constexpr std::string_view kEnd = "\r\n.\r\n";

struct Heard {
    std::vector<smtpd::StringWorld::Message> messages;
    std::string replies;
    friend bool operator==(const Heard&, const Heard&) = default;
};

Heard serve(const SmtpdSettings& settings, std::string_view first, std::string_view second = {}) {
    Dialogue dialogue(settings);
    dialogue.start();
    dialogue.say(first);
    dialogue.say(second);
    return {dialogue.world.messages, dialogue.world.replies};
}

struct SmugglingIn : testing::TestWithParam<std::string_view> {
    // Whether the client waited is what the cuts tell; here nobody is asked to.
    const SmtpdSettings settings =
        Dialogue::settings_with("smtpd_forbid_unauth_pipelining = no\n" + std::string(GetParam()));
};

// The message ends where CRLF.CRLF first stands, and nowhere else: what lies before is its content,
// what lies behind is commands.
TEST_P(SmugglingIn, AMessageEndsAtDotBetweenCrlfAlone) {
    size_t split = 0;
    each_text(kServerLengthMax, [&](std::string_view text) {
        const std::string data = "S: x\r\n\r\n" + std::string(text) + "MAIL" + std::string(kEnd);
        const size_t end = data.find(kEnd) + kEnd.size();
        const Heard heard = serve(settings, kEnvelope + data);
        ASSERT_EQ(heard.messages.size(), 1U) << shown(data);
        const auto model =
            data_model::model(BareNewline::normalize, std::string_view(data).substr(0, end), true);
        ASSERT_TRUE(model.done) << shown(data);
        ASSERT_EQ(heard.messages[0].content, model.stored) << shown(data);
        ASSERT_EQ(heard.messages[0].content.find("MAIL") == std::string::npos, end != data.size());
        split += end != data.size();
    });
    EXPECT_GT(split, 0U) << "no text held the true end: nothing was tried";
}

// The envelope of another message inside: it is one only behind a true end.
TEST_P(SmugglingIn, CommandsInsideAMessageStayInside) {
    each_text(kServerLengthMax, [&](std::string_view text) {
        const std::string data = "S: x\r\n\r\nbody" + std::string(text) + kInner +
                                 "S: y\r\n\r\nevil" + std::string(kEnd);
        const size_t end = data.find(kEnd) + kEnd.size();
        // Behind the end stand letters before the command: a line of nonsense, or several.
        const bool is_command =
            end != data.size() &&
            std::string_view(data).substr(end) == kInner + "S: y\r\n\r\nevil" + std::string(kEnd);
        const Heard heard = serve(settings, kEnvelope + data);
        const bool ends_early = end != data.size();
        if (!ends_early) {
            ASSERT_EQ(heard.messages.size(), 1U) << shown(data);
        }
        if (is_command) {
            ASSERT_EQ(heard.messages.size(), 2U) << shown(data);
        }
        for (const auto& message : heard.messages) {
            const bool is_outer = message.envelope.sender == "outer@b.test";
            ASSERT_EQ(message.content.starts_with("S: x\r\n"), is_outer) << shown(data);
        }
    });
}

TEST_P(SmugglingIn, NoCutMakesADifference) {
    each_text(kCutLengthMax, [&](std::string_view text) {
        const std::string all = kEnvelope + "S: x\r\n\r\nbody" + std::string(text) + kInner +
                                "evil" + std::string(kEnd) + "QUIT\r\n";
        const Heard whole = serve(settings, all);
        const size_t begin = kEnvelope.size() + 8;
        const size_t end = begin + 8 + text.size();
        for (size_t cut = begin; cut <= end; ++cut) {
            const std::string_view view = all;
            ASSERT_EQ(serve(settings, view.substr(0, cut), view.substr(cut)), whole)
                << "cut at " << cut - begin << " of " << shown(view.substr(begin, end - begin));
        }
    });
}

TEST_P(SmugglingIn, ACountedChunkIsAllContent) {
    each_text(kServerLengthMax, [&](std::string_view text) {
        const std::string content =
            "S: x\r\n\r\nbody" + std::string(text) + kInner + "evil" + std::string(text);
        const Heard heard = serve(settings,
                                  "EHLO me\r\nMAIL FROM:<outer@b.test>\r\nRCPT "
                                  "TO:<c@example.com>\r\nBDAT " +
                                      std::to_string(content.size()) + " LAST\r\n" + content);
        ASSERT_EQ(heard.messages.size(), 1U) << shown(content);
        // Lines end with CRLF, and there is no other CR or LF for the next server to wonder at.
        const std::string& stored = heard.messages[0].content;
        for (size_t at = 0; at < stored.size(); ++at) {
            const bool before = at > 0 && stored[at - 1] == '\r';
            const bool after = at + 1 < stored.size() && stored[at + 1] == '\n';
            ASSERT_TRUE(stored[at] != '\n' || before) << shown(stored);
            ASSERT_TRUE(stored[at] != '\r' || after) << shown(stored);
        }
    });
}

INSTANTIATE_TEST_SUITE_P(Policies, SmugglingIn,
                         testing::Values("", "smtpd_forbid_bare_newline = note\n"));

// ---- as client

// Of those who read it next, each line of `ends` ends one for some. Takes content as such a server
// would; false when its end of data is not at the very end, or when there is another before.
struct NextServer {
    std::string_view name;
    std::vector<std::string_view> line_ends;  // longest first
};

const NextServer kNextServers[] = {
    {"strict", {"\r\n"}},
    {"takes LF", {"\r\n", "\n"}},
    {"takes CR", {"\r\n", "\r", "\n"}},
    {"takes CR CR LF", {"\r\r\n", "\r\n", "\n", "\r"}},
};

struct Read {
    bool ended = false;
    size_t left = 0;  // behind the end: would be commands
    std::vector<std::string> lines;
};

Read read_as(const NextServer& server, std::string_view bytes) {
    Read out;
    std::string line;
    for (size_t at = 0; at < bytes.size();) {
        std::string_view end;
        for (const std::string_view each : server.line_ends) {
            if (bytes.substr(at).starts_with(each)) {
                end = each;
                break;
            }
        }
        if (end.empty()) {
            line += bytes[at++];
            continue;
        }
        at += end.size();
        if (line == ".") {
            out.ended = true;
            out.left = bytes.size() - at;
            return out;
        }
        out.lines.push_back(line.starts_with('.') ? line.substr(1) : line);
        line.clear();
    }
    return out;
}

struct StringLine final : smtp::ClientSession::Line {
    void send(std::string_view text) override { said += text; }

    void send_borrowed(std::string_view bytes) override { said += bytes; }

    uint64_t output_mark() const override { return said.size(); }

    bool is_taken(uint64_t) const override { return true; }

    void wait_at_most(int64_t) override {}

    void on_ready() override {}

    void on_job_done(smtp::Job&) override { done = true; }

    void on_job_returned(smtp::Job&) override {}

    void on_note(std::string_view) override {}

    void on_warning(std::string_view text) override { ADD_FAILURE() << text; }

    void on_dead(const DeliveryStatus&) override {}

    std::string said;
    bool done = false;
};

// What goes out behind 354 for this content, in pieces cut there.
std::string sent_for(std::string_view content, size_t cut) {
    smtp::Job job;
    wire::DeliveryJob order;
    order.id = 1'700'000'000'000'000;
    order.sender = "s@example.org";
    order.size_bytes = content.size();
    order.recipients.push_back({0, "r@example.com", {}, 0});
    wire::encode(order, job.record);
    EXPECT_TRUE(wire::decode(job.record, job.wire));
    job.content = {content.substr(0, cut), content.substr(cut)};
    job.recipients.resize(1);
    smtp::SmtpConfig config;
    config.helo_name = "client.test";
    config.data_xfer_timeout_us = 1;
    StringLine line;
    smtp::ClientSession session(config, "mx[192.0.2.1]", "dest", false, line);
    session.start();
    for (const char* const reply : {"220 mx\r\n", "250 mx\r\n"}) session.on_bytes(reply);
    session.begin(job);
    for (const char* const reply : {"250 ok\r\n", "250 ok\r\n"}) session.on_bytes(reply);
    line.said.clear();
    session.on_bytes("354 go\r\n");
    std::string out = line.said;
    session.on_bytes("250 ok\r\n");
    session.on_bytes("250 reset\r\n");
    EXPECT_TRUE(line.done) << shown(content);
    return out;
}

// What smtpd keeps of a text is what goes out again.
TEST(SmugglingOut, NoServerSeesTwoMessagesInOne) {
    std::set<std::string> stored;
    each_text(kClientLengthMax, [&](std::string_view text) {
        data_model::Collector content;
        BodyNormalizer lines;
        lines.consume("S: x\r\n\r\n", content);
        lines.consume(text, content);
        lines.finish(content);
        stored.insert(content.bytes);
    });
    ASSERT_GT(stored.size(), 1000U);
    for (const std::string& content : stored) {
        const std::string sent = sent_for(content, content.size() / 2);
        std::vector<std::string> as_strict;
        for (const NextServer& server : kNextServers) {
            const Read read = read_as(server, sent);
            ASSERT_TRUE(read.ended) << server.name << ": " << shown(sent);
            ASSERT_EQ(read.left, 0U) << server.name << ": " << shown(sent);
            std::string again;
            for (const std::string& line : read.lines) again += line + "\r\n";
            ASSERT_EQ(again, content) << server.name;
        }
    }
}

// Where the pieces of a message meet decides nothing.
TEST(SmugglingOut, NoCutMakesADifference) {
    for (const std::string_view content : {"S: x\r\n\r\n.\r\n..\r\n.a\r\n\r\n.\r\n",
                                           "S: x\r\n\r\na.\r\n.\r\n.\r\nMAIL FROM:<>\r\n"}) {
        const std::string whole = sent_for(content, 0);
        for (size_t cut = 1; cut <= content.size(); ++cut)
            ASSERT_EQ(sent_for(content, cut), whole) << "cut at " << cut;
    }
}

// Bytes that no smtpd of ours would hand on, should one have been taken over: even then the
// conversation with a server that keeps to the rules stays in step.
TEST(SmugglingOut, EvenContentThatBreaksTheRulesEndsOnceForAStrictServer) {
    each_text(kClientLengthMax, [&](std::string_view text) {
        const std::string content = "S: x\r\n\r\n" + std::string(text) + "\r\n";
        const std::string sent = sent_for(content, content.size() / 2);
        const Read read = read_as(kNextServers[0], sent);
        ASSERT_TRUE(read.ended) << shown(sent);
        ASSERT_EQ(read.left, 0U) << shown(sent);
    });
}

}  // namespace
}  // namespace posthaste
