// tests/support/sim_disk.h: a disk in memory under RocksDB: loses what was not synced when the
// power is cut, tears the last write, fails when told.
//
//   SimDisk disk;
//   QueueStoreOptions options;
//   options.file_system = disk.file_system();
//   … open, write, commit …
//   disk.power_cut(&random);                    // whoever has it open gets errors from now on
//   options.file_system = disk.file_system();   // the machine is up again
//
// Names of files are durable at once; their bytes when synced. Used from RocksDB's threads too,
// hence locked inside; what it does depends on the calls alone, never on time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb {
class FileSystem;
}

namespace posthaste {

class SimDisk {
 public:
    enum class Fault : uint8_t { none, io_error, no_space };

    SimDisk();
    ~SimDisk();
    SimDisk(const SimDisk&) = delete;
    SimDisk& operator=(const SimDisk&) = delete;

    // As the running machine sees it; dead after the next power cut.
    std::shared_ptr<rocksdb::FileSystem> file_system();

    // Unsynced bytes are gone. `random` given: of each file a random part of them had reached the
    // disk all the same, perhaps without one sector in its midst, which reads as zeros.
    void power_cut(const std::function<uint64_t()>* random = nullptr);

    // The last breath of a process that is dead already: from freeze() on nothing that is written
    // reaches the disk, and no fault is met; thaw() shows the disk as it was then to whoever opens
    // it next. Until then the one who has it open sees its own writes.
    void freeze();
    void thaw();
    bool is_frozen() const;

    // After `calls` more appends and syncs of files whose name ends so (".log", ".sst", "" = all),
    // each one fails.
    void fail_after(uint64_t calls, Fault fault, std::string_view name_ends_with = {});
    // Each read of such files fails from now on, without damage to them.
    void fail_reads(Fault fault, std::string_view name_ends_with);
    void heal();
    // Called behind each sync, for a simulation that lets time pass, and before each append, sync
    // and truncation. On whatever thread RocksDB does it.
    void set_on_sync(std::function<void(const std::string& path)> on_sync);
    void set_on_write(std::function<void()> on_write);

    uint64_t syncs() const;
    // For tests that look or damage.
    std::vector<std::string> names_ending(std::string_view suffix) const;
    std::string read(const std::string& path) const;
    void overwrite(const std::string& path, uint64_t offset, std::string_view bytes);

    struct State;

 private:
    std::shared_ptr<State> state_;
};

}  // namespace posthaste
