// The store: chrooted into its database directory, no network, its own user. RocksDB's threads and
// the log's ring exist before seccomp closes the door.
#include <memory>
#include <string>
#include <unistd.h>

#include "runtime/service_main.h"

#include "store/queue_store.h"
#include "store/store_service.h"

namespace {

constexpr char kDirectory[] =
    "/.";  // after chroot; the log's files want a directory before the last slash

std::unique_ptr<posthaste::Service> make(posthaste::World& world, std::string& why_not) {
    using namespace posthaste::store;
    QueueStoreOptions options;
    options.log_io = world.settings.text("store_log_io") == "posix" ? LogIo::posix : LogIo::uring;
    options.memtable_bytes =
        static_cast<uint64_t>(world.settings.integer("store_write_buffer_size"));
    options.blob_bytes_min = static_cast<uint64_t>(world.settings.integer("store_blob_size_min"));
    auto store = QueueStore::open(kDirectory, options, world.log);
    if (!store) {
        why_not = "queue database: " + store.error().text();
        return nullptr;
    }
    StoreService::Parts parts;
    parts.store = std::move(*store);
    parts.free_bytes = ask_file_system(kDirectory);
    // RocksDB does not outlive a failed write in order: leave without its destructors; master
    // starts us anew.
    parts.on_failed = [] { ::_exit(1); };
    return std::make_unique<StoreService>(world, std::move(parts));
}

}  // namespace

int main() {
    return posthaste::run_service(posthaste::Role::store, {.prepare = nullptr, .make = make});
}
