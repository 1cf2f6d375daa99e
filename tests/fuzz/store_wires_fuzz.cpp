// The store between a foreign cleanup and a foreign qmgr, with a disk in memory: steps {who, what
// it says}. Whatever they say, in whatever order they come and go: what the store says is sound,
// what lies in the queue can be read, and a power cut takes nothing of it away.
#include <set>

#include "store/store_service.h"

#include "tests/fuzz/foreign_peer.h"
#include "tests/support/sim_disk.h"

using namespace posthaste;

namespace {

fuzz::ForeignPeer make_cleanup(uint32_t incarnation) {
    return {Role::cleanup,
            incarnation,
            {fuzz::say_record<wire::CommitRequest>, fuzz::say_record<wire::CommitRequest>,
             fuzz::say_record<wire::LeaseRequest>},
            fuzz::hear_records<wire::CommitResult, wire::LeaseGrant>};
}

fuzz::ForeignPeer make_qmgr(uint32_t incarnation) {
    return {Role::qmgr,
            incarnation,
            {fuzz::say_record<wire::ScanRequest>, fuzz::say_record<wire::LoadMessage>,
             fuzz::say_record<wire::ReleaseContent>, fuzz::say_record<wire::RecordOutcome>,
             fuzz::say_record<wire::RecordOutcome>, fuzz::say_record<wire::HeldContent>},
            fuzz::hear_records<wire::QueuedMessage, wire::MessageGone, wire::ScanPage,
                               wire::AnnounceGap, wire::OutcomeRecorded>};
}

std::unique_ptr<store::QueueStore> open(SimDisk& disk, Log& log) {
    store::QueueStoreOptions options;
    options.file_system = disk.file_system();
    options.memtable_bytes = 1 << 20;
    auto opened = store::QueueStore::open("db", options, log);
    ASSERT(opened);
    return std::move(*opened);
}

// Every id in the queue; all of it can be read.
std::set<MessageId> ids_of(store::QueueStore& queue) {
    std::vector<MessageId> ids;
    ASSERT(queue.list_ids(kNoMessage, 10'000, ids));
    for (const MessageId id : ids) {
        const auto stored = queue.load(id);
        ASSERT(stored && decode_envelope(stored->envelope)->id == id);
        ASSERT(stored->state.empty() || decode_queue_state(stored->state));
        ASSERT(queue.load_content(id));
    }
    return {ids.begin(), ids.end()};
}

enum class Ending : uint8_t { clean, power_cut };

// What is in the queue afterwards.
std::set<MessageId> play(std::string_view input, Ending ending) {
    static const Settings kSettings = Settings::initial();
    static CounterPage page;
    fuzz::StillLoop loop;
    fuzz::CheckingLog log;
    SimDisk disk;
    Arena arena = Arena::create_private(1, 16 * kBlockBytes);
    World world{loop, log, page, kSettings, &arena, 0, 1, "store"};
    {
        store::StoreService::Parts parts;
        parts.store = open(disk, log);
        parts.free_bytes = [] { return std::optional<uint64_t>(uint64_t{1} << 40); };
        parts.on_failed = [] { ASSERT(false); };
        store::StoreService service(world, std::move(parts));
        {
            fuzz::Scene scene(loop, service, {make_cleanup, make_cleanup, make_qmgr});
            scene.play(input);
        }
        if (ending == Ending::power_cut) disk.freeze();
    }
    if (ending == Ending::power_cut) {
        disk.thaw();
        disk.power_cut();
    }
    return ids_of(*open(disk, log));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view input = fuzz::text_of(data, size);
    // All outcomes had the time to be written.
    ASSERT(play(input, Ending::clean) == play(input, Ending::power_cut));
    return 0;
}
