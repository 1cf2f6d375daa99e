// bench/micro/bench_size.h: the size of an experiment: the real one, or a tiny one when ctest only
// wants to know that the benchmark still runs.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace posthaste::bench {

inline int64_t size_or_tiny(int64_t size, int64_t tiny) {
    return std::getenv("POSTHASTE_BENCH_TINY") != nullptr ? tiny : size;
}

}  // namespace posthaste::bench
