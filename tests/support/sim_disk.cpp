#include "support/sim_disk.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <rocksdb/file_system.h>
#include <set>
#include <utility>

#include "base/assert.h"

#include "runtime/random.h"

namespace posthaste {

namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

constexpr size_t kSectorBytes = 512;

struct Inode {
    std::string bytes;
    size_t synced_bytes = 0;
};

// "a//b/./c/" → "a/b/c"
std::string normal(const std::string& path) {
    std::string out;
    size_t at = 0;
    while (at < path.size()) {
        const size_t end = std::min(path.find('/', at), path.size());
        const std::string part = path.substr(at, end - at);
        if (!part.empty() && part != ".") out += (out.empty() ? "" : "/") + part;
        at = end + 1;
    }
    return out;
}

}  // namespace

struct SimDisk::State {
    mutable std::mutex mutex;
    std::map<std::string, std::shared_ptr<Inode>> files;
    std::set<std::string> directories;
    std::set<std::string> locked;
    uint64_t epoch = 0;
    uint64_t syncs = 0;
    Fault fault = Fault::none;
    uint64_t calls_before_fault = 0;
    std::string fault_suffix;
    Fault read_fault = Fault::none;
    std::string read_fault_suffix;
    std::function<void(const std::string&)> on_sync;
    std::function<void()> on_write;

    struct Image {
        std::map<std::string, Inode> files;
        std::set<std::string> directories;
    };

    std::optional<Image> frozen;

    void tell_of_write() {
        std::function<void()> told;
        {
            const std::lock_guard lock(mutex);
            told = on_write;
        }
        if (told) told();
    }

    // With the mutex held.
    IOStatus check_fault(const std::string& path) {
        if (fault == Fault::none || frozen || !path.ends_with(fault_suffix)) return IOStatus::OK();
        if (calls_before_fault > 0) {
            --calls_before_fault;
            return IOStatus::OK();
        }
        return status_of(fault);
    }

    IOStatus check_read_fault(const std::string& path) const {
        if (read_fault == Fault::none || !path.ends_with(read_fault_suffix)) return IOStatus::OK();
        return status_of(read_fault);
    }

    static IOStatus status_of(Fault fault) {
        return fault == Fault::no_space ? IOStatus::NoSpace("simulated: no space left on device")
                                        : IOStatus::IOError("simulated: input/output error");
    }
};

namespace {

using State = SimDisk::State;

IOStatus powered_off() { return IOStatus::IOError("simulated: the power was cut"); }

// What every open thing shares: the disk, and the life of the machine it was opened in.
struct Handle {
    std::shared_ptr<State> state;
    uint64_t epoch;
    std::string path;
    std::shared_ptr<Inode> inode;

    // RocksDB's own notes can always be written, in any life: Debian's build asserts it.
    bool is_notes() const { return path.ends_with("/LOG"); }

    bool dead() const { return state->epoch != epoch && !is_notes(); }

    IOStatus check_fault() const { return is_notes() ? IOStatus::OK() : state->check_fault(path); }
};

class SimSequentialFile final : public rocksdb::FSSequentialFile {
 public:
    explicit SimSequentialFile(Handle handle) : handle_(std::move(handle)) {}

    IOStatus Read(size_t count, const IOOptions&, rocksdb::Slice* result, char* scratch,
                  IODebugContext*) override {
        const std::lock_guard lock(handle_.state->mutex);
        if (handle_.dead()) return powered_off();
        const std::string& bytes = handle_.inode->bytes;
        const size_t start = std::min(position_, bytes.size());
        const size_t size = bytes.copy(scratch, count, start);
        position_ = start + size;
        *result = rocksdb::Slice(scratch, size);
        return IOStatus::OK();
    }

    IOStatus Skip(uint64_t count) override {
        position_ += count;
        return IOStatus::OK();
    }

 private:
    Handle handle_;
    size_t position_ = 0;
};

class SimRandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
    explicit SimRandomAccessFile(Handle handle) : handle_(std::move(handle)) {}

    IOStatus Read(uint64_t offset, size_t count, const IOOptions&, rocksdb::Slice* result,
                  char* scratch, IODebugContext*) const override {
        const std::lock_guard lock(handle_.state->mutex);
        if (handle_.dead()) return powered_off();
        const IOStatus status = handle_.state->check_read_fault(handle_.path);
        if (!status.ok()) return status;
        const std::string& bytes = handle_.inode->bytes;
        const size_t size = bytes.copy(scratch, count, std::min<size_t>(offset, bytes.size()));
        *result = rocksdb::Slice(scratch, size);
        return IOStatus::OK();
    }

