// Real processes, but of a fake service (testing/fake_service.cpp). Needs root, as master does.
#include "master/supervisor.h"

#include <cstdlib>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/settings/queue_directory.h"

namespace posthaste {
namespace {

using testing::HasSubstr;

constexpr std::string_view kServices =
    "smtpd unix - - y - 2 smtpd\ncleanup unix n - y - - cleanup\nstore unix - - y - 1 store\nqmgr "
    "unix n - y 1 1 qmgr\n"
    "rewrite unix - - y - - trivial-rewrite\nsmtp unix - - y - 1 smtp\n";

struct Happening {
    std::string who;   // "smtpd/0#3"
    std::string what;  // "introduce"
    std::vector<std::string> words;

    std::string role() const { return who.substr(0, who.find('/')); }

    std::string instance() const { return who.substr(0, who.find('#')); }

    std::string incarnation() const { return who.substr(who.find('#') + 1); }
};

class SupervisorTest : public testing::Test {
 protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root";
        char name[] = "/tmp/posthaste-supervisor-XXXXXX";
        directory_ = ::mkdtemp(name);
        ::chmod(directory_.c_str(), 0755);
        for (const auto program : {"smtpd", "cleanup", "store", "qmgr", "trivial-rewrite", "smtp"})
            ASSERT_EQ(::symlink(POSTHASTE_FAKE_SERVICE, (directory_ + "/" + program).c_str()), 0);
        ::setenv("POSTHASTE_FAKE_DIR", directory_.c_str(), 1);
        write("main.cf",
              "network_user=daemon\nqueue_user=bin\nstore_user=sys\nlog_user=nobody\nworker_"
              "processes=2\n"
              "smtpd_banner = first\nqueue_directory=" +
                  directory_ + "/queue\ndaemon_directory=" + directory_ + "\n");
        write("master.cf", std::string(kServices));
        ASSERT_TRUE(make_queue_directories(*read_settings()).has_value());
    }

    void TearDown() override {
        if (master_ > 0) {
            ::kill(master_, SIGQUIT);
            wait_for_end();
        }
        if (!directory_.empty()) (void)!::system(("rm -r " + directory_).c_str());
    }

    void write(const std::string& name, const std::string& text) {
        std::ofstream(directory_ + "/" + name) << text;
    }

    void behave(const std::string& program, const std::string& how) {
        write(program + ".behaviour", how);
    }

    std::optional<Settings> read_settings() {
        Diagnostics diagnostics;
        const auto main_cf = MainCf::load(directory_ + "/main.cf", diagnostics);
        return SettingsReader(main_cf, facts_).read({}, diagnostics);
    }

    // Returns what `posthaste start` would be told.
    std::string start() {
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        master_ = ::fork();
        if (master_ == 0) {
            ::close(ends[0]);
            Diagnostics diagnostics;
            facts_.config_directory = directory_;
            auto plan = make_plan(directory_, facts_, diagnostics);
            if (!plan) ::_exit(99);
            MasterLog log(false);
            ::_exit(Supervisor(std::move(*plan),
                               {.foreground = true, .outcome_fd = ends[1], .facts = facts_}, log)
                        .run());
        }
        ::close(ends[1]);
        std::string outcome;
        char piece[1024];
        for (ssize_t got; (got = ::read(ends[0], piece, sizeof piece)) > 0;)
            outcome.append(piece, static_cast<size_t>(got));
        ::close(ends[0]);
        return outcome;
    }

