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

uint64_t bytes_between(const std::string& first_key, const std::string& last_key,
                       const rocksdb::ColumnFamilyMetaData& content) {
    uint64_t bytes = 0;
    for (const auto& level : content.levels) {
        for (const Table& table : level.files) {
            if (table.largestkey >= first_key && table.smallestkey <= last_key) bytes += table.size;
        }
    }
    return bytes;
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
    round.bytes = bytes_between(round.first_key, round.last_key, content);
    for (const Blob& blob : blobs) {
        if (round.bytes + alive_in(blob) > bytes_max) break;
        round.bytes += alive_in(blob);
        ++round.files;
    }
    if (round.files == 0) return std::nullopt;
    return round;
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
    // While there is room holes cost nothing: they mostly go with their files.
    const bool begins = is_short ? garbage > all / 8 : garbage > all / 2 && garbage > bytes_max;
    collecting_ = begins || (collecting_ && garbage > all / 4);
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
        options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
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
