#include "store/queue_database.h"

#include <algorithm>
#include <cstring>

#include "base/deliberate_bug.h"

namespace posthaste::store {

namespace {

constexpr char kFormatKey[] = "format";
constexpr uint32_t kFormatVersion = 1;

}  // namespace

Error error_of(const rocksdb::Status& status, const char* where) noexcept {
    if (status.IsNotFound()) return {Errc::not_found, 0, where};
    if (status.IsCorruption()) return {Errc::corrupt, 0, where};
    if (status.IsNoSpace()) return {Errc::no_space, 0, where};
    return {Errc::os, 0, where};
}

Result<void> QueueStore::Database::write(rocksdb::WriteBatch& what, const char* where) {
    if (failed || listener->failed()) return Error{Errc::os, 0, where};
    rocksdb::WriteOptions options;
    options.sync = !has_bug(DeliberateBug::ack_before_sync);
    const auto status = db->Write(options, &what);
    what.Clear();
    if (status.ok()) return {};
    failed = true;
    log->error(std::string(where) + ": " + status.ToString());
    return error_of(status, where);
}

Result<void> QueueStore::Database::read_meta() {
    rocksdb::PinnableSlice value;
    auto status = get(kMeta, kFormatKey, value);
    uint32_t version = kFormatVersion;
    if (status.ok() && value.size() == sizeof(version)) {
        std::memcpy(&version, value.data(), sizeof(version));
        if (version > kFormatVersion) {
            log->error("the queue was written by a newer version: format " +
                       std::to_string(version));
            return Error{Errc::unsupported, 0, "queue format"};
        }
    } else if (status.IsNotFound()) {
        rocksdb::WriteBatch first;
        status = first.Put(families[kMeta], kFormatKey,
                           {reinterpret_cast<const char*>(&version), sizeof(version)});
        ASSERT(status.ok());
        RETURN_IF_ERROR(write(first, "queue format"));
    } else {
        return Error{Errc::corrupt, 0, "queue format"};
    }
    status = get(kMeta, kMarkKey, value);
    if (status.IsNotFound()) return {};
    if (!status.ok()) return error_of(status, "id mark");
    const auto mark = unseal(kNoMessage, view(value));
    if (!mark || mark->size() != sizeof(id_mark)) return Error{Errc::corrupt, 0, "id mark"};
    std::memcpy(&id_mark, mark->data(), sizeof(id_mark));
    return {};
}

// A damaged log may have lost the newest mark and kept later messages. Recovery has put all it
// found into tables, and the files' own ranges need no reading; removed ids in them do no harm.
void QueueStore::Database::raise_id_mark() {
    const MessageId stored = id_mark;
    std::vector<rocksdb::LiveFileMetaData> files;
    db->GetLiveFilesMetaData(&files);
    for (const rocksdb::LiveFileMetaData& file : files) {
        if (file.column_family_name == kFamilyNames[kMeta]) continue;
        const MessageId largest = id_of_key(file.largestkey).value_or(kNoMessage);
        if (largest <= kMessageIdMax) id_mark = std::max(id_mark, largest + 1);
    }
    if (id_mark == stored) return;
    log->warning("the queue holds ids up to " + queue_id_text(id_mark - 1) +
                 ", beyond the mark in its log: new ones begin behind them");
}

}  // namespace posthaste::store
