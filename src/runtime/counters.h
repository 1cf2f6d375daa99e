// runtime/counters.h: what a process counts about itself, in a page of shared memory that
// `posthaste status` reads without asking anybody. A counter is a row: name, unit, one sentence;
// the row is its documentation.
//
// The page is written by its owner with relaxed stores, read by others with relaxed loads; a value
// may be one event old.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace posthaste {

// A total grows with what happens and outlives its process (master adds up what the dead had
// counted); a gauge is how much there is of something now.
enum class CounterKind : uint8_t { total = 0, gauge = 1 };

struct CounterRow {
    std::string_view name;  // "messages_accepted"
    std::string_view unit;  // "messages", "bytes", "us"
    std::string_view sentence;
    CounterKind kind = CounterKind::total;
};

inline constexpr size_t kCountersMax = 48;

// Layout of the page, version 3. Names travel in the page, so that a reader needs no knowledge of
// the writer.
struct CounterPage {
    static constexpr uint64_t kMagic = 0x3330'7265'746e'7563;  // "cunter03"
    uint64_t magic = kMagic;
    uint32_t count = 0;
    uint32_t pid = 0;
    char role[24] = {};
    std::atomic<uint64_t> beat;  // runtime/heartbeat.h

    struct Slot {
        char name[48];
        char unit[15];
        CounterKind kind;
        std::atomic<uint64_t> value;
    } slots[kCountersMax] = {};
};

// The page's memfd, sealed against shrinking: made by master, which gives it to the child with
// Start and keeps it to read.
Result<Fd> create_counter_page();

class CounterMapping {
 public:
    enum class Access : uint8_t { read, write };
    // write: also empties it. The descriptor may be closed afterwards.
    static Result<CounterMapping> map(int memfd, Access access);

    CounterMapping(CounterMapping&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}

    CounterMapping& operator=(CounterMapping&& other) noexcept {
        std::swap(page_, other.page_);
        return *this;
    }

    ~CounterMapping();

    CounterPage& page() const noexcept { return *page_; }

 private:
    CounterMapping() = default;
    CounterPage* page_ = nullptr;
};

void set_owner(CounterPage& page, std::string_view role, uint32_t pid);

// A reader's copy of a foreign page; every bound checked, nothing believed.
struct CounterValue {
    std::string name;
    std::string unit;
    uint64_t value = 0;
    CounterKind kind = CounterKind::total;
};

std::vector<CounterValue> read_counters(const CounterPage& page);

class Counters {
 public:
    // `page` outlives this. Rows beyond kCountersMax are our own bug.
    Counters(CounterPage& page, std::span<const CounterRow> rows);

    void add(size_t row, uint64_t amount = 1) noexcept {
        auto& value = page_.slots[row].value;
        value.store(value.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    }

    void set(size_t row, uint64_t value) noexcept {
        page_.slots[row].value.store(value, std::memory_order_relaxed);
    }

    uint64_t get(size_t row) const noexcept {
        return page_.slots[row].value.load(std::memory_order_relaxed);
    }

 private:
    CounterPage& page_;
};

}  // namespace posthaste
