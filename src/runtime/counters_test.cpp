#include "runtime/counters.h"

#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <string>

namespace posthaste {
namespace {

constexpr CounterRow kRows[] = {
    {"messages", "messages", "Accepted and durable."},
    {"a_name_that_is_longer_than_its_place_in_the_page_allows", "bytes", "Cut, never overrun.",
     CounterKind::gauge},
};

TEST(Counters, AReaderSeesNamesAndValuesThroughTheMemfd) {
    auto memfd = create_counter_page();
    ASSERT_TRUE(memfd);
    auto owner = CounterMapping::map(memfd->get(), CounterMapping::Access::write);
    auto reader = CounterMapping::map(memfd->get(), CounterMapping::Access::read);
    ASSERT_TRUE(owner && reader);
    set_owner(owner->page(), "cleanup", 42);
    Counters counters(owner->page(), kRows);
    counters.add(0, 3);
    counters.add(0);
    counters.set(1, 7);
    const auto values = read_counters(reader->page());
    ASSERT_EQ(values.size(), 2U);
    EXPECT_EQ(values[0].name, "messages");
    EXPECT_EQ(values[0].value, 4U);
    EXPECT_EQ(values[0].kind, CounterKind::total);
    EXPECT_EQ(values[1].kind, CounterKind::gauge);
    EXPECT_EQ(values[1].name.size(), sizeof(CounterPage::Slot::name) - 1);
    EXPECT_EQ(values[1].value, 7U);
    EXPECT_EQ(reader->page().pid, 42U);
}

TEST(Counters, AForeignPageIsNotBelieved) {
    const auto page = std::make_unique<CounterPage>();
    page->count = UINT32_MAX;
    std::memset(page->slots[0].name, 'x', sizeof(page->slots[0].name));
    EXPECT_EQ(read_counters(*page).size(), kCountersMax);
    EXPECT_EQ(read_counters(*page)[0].name.size(), sizeof(page->slots[0].name))
        << "no end within its place";
    page->magic = 0;
    EXPECT_TRUE(read_counters(*page).empty());
    EXPECT_FALSE(CounterMapping::map(0, CounterMapping::Access::read));
}

}  // namespace
}  // namespace posthaste
