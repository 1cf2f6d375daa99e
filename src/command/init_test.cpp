#include "command/init.h"

#include <gtest/gtest.h>

#include "runtime/settings/main_cf.h"
#include "runtime/settings/master_cf.h"

namespace posthaste {
namespace {

TEST(InitialFiles, EveryModeIsAConfigurationWithoutARemark) {
    for (const auto mode : init_modes()) {
        InitOptions options;
        options.mode = mode;
        Diagnostics diagnostics;
        const auto main_cf = MainCf::parse(
            "main.cf", initial_main_cf(options, "/var/spool/x", "/var/log/x"), diagnostics);
        const auto master_cf =
            MasterCf::parse("master.cf", initial_master_cf(options), diagnostics);
        const SystemFacts facts;
        const SettingsReader reader(main_cf, facts);
        reader.warn_of_unknown({}, diagnostics);
        const auto settings = reader.read({}, diagnostics);
        for (const auto& diagnostic : diagnostics.all())
            ADD_FAILURE() << mode << ": " << diagnostic.shown();
        ASSERT_TRUE(settings) << mode;
        EXPECT_EQ(settings->text("queue_directory"), "/var/spool/x");
        EXPECT_EQ(settings->text("maillog_file"), "/var/log/x");
        EXPECT_EQ(master_cf.services.size(), 8U) << mode;
    }
}

TEST(InitialFiles, EveryModeSaysWhoMayRelay) {
    for (const auto mode : init_modes()) {
        InitOptions options;
        options.mode = mode;
        for (const auto* const networks : {"", "10.1.0.0/16"}) {
            options.mynetworks = networks;
            const std::string text = initial_main_cf(options, "/q", "");
            Diagnostics diagnostics;
            const auto main_cf = MainCf::parse("main.cf", text, diagnostics);
            const auto* const own = main_cf.find("mynetworks");
            EXPECT_TRUE(own != nullptr || main_cf.find("mynetworks_style") != nullptr) << mode;
            if (own != nullptr && *networks != '\0') {
                EXPECT_EQ(own->value, networks) << mode;
            }
            EXPECT_TRUE(own != nullptr || *networks == '\0') << mode;
            EXPECT_NE(text.find("# Who may relay; others are refused"), std::string::npos);
        }
    }
}

TEST(InitialFiles, ListensWhereAsked) {
    InitOptions options;
    options.listen = {"127.0.0.1:2525", "[::1]:2525"};
    Diagnostics diagnostics;
    const auto master_cf = MasterCf::parse("master.cf", initial_master_cf(options), diagnostics);
    ASSERT_EQ(master_cf.services.size(), 9U);
    EXPECT_EQ(master_cf.services[0].name, "127.0.0.1:2525");
    EXPECT_EQ(master_cf.services[1].name, "[::1]:2525");
}

TEST(InitialFiles, ARelayhostTakesTheModesPlace) {
    for (const auto mode : init_modes()) {
        InitOptions options;
        options.mode = mode;
        options.relayhost = "[192.0.2.1]:587";
        Diagnostics diagnostics;
        const auto main_cf =
            MainCf::parse("main.cf", initial_main_cf(options, "/q", ""), diagnostics);
        ASSERT_NE(main_cf.find("relayhost"), nullptr);
        EXPECT_EQ(main_cf.find("relayhost")->value, "[192.0.2.1]:587");
        EXPECT_TRUE(diagnostics.all().empty()) << mode;
    }
}

}  // namespace
}  // namespace posthaste
