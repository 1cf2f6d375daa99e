// store/database_options.h: how RocksDB is told to behave, column family by column family, and why.
#pragma once

#include <array>
#include <memory>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <vector>

#include "store/queue_store.h"

namespace posthaste::store {

enum Family : size_t { kMeta, kContent, kEnvelope, kState, kReason, kQuarantine };

inline constexpr size_t kFamilies = 6;
// By Family. RocksDB insists on a family called "default"; it is our `meta`.
inline constexpr std::array<const char*, kFamilies> kFamilyNames = {
    "default", "content", "envelope", "state", "reason", "quarantine"};

rocksdb::DBOptions database_options(const QueueStoreOptions& options, rocksdb::Env* env,
                                    std::shared_ptr<rocksdb::EventListener> listener);
// In the order of Family.
std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors(const QueueStoreOptions& options,
                                                                bool compacts);

}  // namespace posthaste::store
