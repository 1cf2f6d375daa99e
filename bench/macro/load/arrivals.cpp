#include "bench/macro/load/arrivals.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace posthaste::bench {

Arrivals::Arrivals(Kind kind, double per_second, int64_t start_us, uint64_t seed)
    : kind_(kind),
      gap_us_(1e6 / per_second),
      at_us_(static_cast<double>(start_us)),
      random_(seed) {}

int64_t Arrivals::next_us() {
    if (kind_ == Kind::even) {
        at_us_ += gap_us_;
    } else {
        // (0, 1]: the logarithm of 0 would be an endless gap.
        const double uniform = (static_cast<double>(random_() >> 11) + 1) * 0x1p-53;
        at_us_ -= gap_us_ * std::log(uniform);
    }
    return static_cast<int64_t>(at_us_);
}

// Below 128 each duration has its own; above, 64 to each power of two.
size_t Latencies::bucket_of(uint64_t duration_us) noexcept {
    if (duration_us < (2U << kSubBits)) return duration_us;
    const auto shift = static_cast<unsigned>(std::bit_width(duration_us)) - (kSubBits + 1);
    return (size_t{shift} << kSubBits) + (duration_us >> shift);
}

uint64_t Latencies::last_of(size_t bucket) noexcept {
    if (bucket < (2U << kSubBits)) return bucket;
    const size_t shift = (bucket >> kSubBits) - 1;
    const uint64_t top = bucket - (shift << kSubBits);
    return ((top + 1) << shift) - 1;
}

void Latencies::add(int64_t duration_us) {
    const int64_t duration = std::max<int64_t>(duration_us, 0);
    const size_t bucket = bucket_of(static_cast<uint64_t>(duration));
    if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
    ++buckets_[bucket];
    ++count_;
    max_us_ = std::max(max_us_, duration);
    sum_us_ += static_cast<double>(duration);
}

double Latencies::mean_us() const noexcept {
    return count_ == 0 ? 0 : sum_us_ / static_cast<double>(count_);
}

int64_t Latencies::percentile_us(double share) const noexcept {
    const auto wanted = std::max<uint64_t>(
        1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_) - 1e-9)));
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
        seen += buckets_[bucket];
        if (seen >= wanted) return std::min(static_cast<int64_t>(last_of(bucket)), max_us_);
    }
    return max_us_;
}

}  // namespace posthaste::bench
