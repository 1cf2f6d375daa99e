#include "master/postlogd/postlogd.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/units.h"

#include "runtime/stderr_log.h"
#include "runtime/uring_loop.h"

namespace posthaste {
namespace {

wire::LogLine a_line(std::string_view text) {
    wire::LogLine line;
    line.pid = 7;
    line.program = "postfix/smtpd";
    line.text = text;
    return line;
}

// A real loop and a real file; the lines come by on_own_line(), as those of peers do by
// on_record().
class PostlogdTest : public testing::Test {
 protected:
    void SetUp() override {
        ::setenv("TZ", "UTC0", 1);
        UringOptions options;
        options.entries = 16;
        options.receive = options.send = options.files = true;
        auto made = UringLoop::create(options);
        ASSERT_TRUE(made.has_value()) << made.error().text();
        loop_ = std::move(*made);
        char name[] = "/tmp/posthaste-log-XXXXXX";
        ::close(::mkstemp(name));
        path_ = name;
    }

    void TearDown() override { ::unlink(path_.c_str()); }

    void run(LogTarget target) {
        World world{*loop_, log_, page_, settings_, nullptr, 0, 1, "postlog"};
        postlogd_ =
            std::make_unique<Postlogd>(world, std::move(target), LogText("mail.example.com"));
    }

    LogTarget file() { return {Fd(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)), false}; }

    // Ends because everything that was started is answered; ctest bounds the rest.
    void until_idle() {
        while (!postlogd_->is_idle()) loop_->turn(kNeverUs);
    }

    std::string written() const {
        std::stringstream out;
        out << std::ifstream(path_).rdbuf();
        return out.str();
    }

    uint64_t counter(std::string_view name) const {
        for (const CounterValue& counter : read_counters(page_))
            if (counter.name == name) return counter.value;
        return UINT64_MAX;
    }

    std::unique_ptr<UringLoop> loop_;
    StderrLog log_{"test"};
    CounterPage page_;
    Settings settings_ = Settings::initial();
    std::unique_ptr<Postlogd> postlogd_;
    std::string path_;
};

TEST_F(PostlogdTest, LinesOfATurnAreOneWriteInOrder) {
    run(file());
    for (const auto text : {"one", "two", "three"}) postlogd_->on_own_line(a_line(text));
    until_idle();
    EXPECT_EQ(
        written(),
        "Jan  1 00:00:00 mail postfix/smtpd[7]: one\nJan  1 00:00:00 mail postfix/smtpd[7]: two\n"
        "Jan  1 00:00:00 mail postfix/smtpd[7]: three\n");
    EXPECT_EQ(counter("writes"), 1U);
    EXPECT_EQ(counter("lines_written"), 3U);
}

TEST_F(PostlogdTest, WhatComesDuringAWriteIsTheNextOne) {
    run(file());
    postlogd_->on_own_line(a_line("one"));
    loop_->turn(0);
    postlogd_->on_own_line(a_line("two"));
    until_idle();
    EXPECT_NE(written().find("one\n"), std::string::npos);
    EXPECT_LT(written().find("one\n"), written().find("two\n"));
}

TEST_F(PostlogdTest, WhatIsWrittenGoesToTheDiskByPieces) {
    run(file());
    const auto write = [&](size_t bytes) {
        for (size_t i = 0; i < bytes / 1000; ++i)
            postlogd_->on_own_line(a_line(std::string(1000, 'x')));
        until_idle();
    };
    for (int i = 0; i < 4; ++i) write(Postlogd::kBeginSyncBytes / 8);
    EXPECT_EQ(counter("syncs_begun"), 0U);
    for (int i = 0; i < 8; ++i) write(Postlogd::kBeginSyncBytes / 8);
    EXPECT_EQ(counter("syncs_begun"), 1U);
    EXPECT_EQ(counter("bytes_written"), written().size());
}

TEST_F(PostlogdTest, AppendsToWhatIsThere) {
    std::ofstream(path_) << "yesterday\n";
    run(file());
    postlogd_->on_own_line(a_line("today"));
    until_idle();
    EXPECT_EQ(written().substr(0, 10), "yesterday\n");
    EXPECT_NE(written().find("today"), std::string::npos);
}

TEST_F(PostlogdTest, WhatTheDiskDoesNotTakeIsCountedAndTold) {
    // /dev/full takes nothing; the notice of it fails as well, and the loop is not busy with it for
    // ever.
    run({Fd(::open("/dev/full", O_WRONLY | O_CLOEXEC)), false});
    postlogd_->on_own_line(a_line("one"));
    postlogd_->on_own_line(a_line("two"));
    until_idle();
    EXPECT_EQ(counter("lines_lost"), 2U);
    EXPECT_EQ(counter("lines_written"), 0U);
}

TEST_F(PostlogdTest, WhatTheDiskDidNotTakeIsToldWhenItTakesSomeAgain) {
    // A file that may not grow: the disk is full, and then it is not.
    run(file());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit none = before;
    none.rlim_cur = 0;
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
    postlogd_->on_own_line(a_line("one"));
    postlogd_->on_own_line(a_line("two"));
    until_idle();
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ::signal(SIGXFSZ, handler);
    postlogd_->on_own_line(a_line("three"));
    until_idle();
    EXPECT_NE(written().find("three\n"), std::string::npos);
    EXPECT_NE(written().find("2 log lines could not be written: File too large\n"),
              std::string::npos)
        << written();
}

TEST_F(PostlogdTest, TakesNoMoreThanTwiceItsBound) {
    run(file());
    const std::string text(4000, 'x');
    const size_t fits = 2 * Postlogd::kCollectedBytesMax / text.size();
    for (size_t i = 0; i < 2 * fits; ++i) postlogd_->on_own_line(a_line(text));
    EXPECT_GT(counter("lines_lost"), fits / 2);
    EXPECT_LT(counter("lines_lost"), fits + fits / 4);
    until_idle();
    postlogd_->on_own_line(a_line("after"));
    until_idle();
    EXPECT_NE(written().find("after\n"), std::string::npos) << "what was written makes room";
}

TEST_F(PostlogdTest, SyslogGetsOneDatagramALine) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    const Fd syslogd(ends[1]);
    run({Fd(ends[0]), true});
    postlogd_->on_own_line(a_line("one"));
    postlogd_->on_own_line(a_line("two"));
    until_idle();
    char text[256];
    for (const auto wanted : {"<22>Jan  1 00:00:00 postfix/smtpd[7]: one",
                              "<22>Jan  1 00:00:00 postfix/smtpd[7]: two"}) {
        const ssize_t got = ::recv(syslogd.get(), text, sizeof text, MSG_DONTWAIT);
        ASSERT_GT(got, 0);
        EXPECT_EQ(std::string_view(text, static_cast<size_t>(got)), wanted);
    }
}

