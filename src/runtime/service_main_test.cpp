// A service process as master sees it: started in a child, spoken to over its control socket.
#include "runtime/service_main.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <memory>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/introduction.h"
#include "runtime/testing_loop.h"

namespace posthaste {
namespace {

constexpr uid_t kNobody = 65534;

// Echoes records; counts in slot 0 what it was told.
class EchoService final : public Service {
 public:
    explicit EchoService(World& world) : world_(world) {}

    void attach(Peers& peers) override { peers_ = &peers; }

    void on_peer_up(Peer&) override {}

    void on_peer_down(Peer&) override {}

    void on_record(Peer& peer, uint16_t type, std::string_view body) override {
        if (body == "open a file") {
            const bool opened = ::open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
            (void)peer.send_bytes(type, opened ? "opened" : "refused");
        } else if (body == "myhostname") {
            (void)peer.send_bytes(type, world_.settings.text("myhostname"));
        } else if (body == "draining?") {
            (void)peer.send_bytes(type, draining_ ? "yes" : "no");
        } else if (body == "misbehave") {
            peers_->misbehaved(peer, "was told to");
        } else {
            (void)peer.send_bytes(type, body);
        }
    }

    void on_wakeup() override { world_.counter_page.slots[0].value.fetch_add(1); }

    void on_drain() override { draining_ = true; }

    bool is_idle() const override {
        return draining_ && world_.settings.text("myhostname") != "never.idle";
    }

 private:
    World& world_;
    Peers* peers_ = nullptr;
    bool draining_ = false;
};

struct Far : PeerListener, Introductions::Listener {
    Far() { loop.ring_for_real_ = true; }

    void on_peer_up(Peer& peer) override { up = &peer; }

    void on_peer_down(Peer&) override { up = nullptr; }

    void on_record(Peer&, uint16_t, std::string_view body) override { heard.emplace_back(body); }

    void on_misbehaviour(Role, uint32_t, std::string_view what) override {
        heard.emplace_back(what);
    }

    void on_failed_introduction(Role, uint32_t, std::string_view what) override {
        heard.emplace_back(what);
    }

    void step() {
        loop.wake();
        loop.poll_once(5);
        loop.pass_time(TimerWheel::kTickUs);
        loop.turn();
    }

    std::string ask(std::string_view question) {
        heard.clear();
        if (up == nullptr || !up->send_bytes(1, question)) return "not connected";
        for (int i = 0; i < 1000 && heard.empty(); ++i) step();
        return heard.empty() ? "no answer" : heard.front();
    }

    TestingLoop loop;
    Peers peers{loop, *this};
    Introductions introductions{loop, peers, {Role::smtpd, 7, nullptr}, *this};
    Peer* up = nullptr;
    std::vector<std::string> heard;
};

struct ServiceMain : testing::Test {
    void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        GTEST_SKIP() << "a sanitizer needs what the sandbox takes away";
#endif
        if (::geteuid() != 0) GTEST_SKIP() << "needs root";
        char name[] = "/tmp/posthaste-service-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory = name;
        start.role = Role::cleanup;
        start.service_name = "cleanup";
        start.incarnation = 5;
        start.user_id = start.group_id = kNobody;
        start.chroot_dir = directory;
        start.sandbox = SandboxMode::strict;
        auto pair = make_control_pair();
        ASSERT_TRUE(pair);
        control = std::move(pair->first);
        childs_end = std::move(pair->second);
        page = std::move(*create_counter_page());
    }

    void TearDown() override {
        if (child > 0) {
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
        }
        if (!directory.empty()) ::rmdir(directory.c_str());
    }

    void run(const ServiceStages& stages,
             std::string_view settings = "myhostname = one.example\n") {
        child = ::fork();
        if (child == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(childs_end.get(), kControlDescriptor);
            run_service(Role::cleanup, stages);
        }
        childs_end.reset();
        const auto snapshot = make_snapshot(Settings::initial(settings).snapshot());
        ASSERT_TRUE(snapshot);
        ASSERT_TRUE(send_control(control.get(), start, {snapshot->get(), page.get()}));
    }

    void run(std::string_view settings = "myhostname = one.example\n") {
        run({.prepare = nullptr,
             .make = [](World& world,
                        std::string&) { return std::make_unique<EchoService>(world); }},
            settings);
    }

