#include "master/plan.h"

#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/judgement.h"

namespace posthaste {
namespace {

using testing::HasSubstr;

constexpr std::string_view kServices =
    "2525 inet n - y - - smtpd\n"
    "cleanup unix n - y - - cleanup\n"
    "store unix - - y - 1 store\n"
    "qmgr unix n - y 300 1 qmgr\n"
    "rewrite unix - - y - - trivial-rewrite\n"
    "smtp unix - - y - - smtp\n"
    "relay unix - - y - - smtp -o syslog_name=postfix/relay\n"
    "postlog unix-dgram n - y - 1 postlogd\n";

// A directory with programs that are there and do nothing; users that every Debian has.
class PlanTest : public testing::Test {
 protected:
    void SetUp() override {
        char name[] = "/tmp/posthaste-plan-XXXXXX";
        directory_ = ::mkdtemp(name);
        for (const auto program :
             {"smtpd", "cleanup", "store", "qmgr", "trivial-rewrite", "smtp", "postlogd"}) {
            std::ofstream(directory_ + "/" + program) << "#!/bin/true\n";
            ::chmod((directory_ + "/" + program).c_str(), 0755);
        }
        main_cf_ =
            "network_user=daemon\nqueue_user=bin\nstore_user=sys\nlog_user=nobody\nworker_"
            "processes=3\n"
            "daemon_directory=" +
            directory_ + "\n";
    }

    void TearDown() override { (void)!::system(("rm -r " + directory_).c_str()); }

    std::optional<Plan> plan(std::string_view master_cf, std::string_view more_main_cf = "") {
        Diagnostics diagnostics;
        const auto main =
            MainCf::parse("main.cf", main_cf_ + std::string(more_main_cf), diagnostics);
        const auto services = MasterCf::parse("master.cf", master_cf, diagnostics);
        auto out = make_plan(main, services, {}, diagnostics);
        remarks_.clear();
        for (const auto& diagnostic : diagnostics.all()) remarks_ += diagnostic.shown() + "\n";
        return out;
    }