 private:
    Handle handle_;
};

class SimWritableFile final : public rocksdb::FSWritableFile {
 public:
    explicit SimWritableFile(Handle handle) : handle_(std::move(handle)) {}

    IOStatus Append(const rocksdb::Slice& data, const IOOptions&, IODebugContext*) override {
        handle_.state->tell_of_write();
        const std::lock_guard lock(handle_.state->mutex);
        if (handle_.dead()) return powered_off();
        const IOStatus status = handle_.check_fault();
        if (status.ok()) handle_.inode->bytes.append(data.data(), data.size());
        return status;
    }

    IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                    const rocksdb::DataVerificationInfo&, IODebugContext* debug) override {
        return Append(data, options, debug);
    }

    IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
        const std::lock_guard lock(handle_.state->mutex);
        if (handle_.dead()) return powered_off();
        handle_.inode->bytes.resize(size);
        handle_.inode->synced_bytes = std::min<size_t>(handle_.inode->synced_bytes, size);
        return IOStatus::OK();
    }

    IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

    IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

    IOStatus Sync(const IOOptions&, IODebugContext*) override {
        std::function<void(const std::string&)> on_sync;
        handle_.state->tell_of_write();
        {
            const std::lock_guard lock(handle_.state->mutex);
            if (handle_.dead()) return powered_off();
            const IOStatus status = handle_.check_fault();
            if (!status.ok()) return status;
            handle_.inode->synced_bytes = handle_.inode->bytes.size();
            ++handle_.state->syncs;
            on_sync = handle_.state->on_sync;
        }
        if (on_sync) on_sync(handle_.path);
        return IOStatus::OK();
    }

    uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
        const std::lock_guard lock(handle_.state->mutex);
        return handle_.inode->bytes.size();
    }

 private:
    Handle handle_;
};

class SimDirectory final : public rocksdb::FSDirectory {
 public:
    IOStatus Fsync(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

    IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
};

class SimLock final : public rocksdb::FileLock {
 public:
    explicit SimLock(std::string path) : path_(std::move(path)) {}

    const std::string path_;
};

class SimFileSystem final : public rocksdb::FileSystem {
 public:
    SimFileSystem(std::shared_ptr<State> state, uint64_t epoch)
        : state_(std::move(state)), epoch_(epoch) {}

    const char* Name() const override { return "SimFileSystem"; }

    IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions&,
                               std::unique_ptr<rocksdb::FSSequentialFile>* result,
                               IODebugContext*) override {
        return open<SimSequentialFile>(path, result);
    }

    IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions&,
                                 std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                 IODebugContext*) override {
        return open<SimRandomAccessFile>(path, result);
    }

    IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>* result,
                             IODebugContext*) override {
        {
            const std::lock_guard lock(state_->mutex);
            if (dead()) return powered_off();
            state_->files[normal(path)] = std::make_shared<Inode>();
        }
        return open<SimWritableFile>(path, result);
    }

    IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions&,
                                std::unique_ptr<rocksdb::FSWritableFile>* result,
                                IODebugContext*) override {
        return open<SimWritableFile>(path, result);
    }

    IOStatus NewDirectory(const std::string&, const IOOptions&,
                          std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
        *result = std::make_unique<SimDirectory>();
        return IOStatus::OK();
    }

    IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
        const std::lock_guard lock(state_->mutex);
        if (dead()) return powered_off();
        const bool there =
            state_->files.contains(normal(path)) || state_->directories.contains(normal(path));
        return there ? IOStatus::OK() : IOStatus::NotFound();
    }

    IOStatus GetChildren(const std::string& directory, const IOOptions&,
                         std::vector<std::string>* result, IODebugContext*) override {
        const std::lock_guard lock(state_->mutex);
        if (dead()) return powered_off();
        result->clear();
        const std::string prefix = normal(directory) + "/";
        const auto add = [&](const std::string& path) {
            if (path.starts_with(prefix) && path.find('/', prefix.size()) == std::string::npos) {
                result->push_back(path.substr(prefix.size()));
            }
        };
        for (const auto& [path, inode] : state_->files) add(path);
        for (const auto& path : state_->directories) add(path);
        return IOStatus::OK();
    }

    IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
        const std::lock_guard lock(state_->mutex);
        if (dead()) return powered_off();
        return state_->files.erase(normal(path)) > 0 ? IOStatus::OK() : IOStatus::NotFound();
    }

    IOStatus Truncate(const std::string& path, size_t size, const IOOptions&,
                      IODebugContext*) override {
        const std::lock_guard lock(state_->mutex);
        if (dead()) return powered_off();
        const auto it = state_->files.find(normal(path));
        if (it == state_->files.end()) return IOStatus::NotFound();
        it->second->bytes.resize(size);
        it->second->synced_bytes = std::min(it->second->synced_bytes, size);
        return IOStatus::OK();
    }

    IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
        const std::lock_guard lock(state_->mutex);
        if (dead()) return powered_off();
        return state_->directories.insert(normal(path)).second ? IOStatus::OK()
                                                               : IOStatus::IOError("exists");
    }

    IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&,
                                IODebugContext*) override {
        const std::lock_guard lock(state_->mutex);
        if (dead()) return powered_off();
        state_->directories.insert(normal(path));
        return IOStatus::OK();
    }

    IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
        const std::lock_guard lock(state_->mutex);
        if (dead()) return powered_off();
        return state_->directories.erase(normal(path)) > 0 ? IOStatus::OK() : IOStatus::NotFound();
    }

    IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* size,
                         IODebugContext*) override {
        const std::lock_guard lock(state_->mutex);
        if (dead()) return powered_off();
        const auto it = state_->files.find(normal(path));
        if (it == state_->files.end()) return IOStatus::NotFound();
        *size = it->second->bytes.size();
        return IOStatus::OK();
    }

    IOStatus GetFileModificationTime(const std::string&, const IOOptions&, uint64_t* time,
                                     IODebugContext*) override {
        *time = 0;
        return IOStatus::OK();
    }

    IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                        IODebugContext*) override {
        const std::lock_guard lock(state_->mutex);
        if (dead()) return powered_off();
        auto node = state_->files.extract(normal(from));
        if (node.empty()) return IOStatus::NotFound();
        state_->files[normal(to)] = std::move(node.mapped());
        return IOStatus::OK();
    }

    IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock_out,
                      IODebugContext*) override {
        const std::lock_guard lock(state_->mutex);
        if (dead()) return powered_off();
        if (!state_->locked.insert(normal(path)).second) return IOStatus::IOError("locked");
        *lock_out = new SimLock(normal(path));
        return IOStatus::OK();
    }

    IOStatus UnlockFile(rocksdb::FileLock* file_lock, const IOOptions&, IODebugContext*) override {
        const std::unique_ptr<SimLock> owned(static_cast<SimLock*>(file_lock));
        const std::lock_guard lock(state_->mutex);
        // A later life of the machine may hold it by now.
        if (!dead()) state_->locked.erase(owned->path_);
        return IOStatus::OK();
    }

    IOStatus GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) override {
        *path = "test";
        return IOStatus::OK();
    }

    IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* out,
                             IODebugContext*) override {
        *out = "/" + normal(path);
        return IOStatus::OK();
    }

    IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_directory,
                         IODebugContext*) override {
        const std::lock_guard lock(state_->mutex);
        *is_directory = state_->directories.contains(normal(path));
        return IOStatus::OK();
    }

 private:
    bool dead() const { return state_->epoch != epoch_; }

    template <class File, class Base>
    IOStatus open(const std::string& path, std::unique_ptr<Base>* result) {
        const std::lock_guard lock(state_->mutex);
        if (dead()) return powered_off();
        const auto it = state_->files.find(normal(path));
        if (it == state_->files.end()) return IOStatus::PathNotFound(path);
        *result = std::make_unique<File>(Handle{state_, epoch_, normal(path), it->second});
        return IOStatus::OK();
    }

    const std::shared_ptr<State> state_;
    const uint64_t epoch_;
};

}  // namespace

SimDisk::SimDisk() : state_(std::make_shared<State>()) {}

SimDisk::~SimDisk() = default;

