#include "store/crc32c.h"

#include <array>
#include <atomic>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace posthaste::store {

namespace {

constexpr uint32_t kPolynomialReversed = 0x82f6'3b78;

constexpr std::array<uint32_t, 256> make_table() {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < 256; ++i) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomialReversed : 0);
        table[i] = crc;
    }
    return table;
}

constexpr std::array<uint32_t, 256> kTable = make_table();

uint32_t extend_by_table(uint32_t state, const char* bytes, size_t size) noexcept {
    for (size_t i = 0; i < size; ++i) {
        state = kTable[(state ^ static_cast<unsigned char>(bytes[i])) & 0xff] ^ (state >> 8);
    }
    return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t extend_by_instruction(uint32_t state, const char* bytes,
                                                                 size_t size) noexcept {
    uint64_t wide = state;
    for (; size >= 8; bytes += 8, size -= 8) {
        uint64_t word = 0;
        std::memcpy(&word, bytes, sizeof(word));
        wide = _mm_crc32_u64(wide, word);
    }
    state = static_cast<uint32_t>(wide);
    for (; size > 0; ++bytes, --size)
        state = _mm_crc32_u8(state, static_cast<unsigned char>(*bytes));
    return state;
}
#endif

using Extend = uint32_t (*)(uint32_t, const char*, size_t) noexcept;

Extend choose() noexcept {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return extend_by_instruction;
#endif
    return extend_by_table;
}

std::atomic<uint64_t> calls_by_rocksdb{0};

}  // namespace

uint32_t crc32c(uint32_t crc, const char* bytes, size_t size) noexcept {
    static const Extend kExtend = choose();
    return ~kExtend(~crc, bytes, size);
}

uint64_t crc32c_calls_by_rocksdb() noexcept {
    return calls_by_rocksdb.load(std::memory_order_relaxed);
}

}  // namespace posthaste::store

namespace rocksdb::crc32c {

// Declared in RocksDB's private util/crc32c.h. NOLINTBEGIN(readability-identifier-naming): its name
uint32_t Extend(uint32_t crc, const char* bytes, size_t size);

uint32_t Extend(uint32_t crc, const char* bytes, size_t size) {
    auto& calls = posthaste::store::calls_by_rocksdb;
    calls.store(calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return posthaste::store::crc32c(crc, bytes, size);
}

// NOLINTEND(readability-identifier-naming)

}  // namespace rocksdb::crc32c
