// bench/macro/load/arrivals.h: when messages arrive, and how long they waited: the arithmetic of an
// open loop, without sockets.
//
// Open loop: each message has a time at which it is meant to arrive, fixed beforehand, and its
// latency counts from there. A closed loop sends the next one when the last was answered: while the
// server stands still nothing is sent, and what would have waited is missing from the percentiles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace posthaste::bench {

class Arrivals {
 public:
    enum class Kind : uint8_t { even, poisson };

    // The first arrival is one gap behind `start_us`. The same seed gives the same times.
    Arrivals(Kind kind, double per_second, int64_t start_us, uint64_t seed);

    // Of the next arrival; ascending.
    int64_t next_us();

 private:
    Kind kind_;
    double gap_us_;
    double at_us_;
    std::mt19937_64 random_;
};

// Counts durations in buckets, 64 to each power of two: a percentile is exact below 128 us, and at
// most 1.6 % too large above.
class Latencies {
 public:
    // What lies before zero, by a clock's whim, is zero.
    void add(int64_t duration_us);

    uint64_t count() const noexcept { return count_; }

    int64_t max_us() const noexcept { return max_us_; }

    double mean_us() const noexcept;
    // The smallest duration that at least this share (0 to 1) of all did not exceed; 0 when there
    // are none.
    int64_t percentile_us(double share) const noexcept;

 private:
    static constexpr unsigned kSubBits = 6;

    static size_t bucket_of(uint64_t duration_us) noexcept;
    static uint64_t last_of(size_t bucket) noexcept;

    std::vector<uint64_t> buckets_;
    uint64_t count_ = 0;
    int64_t max_us_ = 0;
    double sum_us_ = 0;
};

}  // namespace posthaste::bench
