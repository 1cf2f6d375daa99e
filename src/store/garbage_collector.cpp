#include "store/garbage_collector.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace posthaste::store {

namespace {

using Blob = rocksdb::BlobMetaData;
using Table = rocksdb::SstFileMetaData;

uint64_t garbage_in(const Blob& blob) noexcept {
    return std::min(blob.garbage_blob_bytes, blob.total_blob_bytes);
}

uint64_t alive_in(const Blob& blob) noexcept { return blob.total_blob_bytes - garbage_in(blob); }

std::vector<Blob> by_age(const rocksdb::ColumnFamilyMetaData& content) {
    std::vector<Blob> blobs = content.blob_files;
    std::sort(blobs.begin(), blobs.end(),
              [](const Blob& a, const Blob& b) { return a.blob_file_number < b.blob_file_number; });
    return blobs;
}

// The table that keeps the oldest blob file alive: it refers to none that is older.
const Table* keeper_of(const Blob& oldest, const rocksdb::ColumnFamilyMetaData& content) {
    for (const auto& level : content.levels) {
        for (const Table& table : level.files) {
            if (table.oldest_blob_file_number == oldest.blob_file_number && !table.being_compacted)
                return &table;
        }
    }
    return nullptr;
}

bool overlaps(const Table& table, const GarbageRound& round) {
    return table.largestkey >= round.first_key && table.smallestkey <= round.last_key;
}

// Tables of the first level overlap each other, and are merged with all that do.
void widen_over_first_level(const rocksdb::ColumnFamilyMetaData& content, GarbageRound& round) {
    if (content.levels.empty()) return;
    for (bool wider = true; wider;) {
        wider = false;
        for (const Table& table : content.levels.front().files) {
            if (!overlaps(table, round)) continue;
            wider =
                wider || table.smallestkey < round.first_key || table.largestkey > round.last_key;
            round.first_key = std::min(round.first_key, table.smallestkey);
            round.last_key = std::max(round.last_key, table.largestkey);
        }
    }
}

struct Tables {
    uint64_t bytes = 0;
    size_t merges = 0;  // at most
};

Tables tables_of(const GarbageRound& round, const rocksdb::ColumnFamilyMetaData& content) {
    Tables out;
    size_t levels_below = 0;
    for (const auto& level : content.levels) {
        bool any = false;
        for (const Table& table : level.files) {
            if (!overlaps(table, round)) continue;
            out.bytes += table.size;
            any = true;
        }
        levels_below += any && level.level > 0 ? 1 : 0;
    }
    // Into each level below the first, and within the last of them.
    out.merges = std::max<size_t>(levels_below, 1) + 1;
    return out;
}

}  // namespace

std::optional<GarbageRound> next_round(const rocksdb::ColumnFamilyMetaData& content,
                                       uint64_t bytes_max) {
    const std::vector<Blob> blobs = by_age(content);
    if (blobs.empty()) return std::nullopt;
    const Table* const keeper = keeper_of(blobs.front(), content);
    if (keeper == nullptr) return std::nullopt;
    GarbageRound round;
    round.oldest = blobs.front().blob_file_number;
    round.files_total = blobs.size();
    round.first_key = keeper->smallestkey;
    round.last_key = keeper->largestkey;
    widen_over_first_level(content, round);
    const Tables tables = tables_of(round, content);
    uint64_t copies = 0;
    size_t counted = 0;
    for (size_t files = 1; files <= blobs.size(); ++files) {
        // One more a merge: files may come and go before RocksDB counts.
        const size_t reached = std::min(blobs.size(), tables.merges * (files + 1));
        for (; counted < reached; ++counted) copies += alive_in(blobs[counted]);
        const uint64_t bytes = copies + tables.merges * tables.bytes;
        if (bytes > bytes_max) break;
        round.bytes = bytes;
        round.files = files;
    }
    if (round.files == 0) return std::nullopt;
    return round;
}

// While there is room holes cost nothing: they mostly go with their files.
bool is_worth_collecting(const GarbageSeen& seen, bool collecting) {
    const bool begins = seen.is_short ? seen.garbage_bytes > seen.all_bytes / 8
                                      : seen.garbage_bytes > seen.all_bytes / 2 &&
                                            seen.garbage_bytes > seen.copy_bytes_max;
    return begins || (collecting && seen.garbage_bytes > seen.all_bytes / 4);
}

QueueGarbage GarbageCollector::look(uint64_t bytes_max, bool is_short) {
    if (thread_.joinable() && done_.load(std::memory_order_acquire)) settle();
    rocksdb::ColumnFamilyMetaData content;
    db_.GetColumnFamilyMetaData(&content_, &content);
    uint64_t all = 0;
    uint64_t garbage = 0;
    for (const Blob& blob : content.blob_files) {
        all += blob.total_blob_bytes;
        garbage += garbage_in(blob);
    }
    collecting_ = is_worth_collecting({garbage, all, bytes_max, is_short}, collecting_);
    if (thread_.joinable()) return {garbage, round_.bytes};
    if (!collecting_ || stopped_) return {garbage, 0};
    auto round = next_round(content, std::min(bytes_max, kRoundBytesMax));
    if (!round) return {garbage, 0};
    const bool again = round->oldest == round_.oldest && round->first_key == round_.first_key;
    if (again && looks_to_wait_ > 0) {
        --looks_to_wait_;
        return {garbage, 0};
    }
    begin(std::move(*round));
    return {garbage, round_.bytes};
}

void GarbageCollector::begin(GarbageRound round) {
    round_ = std::move(round);
    looks_to_wait_ = kLooksInVain;
    done_.store(false, std::memory_order_relaxed);
    thread_ = std::thread([this] {
        rocksdb::CompactRangeOptions options;
        options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
        options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
        // RocksDB counts the files anew, and rounds down.
        options.blob_garbage_collection_age_cutoff =
            std::min(1.0, (static_cast<double>(round_.files) + 0.5) /
                              static_cast<double>(round_.files_total));
        const rocksdb::Slice first = round_.first_key;
        const rocksdb::Slice last = round_.last_key;
        result_ = db_.CompactRange(options, &content_, &first, &last);
        done_.store(true, std::memory_order_release);
    });
}

void GarbageCollector::settle() {
    thread_.join();
    if (!result_.ok() && !stopped_)
        log_.warning("giving back the room of removed messages: " + result_.ToString());
}

void GarbageCollector::stop() {
    if (stopped_) return;
    stopped_ = true;
    if (!thread_.joinable()) return;
    db_.DisableManualCompaction();
    settle();
}

}  // namespace posthaste::store
