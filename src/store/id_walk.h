// store/id_walk.h: walks one column family by message id, past blocks that can not be read.
//
// RocksDB's iterators stop at a damaged block, and every later one stops there again. What lies
// behind is found in binary steps through the ids; what lies within is left out, said once, and
// stays where it is for people with tools.
#pragma once

#include <cstdint>
#include <memory>
#include <rocksdb/db.h>
#include <string_view>

#include "mail/queue_id.h"
#include "runtime/log.h"

namespace posthaste::store {

class IdWalk {
 public:
    struct Rules {
        // Also past what could not be read for other reasons than damage; otherwise that ends the
        // walk, with status().
        bool passes_unreadable = false;
        Log* log = nullptr;  // null: silently
    };

    IdWalk(rocksdb::DB& database, rocksdb::ColumnFamilyHandle* family,
           const rocksdb::ReadOptions& read, const Rules& rules);

    void seek(MessageId first);
    void next();

    bool valid() const { return it_->Valid(); }

    MessageId id() const noexcept { return id_; }

    std::string_view value() const { return {it_->value().data(), it_->value().size()}; }

    // Not valid: ok at the end, otherwise why the walk can not go on.
    rocksdb::Status status() const { return it_->status(); }

    // Something between the place before the last seek() or next() and this one was left out.
    bool passed_damage() const noexcept { return passed_damage_; }

    // On all of the walk so far.
    bool met_damage() const noexcept { return met_damage_; }

 private:
    void settle();
    bool is_passed(const rocksdb::Status& status) const;
    bool is_readable_from(MessageId id);
    MessageId end_of_damage();

    rocksdb::DB& database_;
    rocksdb::ColumnFamilyHandle* const family_;
    const rocksdb::ReadOptions read_;
    const Rules rules_;
    std::unique_ptr<rocksdb::Iterator> it_;
    MessageId id_ = kNoMessage;
    MessageId first_ = kNoMessage;  // nothing before it is still to come
    bool passed_damage_ = false;
    bool met_damage_ = false;
};

}  // namespace posthaste::store