// At the other end of a ring may be anybody by now: what he says of himself counts for nothing.
struct ForgedLine : PostlogdTest {
    void SetUp() override {
        PostlogdTest::SetUp();
        run(file());
        peers_ = std::make_unique<Peers>(*loop_, *postlogd_);
        postlogd_->attach(*peers_);
        peer_ = &peers_->add(
            {Role::smtpd, 0, 9, std::nullopt, std::nullopt, -1, 4711, "postfix/smtpd"});
        peers_->set_hooks({this, nullptr, [](void* self, Peer&, std::string_view what) {
                               static_cast<ForgedLine*>(self)->complaint_ = what;
                           }});
    }

    void TearDown() override {
        peers_.reset();
        PostlogdTest::TearDown();
    }

    template <class Record>
    void say(const Record& record) {
        std::string body;
        wire::encode(record, body);
        postlogd_->on_record(*peer_, wire::LogEntry::kType, body);
        until_idle();
    }

    std::string text_of(int64_t wall_us, std::string_view text) const {
        std::string out;
        wire::LogLine line;
        line.wall_us = wall_us;
        line.pid = 4711;
        line.program = "postfix/smtpd";
        line.text = text;
        LogText("mail.example.com").append(line, out);
        return out;
    }

    // A line written between the two moments, dated by the reader.
    void expect_dated_between(int64_t before_us, int64_t after_us, std::string_view text) const {
        EXPECT_TRUE(written() == text_of(before_us, text) || written() == text_of(after_us, text))
            << written();
    }

    std::unique_ptr<Peers> peers_;
    Peer* peer_ = nullptr;
    std::string complaint_;
};

TEST_F(ForgedLine, BearsTheTagAndPidThatMasterNamed) {
    wire::LogEntry entry;
    entry.wall_us = loop_->wall_us();
    entry.text = "postfix/qmgr[1]: 4XYZ: removed";
    say(entry);
    EXPECT_EQ(written(), text_of(entry.wall_us, entry.text));
}

TEST_F(ForgedLine, OfAnotherTimeIsOfNow) {
    for (const int64_t away_us : {int64_t{0}, Postlogd::kStampAgeUsMax + 10 * kSecondUs,
                                  -10 * kSecondUs, -3600 * kSecondUs}) {
        std::ofstream(path_, std::ios::trunc).close();
        wire::LogEntry entry;
        entry.wall_us = away_us == 0 ? 0 : loop_->wall_us() - away_us;
        entry.text = "dated";
        const int64_t before_us = loop_->wall_us();
        say(entry);
        expect_dated_between(before_us, loop_->wall_us(), "dated");
    }
}

TEST_F(ForgedLine, ThatSpeaksForOthersAsMasterDoesIsNone) {
    say(a_line("whole"));
    EXPECT_EQ(written().find("whole"), std::string::npos);
    EXPECT_EQ(complaint_, "not a log line");
}

TEST_F(PostlogdTest, MastersDatagramsAreLinesAndNonsenseIsNot) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    const Fd master(ends[1]);
    const Fd own(ends[0]);
    run(file());
    postlogd_->on_listener("public/postlog", static_cast<Socket>(own.get()));
    std::string encoded;
    wire::encode(a_line("by datagram"), encoded);
    ASSERT_EQ(::send(master.get(), "nonsense", 8, 0), 8);
    ASSERT_EQ(::send(master.get(), encoded.data(), encoded.size(), 0),
              static_cast<ssize_t>(encoded.size()));
    while (counter("lines_written") == 0) loop_->turn(kNeverUs);
    postlogd_->on_drain();
    until_idle();
    EXPECT_EQ(written(), "Jan  1 00:00:00 mail postfix/smtpd[7]: by datagram\n");
}

}  // namespace
}  // namespace posthaste
