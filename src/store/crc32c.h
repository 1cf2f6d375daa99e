// store/crc32c.h: the checksum of RocksDB's log, by the processor's own instruction.
//
// Debian's RocksDB is built for any amd64 and sums every log byte in software, at about 1 GB/s:
// four microseconds of a 4 KiB message's budget. crc32c.cpp therefore also defines
// rocksdb::crc32c::Extend, which librocksdb exports and calls through its symbol table, so that the
// dynamic linker prefers ours. The result is the same by definition; crc32c_test.cpp compares both
// and checks that RocksDB really calls this one. Where the processor lacks SSE 4.2, a table does
// the work as before.
#pragma once

#include <cstddef>
#include <cstdint>

namespace posthaste::store {

// Of `size` bytes following bytes whose sum is `crc` (0 for none).
uint32_t crc32c(uint32_t crc, const char* bytes, size_t size) noexcept;

// As in log records: a sum over bytes that hold sums would otherwise be weak.
constexpr uint32_t masked_crc32c(uint32_t crc) noexcept {
    return ((crc >> 15) | (crc << 17)) + 0xa282'ead8u;
}

// How often RocksDB called us; for the test.
uint64_t crc32c_calls_by_rocksdb() noexcept;

}  // namespace posthaste::store
