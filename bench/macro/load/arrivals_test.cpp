#include "bench/macro/load/arrivals.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

namespace posthaste::bench {
namespace {

TEST(Arrivals, EvenOnesKeepTheRateWithoutDrift) {
    Arrivals arrivals(Arrivals::Kind::even, 3000, 1'000'000, 1);
    EXPECT_EQ(arrivals.next_us(), 1'000'333);
    EXPECT_EQ(arrivals.next_us(), 1'000'666);
    for (int i = 3; i < 30'000; ++i) arrivals.next_us();
    EXPECT_NEAR(static_cast<double>(arrivals.next_us()), 11'000'000, 1);
}

TEST(Arrivals, PoissonOnesHaveTheRateAndTheSpread) {
    constexpr int kCount = 200'000;
    Arrivals arrivals(Arrivals::Kind::poisson, 1000, 0, 7);
    int64_t before = 0;
    double sum = 0;
    double squares = 0;
    int longer_than_mean = 0;
    for (int i = 0; i < kCount; ++i) {
        const int64_t at = arrivals.next_us();
        ASSERT_GE(at, before);
        const auto gap = static_cast<double>(at - before);
        before = at;
        sum += gap;
        squares += gap * gap;
        longer_than_mean += gap > 1000 ? 1 : 0;
    }
    const double mean = sum / kCount;
    EXPECT_NEAR(mean, 1000, 10);
    EXPECT_NEAR(std::sqrt(squares / kCount - mean * mean), 1000, 20);  // as large as the mean
    EXPECT_NEAR(static_cast<double>(longer_than_mean) / kCount, std::exp(-1.0), 0.01);
}

TEST(Arrivals, TheSameSeedIsTheSameDay) {
    Arrivals a(Arrivals::Kind::poisson, 500, 10, 3);
    Arrivals b(Arrivals::Kind::poisson, 500, 10, 3);
    Arrivals c(Arrivals::Kind::poisson, 500, 10, 4);
    bool all_as_c = true;
    for (int i = 0; i < 100; ++i) {
        const int64_t at = a.next_us();
        EXPECT_EQ(at, b.next_us());
        all_as_c = all_as_c && at == c.next_us();
    }
    EXPECT_FALSE(all_as_c);
}

TEST(Latencies, PercentilesAreThoseOfASortedList) {
    std::vector<int64_t> all;
    Latencies latencies;
    std::mt19937_64 random(5);
    for (int i = 0; i < 100'000; ++i) {
        const auto duration = static_cast<int64_t>(random() % (1ULL << (random() % 24 + 1)));
        all.push_back(duration);
        latencies.add(duration);
    }
    std::sort(all.begin(), all.end());
    for (const double share : {0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
        const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(all.size())));
        const int64_t exact = all[rank - 1];
        EXPECT_GE(latencies.percentile_us(share), exact) << share;
        EXPECT_LE(static_cast<double>(latencies.percentile_us(share)),
                  static_cast<double>(exact) * (1 + 1.0 / 64) + 1)
            << share;
    }
    EXPECT_EQ(latencies.max_us(), all.back());
    EXPECT_EQ(latencies.count(), all.size());
}

TEST(Latencies, SmallOnesAreExactAndFewOnesAreRanked) {
    Latencies latencies;
    EXPECT_EQ(latencies.percentile_us(0.99), 0);
    for (const int64_t duration : {100, 7, 127, -3}) latencies.add(duration);
    EXPECT_EQ(latencies.percentile_us(0.25), 0);
    EXPECT_EQ(latencies.percentile_us(0.26), 7);
    EXPECT_EQ(latencies.percentile_us(0.5), 7);
    EXPECT_EQ(latencies.percentile_us(0.75), 100);
    EXPECT_EQ(latencies.percentile_us(0.99), 127);
    EXPECT_DOUBLE_EQ(latencies.mean_us(), 58.5);
}

}  // namespace
}  // namespace posthaste::bench
