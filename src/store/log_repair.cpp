#include "store/log_repair.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <unistd.h>
#include <vector>

#include "base/strings.h"

#include "store/crc32c.h"

namespace posthaste::store {

namespace {

constexpr size_t kBlockBytes = 32 * 1024;
constexpr size_t kHeaderBytes = 7;
constexpr size_t kSectorBytes = 512;
constexpr size_t kReadBytes = 1 << 20;
constexpr uint64_t kSavedLogsMax = 1000;

enum RecordType : uint8_t { kUnwritten = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

bool all_zero(std::string_view bytes) noexcept {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

// Does a sector that was never written lie (partly) within [begin, end)? The first one may hold
// what was there before.
bool has_unwritten_sector(std::string_view log, size_t begin, size_t end) noexcept {
    if (end > log.size()) return true;  // the file was not even extended
    for (size_t at = begin; at < end; at = (at / kSectorBytes + 1) * kSectorBytes) {
        if (all_zero(log.substr(at, kSectorBytes - at % kSectorBytes))) return true;
    }
    return false;
}

struct PhysicalRecord {
    RecordType type = kUnwritten;
    uint16_t length = 0;
    size_t end = 0;        // as its header says
    bool written = false;  // a part of its header, at least
    bool valid = false;
};

PhysicalRecord read_record(std::string_view log, size_t at) noexcept {
    PhysicalRecord record;
    record.end = at + kHeaderBytes;
    if (at > log.size()) return record;
    const std::string_view header = log.substr(at, kHeaderBytes);
    record.written = !all_zero(header);
    if (record.end > log.size() || !record.written) return record;
    uint32_t stored_crc = 0;
    std::memcpy(&stored_crc, header.data(), sizeof(stored_crc));
    std::memcpy(&record.length, header.data() + 4, sizeof(record.length));
    record.type = static_cast<RecordType>(header[6]);
    record.end += record.length;
    const bool within_block = at % kBlockBytes + kHeaderBytes + record.length <= kBlockBytes;
    if (record.type < kFull || record.type > kLast || !within_block || record.end > log.size()) {
        return record;
    }
    const uint32_t crc = crc32c(0, log.data() + at + 6, size_t{record.length} + 1);
    record.valid = masked_crc32c(crc) == stored_crc;
    return record;
}

// Would another byte in its length or type make it whole? Then the header has changed since it was
// written. No more is tried, lest one of so many sums fits by chance.
bool fits_with_another_header(std::string_view log, size_t at,
                              const PhysicalRecord& record) noexcept {
    const size_t block_end = (at / kBlockBytes + 1) * kBlockBytes;
    const std::string_view payload = log.substr(at + kHeaderBytes, block_end - (at + kHeaderBytes));
    uint32_t stored_crc = 0;
    std::memcpy(&stored_crc, log.data() + at, sizeof(stored_crc));
    for (const char type : {kFull, kFirst, kMiddle, kLast}) {
        const bool same_type = type == record.type;
        uint32_t crc = crc32c(0, &type, 1);
        for (size_t length = 0;; ++length) {
            const size_t changed = length ^ record.length;
            const bool one_byte = changed < 0x100 || (changed & 0xff) == 0;
            if ((same_type ? one_byte : changed == 0) && masked_crc32c(crc) == stored_crc)
                return true;
            if (length == payload.size()) break;
            crc = crc32c(crc, payload.data() + length, 1);
        }
    }
    return false;
}

// Of a record that is not valid: was it once?
bool was_whole(std::string_view log, size_t at, const PhysicalRecord& record) noexcept {
    if (!record.written || at + kHeaderBytes > log.size()) return false;
    return !has_unwritten_sector(log, at, record.end) || fits_with_another_header(log, at, record);
}

bool is_log_name(const std::string& name) noexcept {
    return name.size() > 4 && name.ends_with(".log") &&
           std::all_of(name.begin(), name.end() - 4, [](char c) { return is_digit(c); });
}

Result<std::vector<std::string>> log_names(rocksdb::FileSystem& file_system,
                                           const std::string& directory) {
    std::vector<std::string> names;
    const auto status = file_system.GetChildren(directory, {}, &names, nullptr);
    if (!status.ok()) return Error{Errc::os, 0, "list queue directory"};
    std::erase_if(names, [](const std::string& name) { return !is_log_name(name); });
    // RocksDB pads to six digits; longer numbers are later.
    std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
        return a.size() != b.size() ? a.size() < b.size() : a < b;
    });
    return names;
}

// In large pieces: a log was written past the page cache, zeros and all, so this waits for the
// disk, and the house for us. RocksDB's own ReadFileToString() takes 8 KiB at a time.
Result<std::string> read_whole(rocksdb::FileSystem& file_system, const std::string& path) {
    const Error failed{Errc::os, 0, "read queue log"};
    uint64_t size_bytes = 0;
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    if (!file_system.GetFileSize(path, {}, &size_bytes, nullptr).ok() ||
        !file_system.NewSequentialFile(path, {}, &file, nullptr).ok())
        return failed;
    std::string bytes(size_bytes, '\0');
    size_t done = 0;
    while (done < bytes.size()) {
        rocksdb::Slice piece;
        char* const place = bytes.data() + done;
        const size_t wanted = std::min(kReadBytes, bytes.size() - done);
        if (!file->Read(wanted, {}, &piece, place, nullptr).ok()) return failed;
        if (piece.empty()) break;
        if (piece.data() != place) std::memcpy(place, piece.data(), piece.size());
        done += piece.size();
    }
    bytes.resize(done);
    return bytes;
}

}  // namespace

LogEnd find_log_end(std::string_view log) noexcept {
    LogEnd end;
    bool bad = false;
    bool in_batch = false;
    for (size_t block = 0; block < log.size(); block += kBlockBytes) {
        const size_t block_end = block + kBlockBytes;
        size_t at = block;
        while (at + kHeaderBytes <= block_end && at < log.size()) {
            const PhysicalRecord record = read_record(log, at);
            if (!record.valid) {
                if (!bad && was_whole(log, at, record)) {
                    end.damaged = true;
                    return end;
                }
                end.torn |= in_batch || record.written;
                bad = true;
                // Behind a record of a torn batch nothing begins; the rest of a block that is
                // really damaged can be followed only if the length still holds.
                if (record.end >= block_end || !read_record(log, record.end).valid) break;
                at = record.end;
                continue;
            }
            const bool begins = record.type == kFull || record.type == kFirst;
            if (bad && begins) {
                end.damaged = true;
                return end;
            }
            if (!bad && begins == in_batch) {  // a first within a batch, or a rest without one
                end.damaged = true;
                return end;
            }
            end.torn |= bad;
            at = record.end;
            if (bad) continue;
            in_batch = record.type == kFirst || record.type == kMiddle;
            if (!in_batch) end.good_bytes = at;
        }
    }
    end.torn |= in_batch;
    return end;
}

Result<bool> repair_logs(rocksdb::FileSystem& file_system, const std::string& directory, Log& log) {
    if (!file_system.FileExists(directory + "/CURRENT", {}, nullptr).ok()) return false;
    ASSIGN_OR_RETURN(const auto names, log_names(file_system, directory));
    bool damaged = false;
    std::string torn_before;
    for (const std::string& name : names) {
        const std::string path = directory + "/" + name;
        ASSIGN_OR_RETURN(const std::string bytes, read_whole(file_system, path));
        const LogEnd end = find_log_end(bytes);
        if (end.good_bytes > 0 && !torn_before.empty()) {
            log.error("queue log " + torn_before + " is torn, yet a later one was written");
            damaged = true;
        }
        if (end.damaged) {
            log.error("queue log " + name + " is damaged after byte " +
                      std::to_string(end.good_bytes));
            damaged = true;
            continue;
        }
        if (end.torn) {
            log.info("queue log " + name +
                     ": a batch that was never acknowledged is cut off at byte " +
                     std::to_string(end.good_bytes));
            torn_before = name;
        }
        if (end.good_bytes == bytes.size()) continue;
        // RocksDB's own file system knows no truncate.
        const auto status = file_system.Truncate(path, end.good_bytes, {}, nullptr);
        if (status.IsNotSupported()) {
            if (::truncate(path.c_str(), static_cast<off_t>(end.good_bytes)) != 0) {
                return os_error("cut queue log");
            }
        } else if (!status.ok()) {
            return Error{Errc::os, 0, "cut queue log"};
        }
    }
    return damaged;
}

// Without CURRENT RocksDB begins a new queue and deletes what it does not know.
static Result<void> check_is_new(rocksdb::FileSystem& file_system, const std::string& directory,
                                 Log& log) {
    std::vector<std::string> names;
    if (!file_system.GetChildren(directory, {}, &names, nullptr).ok()) return {};
    for (const std::string& name : names) {
        if (!name.ends_with(".sst") && !name.ends_with(".blob") && !is_log_name(name)) continue;
        log.error("open queue: CURRENT is missing, though " + name + " is there");
        return Error{Errc::corrupt, 0, "open queue"};
    }
    return {};
}

Result<void> check_manifest(rocksdb::FileSystem& file_system, const std::string& directory,
                            Log& log) {
    if (!file_system.FileExists(directory + "/CURRENT", {}, nullptr).ok())
        return check_is_new(file_system, directory, log);
    ASSIGN_OR_RETURN(std::string name, read_whole(file_system, directory + "/CURRENT"));
    while (!name.empty() && name.back() == '\n') name.pop_back();
    const std::string path = directory + "/" + name;
    // RocksDB says better what is wrong with CURRENT.
    if (!name.starts_with("MANIFEST-") || !file_system.FileExists(path, {}, nullptr).ok())
        return {};
    ASSIGN_OR_RETURN(const std::string bytes, read_whole(file_system, path));
    const LogEnd end = find_log_end(bytes);
    if (!end.damaged) return {};
    log.error("open queue: " + name + " is damaged after byte " + std::to_string(end.good_bytes));
    return Error{Errc::corrupt, 0, "open queue"};
}

bool may_concern_log(std::string_view error) noexcept {
    constexpr std::string_view kOthers[] = {"MANIFEST", "CURRENT", ".sst", ".ldb", ".blob"};
    return std::none_of(std::begin(kOthers), std::end(kOthers), [error](std::string_view name) {
        return error.find(name) != std::string_view::npos;
    });
}

Result<std::string> save_logs_aside(rocksdb::FileSystem& file_system,
                                    const std::string& directory) {
    ASSIGN_OR_RETURN(const auto names, log_names(file_system, directory));
    std::string saved;
    uint64_t number = 1;
    for (; number <= kSavedLogsMax; ++number) {
        saved = directory + "/saved-log-" + std::to_string(number);
        if (file_system.FileExists(saved, {}, nullptr).IsNotFound()) break;
    }
    if (number > kSavedLogsMax || !file_system.CreateDir(saved, {}, nullptr).ok()) {
        return Error{Errc::os, 0, "make directory for damaged log"};
    }
    for (const std::string& name : names) {
        ASSIGN_OR_RETURN(const std::string bytes, read_whole(file_system, directory + "/" + name));
        const auto status =
            rocksdb::WriteStringToFile(&file_system, bytes, saved + "/" + name, true);
        if (!status.ok()) return Error{Errc::no_space, 0, "save damaged log"};
    }
    return saved;
}

}  // namespace posthaste::store
