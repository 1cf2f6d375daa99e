#include "store/table_check.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace posthaste::store {

namespace {

// RocksDB's block-based tables, format versions 1 to 5: the footer is {checksum type, handle of the
// metaindex, handle of the index, padding, version, magic}; a handle is {varint offset, varint
// size}. The last word of a block counts its restart points, and its highest bit says that a hash
// index lies before it.
constexpr uint64_t kFooterBytes = 53;
constexpr uint64_t kMagic = 0x88e2'41b7'85f4'cff7;
constexpr uint64_t kMetaindexBytesMax = 64 * 1024;
constexpr std::string_view kProperties = "rocksdb.properties";

struct Handle {
    uint64_t offset = 0;
    uint64_t size = 0;
};

std::optional<uint64_t> take_varint(std::string_view& bytes) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        value |= uint64_t{byte & 0x7fU} << shift;
        if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
}

std::optional<Handle> take_handle(std::string_view& bytes) {
    const auto offset = take_varint(bytes);
    const auto size = offset ? take_varint(bytes) : std::nullopt;
    if (!size) return std::nullopt;
    return Handle{*offset, *size};
}

// Of the properties, by the metaindex: entries {shared, own, value sizes, own part of the key,
// value}; keys share nothing in it.
std::optional<Handle> find_properties(std::string_view metaindex) {
    while (!metaindex.empty()) {
        const auto shared = take_varint(metaindex);
        const auto key = shared ? take_varint(metaindex) : std::nullopt;
        const auto value = key ? take_varint(metaindex) : std::nullopt;
        if (!value || *shared != 0 || *key > metaindex.size() || *value > metaindex.size() - *key)
            return std::nullopt;
        std::string_view handle = metaindex.substr(*key, *value);
        if (metaindex.substr(0, *key) == kProperties) return take_handle(handle);
        metaindex.remove_prefix(*key + *value);
    }
    return std::nullopt;
}

class Table {
 public:
    Table(rocksdb::FileSystem& file_system, const std::string& path) {
        if (!file_system.GetFileSize(path, {}, &size_, nullptr).ok() ||
            !file_system.NewRandomAccessFile(path, {}, &file_, nullptr).ok())
            file_.reset();
    }

    bool has_hashed_properties() const {
        std::string_view footer = read(size_ - std::min(size_, kFooterBytes), kFooterBytes);
        if (footer.size() != kFooterBytes) return false;
        uint64_t magic = 0;
        std::memcpy(&magic, footer.data() + kFooterBytes - sizeof magic, sizeof magic);
        footer.remove_prefix(1);
        const auto metaindex = take_handle(footer);
        if (magic != kMagic || !metaindex || metaindex->size > kMetaindexBytesMax) return false;
        const auto properties = find_properties(read(metaindex->offset, metaindex->size));
        if (!properties || properties->size < sizeof(uint32_t) || properties->offset > size_ ||
            properties->size > size_ - properties->offset)
            return false;
        const auto last = read(properties->offset + properties->size - 1, 1);
        return last.size() == 1 && (static_cast<unsigned char>(last[0]) & 0x80) != 0;
    }

 private:
    // Valid until the next one; empty when there is not so much.
    std::string_view read(uint64_t offset, uint64_t size) const {
        if (!file_) return {};
        scratch_.resize(size);
        rocksdb::Slice out;
        const auto status = file_->Read(offset, size, {}, &out, scratch_.data(), nullptr);
        if (!status.ok() || out.size() != size) return {};
        return {out.data(), out.size()};
    }

    std::unique_ptr<rocksdb::FSRandomAccessFile> file_;
    uint64_t size_ = 0;
    mutable std::string scratch_;
};

}  // namespace

Result<void> check_tables(rocksdb::FileSystem& file_system, const std::string& directory,
                          Log& log) {
    std::vector<std::string> names;
    if (!file_system.GetChildren(directory, {}, &names, nullptr).ok()) return {};
    bool sound = true;
    for (const std::string& name : names) {
        if (!name.ends_with(".sst") ||
            !Table(file_system, directory + "/" + name).has_hashed_properties())
            continue;
        log.error("open queue: " + name +
                  " is damaged where it describes itself: put back a sound copy of this file");
        sound = false;
    }
    if (!sound) return Error{Errc::corrupt, 0, "open queue"};
    return {};
}

}  // namespace posthaste::store