    std::string directory_;
    std::string main_cf_;
    std::string remarks_;
};

TEST_F(PlanTest, AWorkersCountIsTheSettingsAndASingleServiceIsOne) {
    const auto got = plan(kServices);
    ASSERT_TRUE(got) << remarks_;
    ASSERT_EQ(got->services.size(), 7U);
    EXPECT_EQ(got->find("smtpd 2525")->process_count, 3U);
    EXPECT_EQ(got->find("cleanup cleanup")->process_count, 3U);
    EXPECT_EQ(got->find("store store")->process_count, 1U);
    EXPECT_EQ(got->find("qmgr qmgr")->process_count, 1U);
    EXPECT_GT(got->find("store store")->user_id, 0U);
    EXPECT_EQ(remarks_, "");
}

TEST_F(PlanTest, MaxprocIsAnUpperLimit) {
    std::string text(kServices);
    text.replace(text.find("- - smtpd"), 3, "- 2");
    EXPECT_EQ(plan(text)->find("smtpd 2525")->process_count, 2U);
}

TEST_F(PlanTest, InstancesCountOverAllServicesOfARole) {
    const auto got = plan(std::string(kServices) +
                          "127.0.0.1:2526 inet n - y - 1 smtpd -o smtpd_banner=second\n");
    ASSERT_TRUE(got) << remarks_;
    EXPECT_EQ(got->find("smtpd 2525")->first_instance, 0U);
    EXPECT_EQ(got->find("smtpd 127.0.0.1:2526")->first_instance, 3U);
    EXPECT_EQ(got->find("smtpd 127.0.0.1:2526")->settings.text("smtpd_banner"), "second");
    EXPECT_EQ(got->find("smtpd 127.0.0.1:2526")->settings.text("service_name"), "127.0.0.1:2526");
}

TEST_F(PlanTest, ATransportOfTheSameProgramSharesItsProcesses) {
    const std::string same =
        "slow unix - - y - - smtp -o syslog_name=slow -o smtp_helo_timeout=300s\n";
    const auto got = plan(std::string(kServices) + same);
    ASSERT_TRUE(got) << remarks_;
    EXPECT_EQ(got->find("smtp slow"), nullptr);
    EXPECT_EQ(remarks_, "");
    EXPECT_THAT(got->find("qmgr qmgr")->settings.text("delivery_services"), HasSubstr("slow"));
    EXPECT_FALSE(
        plan(std::string(kServices) + "slow unix - - y - - smtp -o smtp_helo_name=slow.example\n"));
    EXPECT_THAT(remarks_,
                HasSubstr("error: master.cf:9: slow shares the processes of smtp, so that "
                          "-o smtp_helo_name can not be its own yet"));
}

TEST_F(PlanTest, AParameterOfATransportThatIsNotThereIsNamed) {
    const std::string services = std::string(kServices) + "prova unix - - y - - smtp\n";
    ASSERT_TRUE(plan(services, "provz_destination_rate_delay = 1s\n"));
    EXPECT_THAT(remarks_, HasSubstr("provz_destination_rate_delay: master.cf has "
                                    "no transport provz; did you mean prova?"));
    ASSERT_TRUE(plan(services,
                     "prova_destination_rate_delay = 1s\n"
                     "error_destination_concurrency_limit = 1\n"));
    EXPECT_EQ(remarks_, "");
}

TEST_F(PlanTest, AListOfCommandsInAFileIsReadByANewProcess) {
    const auto plain = plan(kServices, "smtpd_noop_commands = BEEP\n");
    const auto in_file = plan(kServices, "smtpd_noop_commands = /etc/noop\n");
    ASSERT_TRUE(plain && in_file) << remarks_;
    EXPECT_FALSE(reads_files(*plain->find("smtpd 2525")));
    EXPECT_TRUE(reads_files(*in_file->find("smtpd 2525")));
}

TEST_F(PlanTest, ATransportWhoseMailWouldWaitIsNamed) {
    ASSERT_TRUE(plan(kServices, "default_transport = smpt:\nrelay_transport = relay:[a.test]\n"));
    EXPECT_EQ(remarks_,
              "warning: main.cf:7: default_transport: master.cf has no transport smpt, its mail "
              "waits; did you mean smtp?\n");
}

TEST_F(PlanTest, AServicesWordOnItsSettingsBelongsToALine) {
    const auto made = plan(std::string(kServices) + "26 inet n - y - - smtpd -o smtpd_timeout=5\n",
                           "mynetworks = hash:/x\nsmtpd_timeout = 4\n");
    ASSERT_TRUE(made) << remarks_;
    const PlannedService& first = *made->find("smtpd 2525");
    const PlannedService& second = *made->find("smtpd 26");
    EXPECT_EQ(place_of(*made, first, "mynetworks: bad").text(), "main.cf:7");
    EXPECT_EQ(place_of(*made, first, "smtpd_client_event_limit_exceptions: bad").text(),
              "main.cf:7")
        << "its default is $mynetworks";
    EXPECT_EQ(place_of(*made, first, "smtpd_timeout: bad").text(), "main.cf:8");
    EXPECT_EQ(place_of(*made, second, "smtpd_timeout: bad").text(), "master.cf:9");
    EXPECT_EQ(place_of(*made, first, "smtpd_banner: bad").text(), "main.cf");
    EXPECT_EQ(place_of(*made, second, "out of memory").text(), "master.cf:9");
}

TEST_F(PlanTest, NamesWhatCannotRun) {
    EXPECT_FALSE(plan(std::string(kServices) + "pickup unix n - y 60 1 pickup\n"));
    EXPECT_THAT(remarks_,
                HasSubstr("error: master.cf:9: there is no program \"pickup\" here (yet)"));
    EXPECT_FALSE(plan(std::string(kServices) + "store2 unix n - y - 1 store\n"));
    EXPECT_THAT(remarks_, HasSubstr("a second store; there can be only one (master.cf:3)"));
    EXPECT_FALSE(plan(std::string(kServices) + "qmgr2 inet n - y - 1 cleanup\n"));
    EXPECT_THAT(remarks_, HasSubstr("cleanup does not listen on the network"));
    EXPECT_FALSE(plan(std::string(kServices) + "127.0.0.1:99999 inet n - y - - smtpd\n"));
    EXPECT_THAT(remarks_, HasSubstr("error: master.cf:9: port \"99999\""));
    EXPECT_FALSE(plan("2525 inet n - y - - smtpd\n"));
    EXPECT_THAT(remarks_, HasSubstr("no service runs store"));
    EXPECT_FALSE(plan(kServices, "store_user = nobody-of-this-name\n"));
    EXPECT_THAT(remarks_, HasSubstr("there is no such user; `posthaste init` creates it"));
    EXPECT_FALSE(plan(kServices, "store_user = root\n"));
    EXPECT_THAT(remarks_, HasSubstr("never runs as root"));
    EXPECT_FALSE(plan(kServices, "daemon_directory = /nonexistent\n"));
    EXPECT_THAT(remarks_, HasSubstr("/nonexistent/smtpd is not there"));
    std::string text(kServices);
    text.replace(text.find("1 store"), 1, "2");
    EXPECT_FALSE(plan(text));
    EXPECT_THAT(remarks_, HasSubstr("master.cf:3: maxproc of store must be 1"));
}

TEST_F(PlanTest, OnlyASettingThatAppliesAtRestartNeedsOne) {
    const auto before = plan(kServices);
    const auto live = plan(kServices, "smtpd_timeout = 77s\n");
    const auto arena = plan(kServices, "smtpd_arena_size = 32M\n");
    EXPECT_FALSE(needs_restart(*before->find("smtpd 2525"), *live->find("smtpd 2525")));
    EXPECT_TRUE(needs_restart(*before->find("smtpd 2525"), *arena->find("smtpd 2525")));
    EXPECT_FALSE(needs_restart(*before->find("store store"), *arena->find("store store")));
    const auto sandbox = plan(kServices, "sandbox = strict\n");
    EXPECT_TRUE(needs_restart(*before->find("store store"), *sandbox->find("store store")));
    const auto workers = plan(kServices, "worker_processes = 2\n");
    EXPECT_TRUE(needs_restart(*before->find("smtp smtp"), *workers->find("smtp smtp")));
    EXPECT_FALSE(needs_restart(*before->find("store store"), *workers->find("store store")));
}

TEST_F(PlanTest, AServiceThatReadsFilesIsReplacedAtEachReload) {
    const auto plain = plan(kServices, "relay_domains = inline:{a=b} example.com\n");
    EXPECT_FALSE(reads_files(*plain->find("smtpd 2525")));
    EXPECT_TRUE(reads_files(*plain->find("trivial-rewrite rewrite")));
    for (const char* list :
         {"mynetworks = 127.0.0.0/8, !/etc/networks.bad", "relay_domains = texthash:/etc/ours",
          "smtpd_client_event_limit_exceptions = /etc/friends"}) {
        const auto files = plan(kServices, std::string(list) + "\n");
        ASSERT_TRUE(files) << remarks_;
        EXPECT_TRUE(reads_files(*files->find("smtpd 2525"))) << list;
        EXPECT_FALSE(reads_files(*files->find("store store"))) << list;
        EXPECT_TRUE(needs_restart(*files->find("smtpd 2525"), *files->find("smtpd 2525"))) << list;
    }
}

}  // namespace
}  // namespace posthaste
