#include "egress/smtp/report_keeper.h"

#include <gtest/gtest.h>

namespace posthaste::smtp {
namespace {

TEST(ReportKeeper, KeepsWhatNobodyHasBeenSentWhateverIsTaken) {
    ReportKeeper keeper;
    for (uint64_t id : {7, 8}) {
        wire::DeliveryReport report;
        report.id = id;
        keeper.add(report);
        EXPECT_EQ(report.sequence, id - 6);
    }
    keeper.on_taken(2);  // of a qmgr that was sent nothing
    std::vector<uint64_t> kept;
    keeper.each_report([&](const wire::DeliveryReport& report) { kept.push_back(report.id); });
    EXPECT_EQ(kept, (std::vector<uint64_t>{7, 8}));
    EXPECT_FALSE(keeper.empty());
}

}  // namespace
}  // namespace posthaste::smtp
