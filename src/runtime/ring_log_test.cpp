#include "runtime/ring_log.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "runtime/testing_loop.h"

namespace posthaste {
namespace {

using Lines = std::vector<std::string>;

struct RingLogTest : testing::Test, PeerListener {
    void on_peer_up(Peer& peer) override { log.on_postlogd_up(peer); }

    void on_peer_down(Peer&) override { log.on_postlogd_down(); }

    void on_record(Peer&, uint16_t, std::string_view) override {}

    void introduce_postlogd() {
        peers.add({Role::postlogd, 0, 9,
                   Channel(Segment::alias(near_segment), Segment::alias(far_segment)), std::nullopt,
                   1});
    }

    Lines written() {
        loop.turn();
        Lines out;
        Channel::Record record;
        while (far.receive(record)) {
            wire::LogEntry entry;
            EXPECT_EQ(record.type, wire::LogEntry::kType);
            EXPECT_TRUE(wire::decode(record.body, entry));
            out.emplace_back(entry.text);
        }
        far.release();
        return out;
    }

    TestingLoop loop;
    RingLog log{loop, "postfix/smtpd", 42};
    Segment near_segment = Segment::create_private(4096);
    Segment far_segment = Segment::create_private(kRingBytesMin);
    Peers peers{loop, *this};
    Channel far{Segment::alias(far_segment), Segment::alias(near_segment)};
};

TEST_F(RingLogTest, LinesWaitForPostlogdAndKeepTheirOrder) {
    log.info("one");
    log.warning("two");
    introduce_postlogd();
    log.info("three");
    EXPECT_EQ(written(), (Lines{"one", "two", "three"}));
}

TEST_F(RingLogTest, AFullRingDropsCountsAndSaysSo) {
    introduce_postlogd();
    const std::string text(500, 'x');
    for (int i = 0; i < 20; ++i) log.info(text);
    const uint64_t dropped = log.lines_dropped();
    EXPECT_GT(dropped, 5U);
    EXPECT_EQ(written().size(), 20 - dropped);
    log.info("fits");
    EXPECT_EQ(written(), (Lines{std::to_string(dropped) + " log lines were dropped", "fits"}));
    log.info("told once");
    EXPECT_EQ(written(), Lines{"told once"});
}

TEST_F(RingLogTest, WaitingLinesAreBounded) {
    for (int i = 0; i < 10'000; ++i)
        log.info("a line of some length, so that the buffer is full at last");
    EXPECT_GT(log.lines_dropped(), 8'000U);
    size_t waiting = 0;
    log.visit_waiting([&](const wire::LogEntry&) { ++waiting; });
    EXPECT_EQ(waiting, 10'000 - log.lines_dropped());
    EXPECT_GT(waiting, 400U);
}

TEST_F(RingLogTest, AFatalLineIsVisibleAtOnce) {
    introduce_postlogd();
    log.info("before");
    Channel::Record record;
    EXPECT_FALSE(far.receive(record));
    log.fatal("the end");
    EXPECT_TRUE(far.receive(record));
    EXPECT_TRUE(far.receive(record));
}

TEST_F(RingLogTest, AnOwnReaderTakesTheLine) {
    Lines own;
    log.set_own_reader(&own, [](void* taken, const wire::LogLine& line) {
        static_cast<Lines*>(taken)->emplace_back(line.text);
        EXPECT_EQ(line.program, "postfix/smtpd");
        EXPECT_EQ(line.pid, 42U);
        return true;
    });
    introduce_postlogd();
    log.info("mine");
    EXPECT_EQ(own, Lines{"mine"});
    EXPECT_TRUE(written().empty());
}

TEST(Printable, KeepsUtf8AndReplacesTheRest) {
    std::string out;
    make_printable("a\tb\r\n\x7f\x1b[0m", 100, out);
    EXPECT_EQ(out, "a?b????[0m");
    make_printable("j\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x93\xa7", 100, out);
    EXPECT_EQ(out, "j\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x93\xa7");
    make_printable("\xc3(\xc0\xaf\xed\xa0\x80\xc2\x85\xf5\xff", 100, out);
    EXPECT_EQ(out, "?(?????????") << "broken, overlong, surrogate, C1 control, beyond Unicode";
    make_printable("\xe2\x82\xac", 2, out);
    EXPECT_EQ(out, "??") << "cut within a character";
}

}  // namespace
}  // namespace posthaste