    uint16_t next_type() {
        message.type = 0;
        pollfd readable{control.get(), POLLIN, 0};
        if (::poll(&readable, 1, 20'000) != 1) return 0;
        const auto received = receive_control(control.get(), message);
        return received && *received ? message.type : 0;
    }

    std::string failure() {
        control::Failed failed;
        if (next_type() != control::Failed::kType || !wire::decode(message.body, failed))
            return "did not fail";
        return std::string(failed.text);
    }

    void introduce(Far& far) {
        auto pair = make_control_pair();
        ASSERT_TRUE(pair);
        control::Introduce terms;
        terms.peer_role = Role::smtpd;
        terms.peer_incarnation = 7;
        terms.own_ring_bytes = terms.peer_ring_bytes = 4096;
        ASSERT_TRUE(send_control(control.get(), terms, {pair->second.get()}));
        terms.peer_role = Role::cleanup;
        terms.peer_incarnation = 5;
        far.introductions.introduce(terms, std::move(pair->first));
        for (int i = 0; i < 1000 && far.up == nullptr; ++i) far.step();
        ASSERT_NE(far.up, nullptr);
    }

    int exit_status() {
        int status = 0;
        ::waitpid(std::exchange(child, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }

    std::string directory;
    control::Start start;
    Fd control;
    Fd childs_end;
    Fd page;
    pid_t child = -1;
    ControlMessage message;
};

TEST_F(ServiceMain, LivesFromStartToDrain) {
    run();
    ASSERT_EQ(next_type(), control::Ready::kType);
    control::Ready ready;
    ASSERT_TRUE(wire::decode(message.body, ready));
    EXPECT_EQ(ready.missing_layers, "");

    Far far;
    introduce(far);
    EXPECT_EQ(far.ask("hello"), "hello");
    EXPECT_EQ(far.ask("open a file"), "refused");
    EXPECT_EQ(far.ask("myhostname"), "one.example");

    const auto changed = make_snapshot(Settings::initial("myhostname = two.example\n").snapshot());
    ASSERT_TRUE(send_control(control.get(), control::Reload{}, {changed->get()}));
    for (int i = 0; i < 1000 && far.ask("myhostname") != "two.example"; ++i) {
    }
    EXPECT_EQ(far.ask("myhostname"), "two.example");

    ASSERT_TRUE(send_control(control.get(), control::Wakeup{}));
    ASSERT_TRUE(send_control(control.get(), control::Drain{}));
    EXPECT_EQ(next_type(), control::Drained::kType);
    EXPECT_EQ(exit_status(), 0);
    auto counters = CounterMapping::map(page.get(), CounterMapping::Access::read);
    ASSERT_TRUE(counters);
    EXPECT_EQ(counters->page().slots[0].value.load(), 1U);
    EXPECT_STREQ(counters->page().role, "cleanup");
    for (int i = 0; i < 100 && far.up != nullptr; ++i) far.step();
    EXPECT_EQ(far.up, nullptr) << "its end is seen at once";
    far.introductions.leave_all();
    for (int i = 0; i < 10; ++i) far.step();
}

TEST_F(ServiceMain, GivesUpWhenMasterDiesAndItCanNotFinish) {
    run("myhostname = never.idle\nstop_time_limit = 1s\n");
    ASSERT_EQ(next_type(), control::Ready::kType);
    control.reset();
    EXPECT_EQ(exit_status(), 0);
}

TEST_F(ServiceMain, FinishesWhenMasterDies) {
    run();
    ASSERT_EQ(next_type(), control::Ready::kType);
    control.reset();
    EXPECT_EQ(exit_status(), 0);
}

TEST_F(ServiceMain, WorksOnWithoutMasterWhileSomeoneIsThereWhoStopsBefore) {
    start.stop_after = role_bit(Role::smtpd);
    run();
    ASSERT_EQ(next_type(), control::Ready::kType);
    Far far;
    introduce(far);
    ASSERT_EQ(far.ask("draining?"), "no");  // it knows us as well
    control.reset();
    for (int i = 0; i < 20; ++i) ASSERT_EQ(far.ask("draining?"), "no");
    far.introductions.leave_all();
    for (int i = 0; i < 10; ++i) far.step();
    EXPECT_EQ(exit_status(), 0);
}

TEST_F(ServiceMain, IgnoresTheSignalsOfItsGroup) {
    run();
    ASSERT_EQ(next_type(), control::Ready::kType);
    ::kill(child, SIGTERM);
    ::kill(child, SIGHUP);
    ASSERT_TRUE(send_control(control.get(), control::Drain{}));
    EXPECT_EQ(next_type(), control::Drained::kType);
    EXPECT_EQ(exit_status(), 0);
}

TEST_F(ServiceMain, WaitsForItsTurnAtTheProcessorWhenToldTo) {
    run("process_scheduling = batch\n");
    ASSERT_EQ(next_type(), control::Ready::kType);
    EXPECT_EQ(::sched_getscheduler(child), SCHED_BATCH);
}

TEST_F(ServiceMain, KeepsTheSchedulingItWasStartedWith) {
    run();
    ASSERT_EQ(next_type(), control::Ready::kType);
    EXPECT_EQ(::sched_getscheduler(child), SCHED_OTHER);
}

TEST_F(ServiceMain, ReportsAPeerThatMisbehaves) {
    run();
    ASSERT_EQ(next_type(), control::Ready::kType);
    Far far;
    introduce(far);
    ASSERT_TRUE(far.up->send_bytes(1, "misbehave"));
    far.step();
    EXPECT_EQ(next_type(), control::PeerMisbehaved::kType);
    control::PeerMisbehaved report;
    ASSERT_TRUE(wire::decode(message.body, report));
    EXPECT_EQ(report.incarnation, 7U);
    EXPECT_EQ(report.text, "was told to");
    EXPECT_TRUE(report.had_met);
    for (int i = 0; i < 10; ++i) far.step();
    EXPECT_NE(far.up, nullptr) << "which of the two goes is master's to say";
    far.introductions.leave_all();
    for (int i = 0; i < 10; ++i) far.step();
}

TEST_F(ServiceMain, AJudgeSaysWhatPreparingFindsAndGoes) {
    start.judge_only = true;
    run({.prepare =
             [](const control::Start&, const Settings&, std::vector<std::string>& warnings) {
                 warnings = {"myhostname: an odd one", "and more"};
                 return std::string();
             },
         .make = [](World&, std::string&) -> std::unique_ptr<Service> { ::_exit(9); }});
    ASSERT_EQ(next_type(), control::Judged::kType);
    control::Judged judged;
    ASSERT_TRUE(wire::decode(message.body, judged));
    EXPECT_EQ(judged.warnings, "myhostname: an odd one\nand more\n");
    EXPECT_EQ(exit_status(), 0);
}

TEST_F(ServiceMain, AJudgeThatFindsAFaultNamesIt) {
    start.judge_only = true;
    run({.prepare = [](const control::Start&, const Settings&,
                       std::vector<std::string>&) { return std::string("myhostname: no"); },
         .make = [](World&, std::string&) -> std::unique_ptr<Service> { ::_exit(9); }});
    EXPECT_EQ(failure(), "myhostname: no");
    EXPECT_EQ(exit_status(), 1);
}

TEST_F(ServiceMain, PreparesAsRootAndMakesAsItself) {
    static uid_t prepared_as;
    run({.prepare =
             [](const control::Start&, const Settings& settings, std::vector<std::string>&) {
                 prepared_as = ::geteuid();
                 return settings.text("myhostname") == "one.example" ? std::string()
                                                                     : "wrong settings";
             },
         .make = [](World&, std::string& why_not) -> std::unique_ptr<Service> {
             why_not = "prepared as " + std::to_string(prepared_as) + ", made as " +
                       std::to_string(::geteuid());
             return nullptr;
         }});
    EXPECT_EQ(failure(), "prepared as 0, made as 65534");
    EXPECT_EQ(exit_status(), 1);
}

TEST_F(ServiceMain, TellsWhyItCanNotStart) {
    start.role = Role::smtp;
    run();
    EXPECT_EQ(failure(), "this program is cleanup, not smtp");
    EXPECT_EQ(exit_status(), 1);
}

TEST_F(ServiceMain, StrictMeansEveryLayer) {
    const std::string missing = directory + "/missing";
    start.chroot_dir = missing;
    run();
    EXPECT_EQ(
        failure(),
        "sandbox = strict, but not all of it can be applied: chroot: No such file or directory");
    EXPECT_EQ(exit_status(), 1);
}

TEST_F(ServiceMain, BestNamesTheLayerThatIsMissing) {
    const std::string missing = directory + "/missing";
    start.chroot_dir = missing;
    start.sandbox = SandboxMode::best;
    run();
    ASSERT_EQ(next_type(), control::Ready::kType);
    control::Ready ready;
    ASSERT_TRUE(wire::decode(message.body, ready));
    EXPECT_EQ(ready.missing_layers, "chroot: No such file or directory");
}

}  // namespace
}  // namespace posthaste