std::shared_ptr<rocksdb::FileSystem> SimDisk::file_system() {
    const std::lock_guard lock(state_->mutex);
    return std::make_shared<SimFileSystem>(state_, state_->epoch);
}

void SimDisk::power_cut(const std::function<uint64_t()>* random) {
    const std::lock_guard lock(state_->mutex);
    ++state_->epoch;
    state_->locked.clear();
    // One draw: what RocksDB's own threads have written by now must not change the run.
    const uint64_t seed = random == nullptr ? 0 : (*random)();
    for (auto& [path, inode] : state_->files) {
        const size_t unsynced = inode->bytes.size() - inode->synced_bytes;
        Random of_file(seed ^ std::hash<std::string>{}(path));
        size_t kept = 0;
        if (random != nullptr && unsynced > 0) kept = of_file.below(unsynced + 1);
        inode->bytes.resize(inode->synced_bytes + kept);
        const size_t first_sector = (inode->synced_bytes + kSectorBytes - 1) / kSectorBytes;
        const size_t sectors_end = (inode->bytes.size() + kSectorBytes - 1) / kSectorBytes;
        if (kept > 0 && first_sector < sectors_end && of_file.below(2) == 0) {
            const size_t sector = first_sector + of_file.below(sectors_end - first_sector);
            const size_t start = sector * kSectorBytes;
            const size_t size = std::min(kSectorBytes, inode->bytes.size() - start);
            inode->bytes.replace(start, size, size, '\0');
        }
        inode->synced_bytes = inode->bytes.size();
    }
}

void SimDisk::freeze() {
    const std::lock_guard lock(state_->mutex);
    if (state_->frozen) return;
    State::Image image;
    for (const auto& [path, inode] : state_->files) image.files.emplace(path, *inode);
    image.directories = state_->directories;
    state_->frozen = std::move(image);
}

bool SimDisk::is_frozen() const {
    const std::lock_guard lock(state_->mutex);
    return state_->frozen.has_value();
}

void SimDisk::thaw() {
    const std::lock_guard lock(state_->mutex);
    if (!state_->frozen) return;
    ++state_->epoch;
    state_->locked.clear();
    state_->files.clear();
    for (auto& [path, inode] : state_->frozen->files)
        state_->files.emplace(path, std::make_shared<Inode>(std::move(inode)));
    state_->directories = std::move(state_->frozen->directories);
    state_->frozen.reset();
}

void SimDisk::fail_after(uint64_t calls, Fault fault, std::string_view name_ends_with) {
    const std::lock_guard lock(state_->mutex);
    state_->fault = fault;
    state_->calls_before_fault = calls;
    state_->fault_suffix = name_ends_with;
}

void SimDisk::fail_reads(Fault fault, std::string_view name_ends_with) {
    const std::lock_guard lock(state_->mutex);
    state_->read_fault = fault;
    state_->read_fault_suffix = name_ends_with;
}

void SimDisk::heal() {
    fail_after(0, Fault::none);
    fail_reads(Fault::none, "");
}

void SimDisk::set_on_sync(std::function<void(const std::string& path)> on_sync) {
    const std::lock_guard lock(state_->mutex);
    state_->on_sync = std::move(on_sync);
}

void SimDisk::set_on_write(std::function<void()> on_write) {
    const std::lock_guard lock(state_->mutex);
    state_->on_write = std::move(on_write);
}

uint64_t SimDisk::syncs() const {
    const std::lock_guard lock(state_->mutex);
    return state_->syncs;
}

std::vector<std::string> SimDisk::names_ending(std::string_view suffix) const {
    const std::lock_guard lock(state_->mutex);
    std::vector<std::string> out;
    for (const auto& [path, inode] : state_->files) {
        if (path.ends_with(suffix)) out.push_back(path);
    }
    return out;
}

std::string SimDisk::read(const std::string& path) const {
    const std::lock_guard lock(state_->mutex);
    const auto it = state_->files.find(path);
    ASSERT(it != state_->files.end());
    return it->second->bytes;
}

void SimDisk::overwrite(const std::string& path, uint64_t offset, std::string_view bytes) {
    const std::lock_guard lock(state_->mutex);
    const auto it = state_->files.find(path);
    ASSERT(it != state_->files.end());
    ASSERT(offset + bytes.size() <= it->second->bytes.size());
    it->second->bytes.replace(offset, bytes.size(), bytes);
}

}  // namespace posthaste
