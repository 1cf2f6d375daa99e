#include "store/log_repair.h"

#include <cstring>
#include <gtest/gtest.h>
#include <string>

#include "store/crc32c.h"

namespace posthaste::store {
namespace {

constexpr size_t kBlock = 32 * 1024;

// Writes a log as RocksDB does.
class LogWriter {
 public:
    // One batch; returns where it ends.
    size_t add(std::string_view payload) {
        bool first = true;
        do {
            if (kBlock - bytes_.size() % kBlock < 7)
                bytes_.resize((bytes_.size() / kBlock + 1) * kBlock);
            const size_t room = kBlock - bytes_.size() % kBlock - 7;
            const std::string_view part = payload.substr(0, room);
            payload.remove_prefix(part.size());
            const bool last = payload.empty();
            const char type = static_cast<char>(first ? (last ? 1 : 2) : (last ? 4 : 3));
            const std::string summed = type + std::string(part);
            const uint32_t crc = masked_crc32c(crc32c(0, summed.data(), summed.size()));
            const auto length = static_cast<uint16_t>(part.size());
            char header[6];
            std::memcpy(header, &crc, 4);
            std::memcpy(header + 4, &length, 2);
            bytes_.append(header, 6).append(summed);
            first = false;
        } while (!payload.empty());
        return bytes_.size();
    }

    std::string zero_filled(size_t size) const {
        std::string out = bytes_;
        out.resize(size);
        return out;
    }

    const std::string& bytes() const { return bytes_; }

 private:
    std::string bytes_;
};

std::string payload(size_t bytes) { return std::string(bytes, 'p'); }

TEST(LogRepair, FindsTheEndOfABatchBeforeZerosAndBeforeTheFilesEnd) {
    LogWriter log;
    log.add(payload(100));
    const size_t end = log.add(payload(100'000));
    for (const std::string& file : {log.bytes(), log.zero_filled(1 << 20)}) {
        const LogEnd found = find_log_end(file);
        EXPECT_EQ(found.good_bytes, end);
        EXPECT_FALSE(found.torn);
        EXPECT_FALSE(found.damaged);
    }
}

TEST(LogRepair, AnEmptyOrUnusedLogEndsAtItsBeginning) {
    EXPECT_EQ(find_log_end("").good_bytes, 0u);
    const LogEnd unused = find_log_end(std::string(200'000, '\0'));
    EXPECT_EQ(unused.good_bytes, 0u);
    EXPECT_FALSE(unused.torn || unused.damaged);
}

TEST(LogRepair, ABatchEndingInZerosIsKeptWhole) {
    LogWriter log;
    const size_t end = log.add(payload(10) + std::string(5000, '\0'));
    EXPECT_EQ(find_log_end(log.zero_filled(1 << 18)).good_bytes, end);
}

TEST(LogRepair, CutsOffATornBatchWhereverItsSectorsAreMissing) {
    LogWriter log;
    const size_t acknowledged = log.add(payload(5000));
    log.add(payload(100'000));
    const std::string whole = log.zero_filled(1 << 18);
    for (size_t sector = acknowledged / 512 + 1; sector * 512 < log.bytes().size(); ++sector) {
        std::string torn = whole;
        torn.replace(sector * 512, 512, 512, '\0');
        const LogEnd found = find_log_end(torn);
        EXPECT_EQ(found.good_bytes, acknowledged) << sector;
        EXPECT_TRUE(found.torn) << sector;
        EXPECT_FALSE(found.damaged) << sector;
    }
    for (size_t size = acknowledged + 1; size < log.bytes().size(); size += 997) {
        const LogEnd found = find_log_end(std::string_view(whole).substr(0, size));
        EXPECT_EQ(found.good_bytes, acknowledged) << size;
        EXPECT_FALSE(found.damaged) << size;
    }
}

TEST(LogRepair, ChangedBytesOfAnAcknowledgedBatchAreDamage) {
    LogWriter log;
    log.add(payload(40'000));
    log.add(payload(40'000));
    log.add(payload(40'000));
    const std::string whole = log.zero_filled(1 << 18);
    for (size_t at = 0; at < log.bytes().size(); at += 1009) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 0x20);
        EXPECT_TRUE(find_log_end(changed).damaged) << at;
    }
}

// Also of the last one, and in its header, whose length says how far to look.
TEST(LogRepair, AnyChangedByteOfASmallLogIsDamage) {
    LogWriter log;
    log.add(payload(300));
    log.add(payload(700));
    const std::string whole = log.zero_filled(1 << 16);
    for (size_t at = 0; at < log.bytes().size(); ++at) {
        for (const int change : {0x01, 0x02, 0x04, 0x80, 0xff}) {
            std::string changed = whole;
            changed[at] = static_cast<char>(changed[at] ^ change);
            EXPECT_TRUE(find_log_end(changed).damaged) << at << " " << change;
        }
    }
}

// The first sector of a torn batch may still hold what was there before, the end of the batch before
// it and zeros where the new header begins; or it is the second one that was not written.
TEST(LogRepair, AHeaderTornBetweenTwoSectorsIsNoDamage) {
    for (size_t in_first = 1; in_first < 7; ++in_first) {
        LogWriter log;
        const size_t acknowledged = log.add(payload(512 - 7 - in_first));
        log.add(payload(2000));
        std::string without_first = log.zero_filled(1 << 16);
        std::string without_second = without_first;
        without_first.replace(acknowledged, in_first, in_first, '\0');
        without_second.replace(512, 512, 512, '\0');
        for (const std::string& torn : {without_first, without_second}) {
            const LogEnd found = find_log_end(torn);
            EXPECT_EQ(found.good_bytes, acknowledged) << in_first;
            EXPECT_TRUE(found.torn) << in_first;
            EXPECT_FALSE(found.damaged) << in_first;
        }
    }
}

// A sector lost in the midst of what was acknowledged looks torn, but something was written after
// it.
TEST(LogRepair, MissingSectorsBeforeALaterBatchAreDamage) {
    LogWriter log;
    log.add(payload(1000));
    log.add(payload(40'000));
    log.add(payload(40'000));
    std::string lost = log.zero_filled(1 << 18);
    lost.replace(8 * 512, 512, 512, '\0');
    EXPECT_TRUE(find_log_end(lost).damaged);
}

TEST(LogRepair, ForeignBytesAreNeverTakenForALog) {
    const LogEnd text = find_log_end(std::string(100'000, 'x'));
    EXPECT_EQ(text.good_bytes, 0u);
    EXPECT_TRUE(text.damaged);
}

}  // namespace
}  // namespace posthaste::store
