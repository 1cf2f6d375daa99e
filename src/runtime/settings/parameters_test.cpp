#include "runtime/settings/parameters.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

#include "base/strings.h"

#include "runtime/settings/expand.h"
#include "runtime/settings/main_cf.h"
#include "runtime/settings/not_done_yet.h"
#include "runtime/settings/postfix_names.h"
#include "runtime/settings/value.h"

namespace posthaste {
namespace {

TEST(ParameterTable, IsSortedAndEachNameStandsOnce) {
    const auto table = parameter_table();
    ASSERT_GT(table.size(), 100U);
    for (size_t i = 1; i < table.size(); ++i) EXPECT_LT(table[i - 1].name, table[i].name);
}

TEST(ParameterTable, EveryInitialValueExpandsAndLiesWithinItsBounds) {
    Diagnostics diagnostics;
    const MainCf nothing = MainCf::parse("main.cf", "", diagnostics);
    const SystemFacts facts;
    const SettingsReader reader(nothing, facts);
    for (const ParameterRow& row : parameter_table()) {
        const auto value = reader.expanded(row.name);
        EXPECT_EQ(value.fault, "") << row.name;
        EXPECT_EQ(value.text.find('$'), std::string::npos) << row.name << " = " << value.text;
        EXPECT_EQ(fault_in_value(row, value.text).value_or(""), "")
            << row.name << " = " << value.text;
    }
}

TEST(ParameterTable, NumbersHaveBoundsAndEveryRowSaysWhy) {
    for (const ParameterRow& row : parameter_table()) {
        EXPECT_TRUE(row.why.ends_with('.')) << row.name;
        if (row.kind == ParameterKind::text || row.kind == ParameterKind::boolean) {
            EXPECT_EQ(row.max, 0) << row.name;
        } else {
            EXPECT_LT(row.min, row.max) << row.name;
        }
        if (row.kind == ParameterKind::time) {
            EXPECT_TRUE(is_alpha(row.initial.back())) << row.name;
        }
    }
}

TEST(ParameterTable, DefaultsMentionOnlyParametersThatExist) {
    for (const ParameterRow& row : parameter_table())
        for_each_name(row.initial, [&](std::string_view name) {
            EXPECT_TRUE(find_parameter(name)) << row.name;
        });
}

TEST(ParameterTable, AParameterWeObeyIsNotOneThatOnlyPostfixHas) {
    for (const ParameterRow& row : parameter_table())
        EXPECT_FALSE(is_postfix_only(row.name)) << row.name;
    EXPECT_TRUE(is_postfix_only("smtpd_tls_cert_file"));
    EXPECT_TRUE(is_postfix_only("alias_maps"));
    for (const auto name : not_done_yet()) {
        EXPECT_FALSE(find_parameter(name))
            << name << " is obeyed: its row among the ignored is idle";
        EXPECT_TRUE(is_postfix_only(name)) << name;
    }
    EXPECT_FALSE(is_postfix_only("smtpd_timeuot"));
}

TEST(ParameterTable, FindsByExactNameOnly) {
    ASSERT_NE(find_parameter("relayhost"), nullptr);
    EXPECT_EQ(find_parameter("relayhost")->name, "relayhost");
    EXPECT_EQ(find_parameter("relayhos"), nullptr);
    EXPECT_EQ(find_parameter(""), nullptr);
    EXPECT_EQ(find_parameter("zzzz"), nullptr);
}

TEST(ParameterTable, ATransportsOwnNameIsGovernedByTheDefaultsRow) {
    ASSERT_NE(row_for("slow_destination_rate_delay"), nullptr);
    EXPECT_EQ(row_for("slow_destination_rate_delay")->name, "default_destination_rate_delay");
    EXPECT_EQ(row_for("slow_initial_destination_concurrency")->name,
              "initial_destination_concurrency");
    EXPECT_EQ(row_for("_destination_rate_delay"), nullptr);
    EXPECT_EQ(row_for("slow_delay"), nullptr);
    EXPECT_EQ(row_for("local_destination_concurrency_limit")->initial, "2");
}

}  // namespace
}  // namespace posthaste