    Fd connect_and_say(std::string_view question) {
        Fd out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        (directory_ + "/queue/private/master").copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(::connect(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
                  0);
        EXPECT_EQ(::send(out.get(), question.data(), question.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(question.size()));
        return out;
    }

    static std::string rest_of(const Fd& connection) {
        std::string out;
        char piece[1024];
        for (ssize_t got; (got = ::read(connection.get(), piece, sizeof piece)) > 0;)
            out.append(piece, static_cast<size_t>(got));
        return out;
    }

    std::string ask(std::string_view question) { return rest_of(connect_and_say(question)); }

    int wait_for_end() {
        int status = 0;
        ::waitpid(master_, &status, 0);
        master_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

    std::vector<Happening> happenings() {
        std::vector<Happening> out;
        std::ifstream file(directory_ + "/events");
        for (std::string line; std::getline(file, line);) {
            Happening happening;
            std::istringstream words(line);
            words >> happening.who >> happening.what;
            for (std::string word; words >> word;) happening.words.push_back(word);
            out.push_back(std::move(happening));
        }
        return out;
    }

    size_t count(const std::function<bool(const Happening&)>& wanted) {
        const auto all = happenings();
        return static_cast<size_t>(std::count_if(all.begin(), all.end(), wanted));
    }

    size_t readies(std::string_view role) {
        return count([&](const auto& h) { return h.role() == role && h.what == "ready"; });
    }

    // Bounded only so that a broken supervisor fails instead of hanging.
    bool eventually(const std::function<bool()>& condition) {
        for (int i = 0; i < 3000; ++i) {
            if (condition()) return true;
            ::poll(nullptr, 0, 10);
        }
        return false;
    }

    // The kernel's list of children may miss one while others come and go.
    pid_t pid_of(const std::string& instance) {
        constexpr int kLooks = 20;
        pid_t found = -1;
        for (int look = 0; found < 0 && look < kLooks; ++look) {
            if (look > 0) ::usleep(5000);
            found = listed_pid_of(instance);
        }
        return found;
    }

    pid_t listed_pid_of(const std::string& instance) const {
        // A child's own words do not name its pid, the kernel's do.
        const std::string master = std::to_string(master_);
        std::ifstream children("/proc/" + master + "/task/" + master + "/children");
        for (pid_t pid; children >> pid;) {
            std::string name;
            std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> name;
            if (name == instance.substr(0, instance.find('/'))) return pid;
        }
        return -1;
    }

    std::string directory_;
    SystemFacts facts_;
    pid_t master_ = -1;
};

TEST_F(SupervisorTest, IntroducesEveryPairOfTheTableWithMirroredTerms) {
    ASSERT_EQ(start(), "ready\n");
    // 2 smtpd, 2 cleanup, store, qmgr, rewrite, smtp: 4 + 2 + 2 + 1 + 1 + 1 + 2 + 1 pairs, two ends
    // each.
    ASSERT_TRUE(eventually(
        [&] { return count([](const auto& h) { return h.what == "introduce"; }) == 28; }));
    const auto all = happenings();
    for (const auto& one : all) {
        if (one.what != "introduce") continue;
        const auto mirror = std::find_if(all.begin(), all.end(), [&](const auto& other) {
            return other.what == "introduce" && other.incarnation() == one.words[1] &&
                   other.words[1] == one.incarnation();
        });
        ASSERT_NE(mirror, all.end()) << one.who << " " << one.words[0];
        EXPECT_EQ(mirror->words[2], one.words[3]);
        EXPECT_EQ(mirror->words[4], one.words[5]);
    }
    EXPECT_EQ(count([](const auto& h) {
                  return h.role() == "smtpd" && h.words.size() > 1 && h.words[0] == "qmgr";
              }),
              0U);
}

TEST_F(SupervisorTest, RestartsWhatDiesAndTellsEverybody) {
    ASSERT_EQ(start(), "ready\n");
    const pid_t victim = pid_of("store/0");
    ASSERT_GT(victim, 0);
    const auto all = happenings();
    const auto old_store =
        std::find_if(all.begin(), all.end(), [](const auto& h) { return h.role() == "store"; });
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    EXPECT_TRUE(eventually([&] {
        return count([](const auto& h) { return h.role() == "store" && h.what == "ready"; }) == 2;
    }));
    EXPECT_TRUE(eventually([&] {
        return count([&](const auto& h) {
                   return h.what == "forget" && h.words[0] == old_store->incarnation();
               }) == 7;
    }));
    EXPECT_TRUE(eventually([&] {
        return count([](const auto& h) {
                   return h.role() == "cleanup" && h.what == "introduce" && h.words[0] == "store";
               }) == 4;
    }));
}

// Its predecessor may have owed the owner of some memory this word.
TEST_F(SupervisorTest, ANewbornIsToldOfTheDeadWhoLentOnAndOfNoOthers) {
    ASSERT_EQ(start(), "ready\n");
    const auto all = happenings();
    const auto first_of = [&](std::string_view role) {
        return std::find_if(all.begin(), all.end(),
                            [&](const auto& h) { return h.role() == role; });
    };
    const std::string agent = first_of("smtp")->incarnation();
    const auto cleanup = std::find_if(all.begin(), all.end(),
                                      [](const auto& h) { return h.who.starts_with("cleanup/0"); });
    const auto heard_of = [&](const std::string& dead) {
        return count([&](const auto& h) { return h.what == "forget" && h.words[0] == dead; });
    };
    ASSERT_EQ(::kill(pid_of("smtp/0"), SIGKILL), 0);
    EXPECT_TRUE(eventually([&] { return heard_of(agent) == 7; }));
    ASSERT_EQ(::kill(pid_of("cleanup/0"), SIGKILL), 0);
    EXPECT_TRUE(eventually([&] { return heard_of(cleanup->incarnation()) >= 7; }));
    ASSERT_EQ(::kill(pid_of("store/0"), SIGKILL), 0);
    EXPECT_TRUE(eventually([&] {
        return count([&](const auto& h) {
                   return h.role() == "store" && h.what == "forget" &&
                          h.words == std::vector<std::string>{cleanup->incarnation(), "lent", "on"};
               }) == 2;
    }));
    EXPECT_EQ(heard_of(agent), 7U) << "it died before, so it would stand before";
}

TEST_F(SupervisorTest, OfTwoThatFallOutTheOneNearerToStrangersBeginsAnew) {
    behave("store", "accuse");
    ASSERT_EQ(start(), "ready\n");
    const pid_t store = pid_of("store/0");
    EXPECT_TRUE(eventually([&] { return readies("qmgr") >= 4; }));
    behave("store", "work");
    EXPECT_EQ(pid_of("store/0"), store) << "all qmgrs may have been misled by the same bytes";
    std::map<std::string, int> introduced;
    for (const auto& one : happenings()) {
        if (one.role() == "store" && one.what == "introduce" && one.words[0] == "qmgr")
            ++introduced[one.words[1]];
    }
    for (const auto& [qmgr, times] : introduced)
        EXPECT_EQ(times, 1) << "what one lent the other is neither's while both live";
}

TEST_F(SupervisorTest, WhoFallsOutWithOneRoleAfterTheOtherGoesAsWell) {
    ASSERT_EQ(start(), "ready\n");
    behave("store", "accuse-all");
    ASSERT_EQ(::kill(pid_of("store/0"), SIGKILL), 0);
    EXPECT_TRUE(eventually([&] { return readies("store") >= 3; }));
    behave("store", "work");
}

TEST_F(SupervisorTest, WhoAccusesSomebodyWhoWasNeverBornIsTheLiar) {
    ASSERT_EQ(start(), "ready\n");
    behave("smtp", "invent");
    ASSERT_EQ(::kill(pid_of("smtp/0"), SIGKILL), 0);
    EXPECT_TRUE(eventually([&] { return readies("smtp") >= 3; }));
    behave("smtp", "work");
}

TEST_F(SupervisorTest, WhoAccusesTheDeadIsNotBelievedAndInTheEndNotBorne) {
    ASSERT_EQ(start(), "ready\n");
    behave("smtp", "mourn");  // its predecessor has the highest number of those that are born
    ASSERT_EQ(::kill(pid_of("smtp/0"), SIGKILL), 0);
    EXPECT_TRUE(eventually([&] { return readies("smtp") >= 3; }));
    behave("smtp", "work");
    EXPECT_EQ(readies("smtpd"), 2U);
}

TEST_F(SupervisorTest, TheWordOfOneThatWasPutOutCountsNoMore) {
    ASSERT_EQ(start(), "ready\n");
    behave("trivial-rewrite", "babble");
    ASSERT_EQ(::kill(pid_of("trivial-rewrite/0"), SIGKILL), 0);
    EXPECT_TRUE(eventually([&] { return readies("trivial-rewrite") >= 4; }));
    behave("trivial-rewrite", "work");
    EXPECT_EQ(readies("smtpd"), 2U) << "whom it had met, and accused after it talked nonsense";
}

// It was never introduced to an smtpd, and can know nothing of one.
TEST_F(SupervisorTest, WhoAccusesAStrangerIsTheLiar) {
    ASSERT_EQ(start(), "ready\n");
    const pid_t smtpd = pid_of("smtpd/0");
    behave("smtp", "slander");
    ASSERT_EQ(::kill(pid_of("smtp/0"), SIGKILL), 0);
    EXPECT_TRUE(eventually([&] { return readies("smtp") >= 3; }));
    behave("smtp", "work");
    EXPECT_EQ(pid_of("smtpd/0"), smtpd);
    EXPECT_EQ(readies("smtpd"), 2U);
}

TEST_F(SupervisorTest, TwoThatNeverMetAreIntroducedAgainThenOneBeginsAnew) {
    behave("store", "shun");
    ASSERT_EQ(start(), "ready\n");
    const pid_t store = pid_of("store/0");
    EXPECT_TRUE(eventually([&] { return readies("qmgr") >= 2; }));
    behave("store", "work");
    EXPECT_EQ(pid_of("store/0"), store) << "strangers reach qmgr sooner";
    EXPECT_TRUE(eventually([&] {
        return count([](const auto& h) {
                   return h.role() == "store" && h.what == "introduce" && h.words[0] == "qmgr";
               }) >= 7;
    })) << "once, five times again, and the new one";
}

TEST_F(SupervisorTest, KillsWhoseTurnNeverEndsAndWhoIsStoppedInHisSleep) {
    std::ofstream(directory_ + "/main.cf", std::ios::app) << "daemon_timeout = 1s\n";
    behave("qmgr", "hang");
    ASSERT_EQ(start(), "ready\n");
    behave("qmgr", "work");
    const pid_t sleeper = pid_of("store/0");
    const pid_t idle = pid_of("smtp/0");
    ASSERT_EQ(::kill(sleeper, SIGSTOP), 0);
    EXPECT_TRUE(eventually([&] { return readies("qmgr") == 2 && readies("store") == 2; }));
    EXPECT_NE(pid_of("store/0"), sleeper);
    EXPECT_EQ(pid_of("smtp/0"), idle);
    EXPECT_EQ(readies("smtp"), 1U);
}

TEST_F(SupervisorTest, KillsWhoIsNotReadyInTimeAfterARestart) {
    std::ofstream(directory_ + "/main.cf", std::ios::app)
        << "daemon_timeout = 1s\nstart_time_limit = 2s\n";
    ASSERT_EQ(start(), "ready\n");
    behave("store", "linger");
    ASSERT_EQ(::kill(pid_of("store/0"), SIGKILL), 0);
    ASSERT_TRUE(eventually([&] {
        return count([](const auto& h) { return h.role() == "store" && h.what == "start"; }) == 2;
    }));
    behave("store", "work");
    EXPECT_TRUE(eventually([&] {
        return count([](const auto& h) { return h.role() == "store" && h.what == "ready"; }) == 2;
    }));
}

TEST_F(SupervisorTest, AServiceThatCannotStartEndsTheStartWithItsReason) {
    behave("qmgr", "fail");
    EXPECT_THAT(start(), HasSubstr("qmgr/0: the moon is in the wrong quarter"));
    EXPECT_EQ(wait_for_end(), 1);
}

TEST_F(SupervisorTest, OneThatDiesWithoutAReasonIsQuotedByItsLastWords) {
    behave("store", "die");
    EXPECT_THAT(start(), HasSubstr("store/0: died at start: aaargh"));
    EXPECT_EQ(wait_for_end(), 1);
}

TEST_F(SupervisorTest, WhatAProcessHasCountedOutlivesItAndItsDeathIsAFault) {
    ASSERT_EQ(start(), "ready\n");
    EXPECT_THAT(ask("status\n"), HasSubstr("\"faults\":[]"));
    behave("smtp", "linger");
    ASSERT_EQ(::kill(pid_of("smtp/0"), SIGKILL), 0);
    std::string status;
    ASSERT_TRUE(eventually([&] {
        status = ask("status\n");
        return status.find("smtp smtp is down") != std::string::npos;
    })) << status;
    // The fake counts two lives as a total, and as a gauge.
    EXPECT_THAT(status,
                HasSubstr("{\"counters\":[{\"name\":\"lives\",\"unit\":\"lives\",\"value\":1}],"
                          "\"process\":\"smtp\"}"));
}

TEST_F(SupervisorTest, ADiskBelowTheFloorIsAFault) {
    std::ofstream(directory_ + "/main.cf", std::ios::app) << "store_free_space_floor = 1000000G\n";
    ASSERT_EQ(start(), "ready\n");
    EXPECT_THAT(ask("status\n"), HasSubstr("\"faults\":[\"mail is refused (452 4.3.1): "));
}

TEST_F(SupervisorTest, WhatDiesAtStartLaterIsTriedAgain) {
    ASSERT_EQ(start(), "ready\n");
    behave("smtp", "die");
    const pid_t victim = pid_of("smtp/0");
    ASSERT_GT(victim, 0);
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    // At least one attempt has failed by the time it is started a second time.
    EXPECT_TRUE(eventually([&] { return pid_of("smtp/0") != victim; }));
    behave("smtp", "work");
    EXPECT_TRUE(eventually([&] {
        return count([](const auto& h) { return h.role() == "smtp" && h.what == "ready"; }) == 2;
    }));
}

TEST_F(SupervisorTest, StopsSendersBeforeReceivers) {
    ASSERT_EQ(start(), "ready\n");
    ASSERT_EQ(::kill(master_, SIGTERM), 0);
    EXPECT_EQ(wait_for_end(), 0);
    std::string order;
    for (const auto& happening : happenings())
        if (happening.what == "drain" && order.find(happening.role() + ",") == std::string::npos)
            order += happening.role() + ",";
    EXPECT_THAT(order, testing::StartsWith("smtpd,cleanup,"));
    EXPECT_LT(order.find("qmgr,"), order.find("store,"));
    EXPECT_LT(order.find("smtp,"), order.find("store,"));
    EXPECT_EQ(count([](const auto& h) { return h.what == "drain"; }), 8U);
}

TEST_F(SupervisorTest, AReloadHandsOverTheNewSettingsAndReplacesOnlyWhoReadsFilesAtStart) {
    ASSERT_EQ(start(), "ready\n");
    std::ofstream(directory_ + "/main.cf", std::ios::app) << "smtpd_banner = second\n";
    ASSERT_EQ(::kill(master_, SIGHUP), 0);
    const auto is_told = [](const auto& h) {
        return h.what == "reload" && h.words[0] == "banner=second";
    };
    EXPECT_TRUE(eventually([&] { return count(is_told) == 7; }));
    EXPECT_TRUE(eventually([&] {
        return count([](const auto& h) {
                   return h.role() == "trivial-rewrite" && h.what == "ready";
               }) == 2;
    }));
    EXPECT_EQ(
        count([](const auto& h) { return h.what == "drain" && h.role() != "trivial-rewrite"; }),
        0U);
}

TEST_F(SupervisorTest, AReloadWithAFaultChangesNothing) {
    ASSERT_EQ(start(), "ready\n");
    std::ofstream(directory_ + "/main.cf", std::ios::app)
        << "smtpd_timeout = 5x\nsmtpd_banner = second\n";
    ASSERT_EQ(::kill(master_, SIGHUP), 0);
    // Signals are handled in order: when the stop is done, so is the reload.
    ASSERT_EQ(::kill(master_, SIGTERM), 0);
    EXPECT_EQ(wait_for_end(), 0);
    EXPECT_EQ(count([](const auto& h) { return h.what == "reload"; }), 0U);
}

TEST_F(SupervisorTest, AReloadThatAServiceObjectsToChangesNothingAndSaysWhy) {
    behave("smtpd", "object");
    ASSERT_EQ(start(), "ready\n");
    const pid_t before = pid_of("smtpd/0");
    std::ofstream(directory_ + "/main.cf", std::ios::app) << "smtpd_banner = bad\n";
    EXPECT_EQ(ask("reload\n"), "warning: " + directory_ +
                                   "/main.cf:9: overrides the earlier smtpd_banner of line 6\n"
                                   "error: " +
                                   directory_ + "/main.cf:9: smtpd_banner: it is bad\nrefused\n");
    // Who heard nothing of it until the next one comes heard nothing.
    std::ofstream(directory_ + "/main.cf", std::ios::app) << "smtpd_banner = odd\n";
    const std::string outcome = ask("reload\n");
    EXPECT_THAT(outcome, HasSubstr("main.cf:10: smtpd_banner: it is odd\nreloaded\n"));
    const auto is_told = [](const auto& h, std::string_view word) {
        return h.what == "reload" && h.words[0] == word;
    };
    EXPECT_TRUE(eventually(
        [&] { return count([&](const auto& h) { return is_told(h, "banner=odd"); }) == 7; }));
    EXPECT_EQ(count([&](const auto& h) { return is_told(h, "banner=bad"); }), 0U);
    EXPECT_EQ(pid_of("smtpd/0"), before);
}

TEST_F(SupervisorTest, AReloadThatNobodyJudgesInTimeIsRefused) {
    std::ofstream(directory_ + "/main.cf", std::ios::app) << "start_time_limit = 1s\n";
    ASSERT_EQ(start(), "ready\n");
    behave("cleanup", "ponder");
    const std::string outcome = ask("reload\n");
    EXPECT_THAT(outcome, HasSubstr("cleanup cleanup: no word on its settings"));
    EXPECT_THAT(outcome, HasSubstr("\nrefused\n"));
    EXPECT_EQ(count([](const auto& h) { return h.what == "reload"; }), 0U);
}

TEST_F(SupervisorTest, AStopEndsAReloadThatIsBeingJudged) {
    ASSERT_EQ(start(), "ready\n");
    behave("cleanup", "ponder");
    const Fd asker = connect_and_say("reload\n");
    // Answered after the reload has begun: master takes one question after the other.
    EXPECT_THAT(ask("status\n"), HasSubstr("running"));
    ASSERT_EQ(::kill(master_, SIGTERM), 0);
    EXPECT_EQ(wait_for_end(), 0);
    EXPECT_EQ(rest_of(asker), "refused: the service stops\n");
}

TEST_F(SupervisorTest, AReplacementIsReadyBeforeTheOldOneIsToldToGo) {
    ASSERT_EQ(start(), "ready\n");
    std::ofstream(directory_ + "/main.cf", std::ios::app) << "smtpd_arena_size = 32M\n";
    ASSERT_EQ(::kill(master_, SIGHUP), 0);
    EXPECT_TRUE(
        eventually([&] { return count([](const auto& h) { return h.what == "retire"; }) == 2; }));
    const auto all = happenings();
    for (const auto& happening : all) {
        if (happening.what != "retire") continue;
        EXPECT_EQ(happening.role(), "smtpd");
        const auto here = static_cast<size_t>(&happening - all.data());
        size_t ready = 0;
        for (size_t i = 0; i < here; ++i)
            ready += all[i].what == "ready" && all[i].instance() == happening.instance() ? 1 : 0;
        EXPECT_EQ(ready, 2U) << happening.who;
    }
    // A stop ends those who retire as well.
    ASSERT_EQ(::kill(master_, SIGTERM), 0);
    EXPECT_EQ(wait_for_end(), 0);
    EXPECT_EQ(count([](const auto& h) { return h.what == "drain" && h.role() == "smtpd"; }), 4U);
}

TEST_F(SupervisorTest, AnOldOneWhosePlaceIsNoLongerWantedGoesWithoutASuccessor) {
    ASSERT_EQ(start(), "ready\n");
    behave("smtpd", "linger");
    std::ofstream(directory_ + "/main.cf", std::ios::app) << "smtpd_arena_size = 32M\n";
    ASSERT_EQ(::kill(master_, SIGHUP), 0);
    // Everybody else is told: the reload has happened.
    ASSERT_TRUE(eventually([&] {
        return count([](const auto& h) { return h.what == "reload" && h.role() == "qmgr"; }) == 1;
    }));
    std::ofstream(directory_ + "/main.cf", std::ios::app) << "worker_processes = 1\n";
    ASSERT_EQ(::kill(master_, SIGHUP), 0);
    EXPECT_TRUE(eventually([&] {
        return count([](const auto& h) {
                   return h.what == "retire" && h.instance() == "smtpd/1";
               }) == 1;
    }));
}

TEST_F(SupervisorTest, WakesWhoAsksForIt) {
    ASSERT_EQ(start(), "ready\n");
    EXPECT_TRUE(eventually([&] {
        return count([](const auto& h) { return h.role() == "qmgr" && h.what == "wakeup"; }) >= 1;
    }));
    EXPECT_EQ(count([](const auto& h) { return h.role() != "qmgr" && h.what == "wakeup"; }), 0U);
}

TEST_F(SupervisorTest, ItsDeathIsNoticed) {
    ASSERT_EQ(start(), "ready\n");
    ::kill(master_, SIGKILL);
    wait_for_end();
    EXPECT_TRUE(
        eventually([&] { return count([](const auto& h) { return h.what == "orphan"; }) == 8; }));
}

}  // namespace
}  // namespace posthaste
