#include "master/process_table.h"

#include <bit>
#include <gtest/gtest.h>

namespace posthaste {
namespace {

TEST(ProcessTable, EachPairStandsOnceAndBothEndsAreKnown) {
    const auto all = wires();
    for (size_t i = 0; i < all.size(); ++i) {
        EXPECT_NE(row_of(all[i].from), nullptr);
        EXPECT_NE(row_of(all[i].to), nullptr);
        EXPECT_NE(all[i].from, all[i].to);
        EXPECT_EQ(wire_between(all[i].to, all[i].from), &all[i]);
    }
}

TEST(ProcessTable, RingsArePowersOfTwoAndAnEmptyWireCarriesAnArena) {
    for (const Wire& wire : wires()) {
        if (wire.ring_bytes == 0) {
            EXPECT_TRUE(wire.to_reads_arena) << wire.carries;
        } else {
            EXPECT_TRUE(std::has_single_bit(wire.ring_bytes)) << wire.carries;
        }
    }
}

TEST(ProcessTable, OnlyARoleWithAnArenaLendsIt) {
    for (const Wire& wire : wires()) {
        if (wire.to_reads_arena) {
            EXPECT_FALSE(row_of(wire.from)->arena_parameter.empty()) << wire.carries;
        }
    }
}

TEST(ProcessTable, TheNetworkNeverTouchesTheStoreDirectly) {
    EXPECT_EQ(wire_between(Role::smtpd, Role::qmgr), nullptr);
    EXPECT_EQ(wire_between(Role::smtpd, Role::smtp), nullptr);
    ASSERT_NE(wire_between(Role::smtp, Role::store), nullptr);
    EXPECT_EQ(wire_between(Role::smtp, Role::store)->ring_bytes, 0U);
}

TEST(ProcessTable, BothEndsOfAWireAreToldTheSame) {
    for (const Wire& wire : wires()) {
        const WireEnd from = end_of(wire, wire.from);
        const WireEnd to = end_of(wire, wire.to);
        EXPECT_EQ(from.own_ring_bytes, to.peer_ring_bytes);
        EXPECT_EQ(from.peer_ring_bytes, to.own_ring_bytes);
        EXPECT_EQ(from.we_lend_arena, to.we_read_arena);
        EXPECT_EQ(from.we_read_arena, to.we_lend_arena);
    }
}

TEST(ProcessTable, WhoFeedsARoleStopsBeforeItAndTheLogIsLast) {
    EXPECT_EQ(roles_that_stop_before(*row_of(Role::smtpd)), 0U);
    EXPECT_EQ(roles_that_stop_before(*row_of(Role::cleanup)), role_bit(Role::smtpd));
    const uint32_t before_store = roles_that_stop_before(*row_of(Role::store));
    for (const Role role : {Role::cleanup, Role::qmgr, Role::smtp})
        EXPECT_NE(before_store & role_bit(role), 0U) << name_of(role);
    EXPECT_EQ(before_store & role_bit(Role::postlogd), 0U);
    for (const RoleRow& row : role_rows()) {
        const uint32_t before_log = roles_that_stop_before(*row_of(Role::postlogd));
        EXPECT_EQ((before_log & role_bit(row.role)) != 0, row.role != Role::postlogd);
    }
}

TEST(ProcessTable, CleanupAndQmgrNameToOthersWhatTheyWereLent) {
    for (const RoleRow& row : role_rows())
        EXPECT_EQ(lends_on(row.role), row.role == Role::cleanup || row.role == Role::qmgr)
            << name_of(row.role);
}

TEST(ProcessTable, EverybodyElseLogs) {
    for (const RoleRow& row : role_rows()) {
        if (row.role == Role::postlogd) continue;
        ASSERT_NE(wire_between(row.role, Role::postlogd), nullptr) << name_of(row.role);
        EXPECT_FALSE(wire_between(row.role, Role::postlogd)->two_way);
        EXPECT_LT(row.stop_stage, row_of(Role::postlogd)->stop_stage);
    }
}

}  // namespace
}  // namespace posthaste
