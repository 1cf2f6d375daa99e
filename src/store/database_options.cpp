#include "store/database_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/table_properties.h>

#include "base/units.h"

namespace posthaste::store {

namespace {

// Asks for a table that holds more removals than anything else to be merged at once with what they
// remove: what is gone gives its disk back without waiting for more mail to push it down the
// levels. (RocksDB's own CompactOnDeletionCollector does not count SingleDelete.)
class RemovalsCollector final : public rocksdb::TablePropertiesCollector {
 public:
    const char* Name() const override { return "PosthasteRemovalsCollector"; }

    rocksdb::Status AddUserKey(const rocksdb::Slice&, const rocksdb::Slice&,
                               rocksdb::EntryType type, rocksdb::SequenceNumber,
                               uint64_t) override {
        const bool removes = type == rocksdb::kEntryDelete || type == rocksdb::kEntrySingleDelete;
        ++(removes ? removals_ : others_);
        return rocksdb::Status::OK();
    }

    rocksdb::Status Finish(rocksdb::UserCollectedProperties*) override {
        return rocksdb::Status::OK();
    }

    rocksdb::UserCollectedProperties GetReadableProperties() const override { return {}; }

    bool NeedCompact() const override { return removals_ > others_; }

 private:
    uint64_t removals_ = 0;
    uint64_t others_ = 0;
};

class RemovalsCollectors final : public rocksdb::TablePropertiesCollectorFactory {
 public:
    const char* Name() const override { return "PosthasteRemovalsCollectors"; }

    rocksdb::TablePropertiesCollector* CreateTablePropertiesCollector(Context) override {
        return new RemovalsCollector;
    }
};

rocksdb::ColumnFamilyOptions common_family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
    rocksdb::ColumnFamilyOptions options;
    options.compression = rocksdb::kNoCompression;
    options.max_write_buffer_number = 3;
    options.table_properties_collector_factories.push_back(std::make_shared<RemovalsCollectors>());
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = cache;
    table.checksum = rocksdb::kXXH3;
    table.format_version = 5;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return options;
}

}  // namespace

rocksdb::DBOptions database_options(const QueueStoreOptions& options, rocksdb::Env* env,
                                    std::shared_ptr<rocksdb::EventListener> listener) {
    rocksdb::DBOptions db;
    db.env = env;
    db.create_if_missing = true;
    db.create_missing_column_families = true;
    // False would make RocksDB forget a failed log write and go on.
    db.paranoid_checks = true;
    // Refuses to open when the log is damaged anywhere but at its tail: we want to know
    // (queue_store.cpp).
    db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    // One writer: everything that serves many writers only costs.
    db.allow_concurrent_memtable_write = false;
    db.enable_write_thread_adaptive_yield = false;
    db.enable_pipelined_write = false;
    db.track_and_verify_wals_in_manifest = false;  // refuses healthy queues in 7.8 (rocksdb #10892)
    db.avoid_unnecessary_blocking_io = true;
    db.max_background_jobs = 2;
    db.max_subcompactions = 1;
    db.bytes_per_sync = 1 * kMiB;
    // A quiet column family must not pin old logs for ever.
    db.max_total_wal_size = 4 * options.memtable_bytes;
    // Its default depends on how we were compiled.
    db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
    db.keep_log_file_num = 5;
    db.max_log_file_size = 4 * kMiB;
    db.stats_dump_period_sec = 0;
    db.stats_persist_period_sec = 0;
    db.max_open_files = 256;
    db.listeners.push_back(std::move(listener));
    return db;
}

std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors(const QueueStoreOptions& options,
                                                                bool compacts) {
    const auto cache = rocksdb::NewLRUCache(32 * kMiB, 2);
    rocksdb::ColumnFamilyOptions common = common_family_options(cache);
    common.disable_auto_compactions = !compacts;

    rocksdb::ColumnFamilyOptions content = common;
    content.write_buffer_size = options.memtable_bytes;
    content.arena_block_size = 1 * kMiB;
    // What outlives its memtable waits for hours: it is written once, not at every compaction.
    content.enable_blob_files = true;
    content.min_blob_size = options.blob_bytes_min;
    content.blob_file_size = options.memtable_bytes;
    // On, every compaction copies all the content it meets, which on a full disk would end the
    // process. garbage_collector.h does it by the piece.
    content.enable_blob_garbage_collection = false;

    rocksdb::ColumnFamilyOptions envelope = common;
    envelope.write_buffer_size = options.memtable_bytes / 2;
    rocksdb::ColumnFamilyOptions state = common;
    state.write_buffer_size = options.memtable_bytes / 4;
    rocksdb::ColumnFamilyOptions reason = common;
    reason.write_buffer_size = options.memtable_bytes / 4;
    rocksdb::ColumnFamilyOptions small = common;
    small.write_buffer_size = 4 * kMiB;

    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const auto& [family, family_options] :
         {std::pair{kMeta, small}, std::pair{kContent, content}, std::pair{kEnvelope, envelope},
          std::pair{kState, state}, std::pair{kReason, reason}, std::pair{kQuarantine, content}}) {
        descriptors.emplace_back(kFamilyNames[family], family_options);
    }
    return descriptors;
}

}  // namespace posthaste::store
