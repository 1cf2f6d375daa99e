#include "simulation/relay/make_service.h"

#include <map>
#include <utility>

#include "base/assert.h"

#include "lookup/table.h"
#include "store/queue_store.h"
#include "store/store_service.h"

#include "cleanup/cleanup/cleanup_service.h"
#include "cleanup/rewrite/rewrite_service.h"
#include "egress/smtp/smtp_service.h"
#include "ingress/smtpd/smtpd_service.h"
#include "scheduler/qmgr_service.h"

#ifdef __SANITIZE_ADDRESS__
// RocksDB 7.8 forgets the argument of a flush that it has scheduled when the opening then fails, as
// it does on a disk that is made to. 24 bytes each, and the process would end.
extern "C" const char* __lsan_default_suppressions();

extern "C" const char* __lsan_default_suppressions() {
    return "leak:rocksdb::DBImpl::MaybeScheduleFlushOrCompaction\n";
}
#endif

namespace posthaste::simulation {

namespace {

// The simulated relay knows its destinations from transport_maps; nothing is asked of the DNS but
// names of clients.
class NoResolver final : public rewrite::Resolver {
 public:
    explicit NoResolver(Loop& loop)
        : answer_(timer_calls<&NoResolver::on_answer, NoResolver>(), this), loop_(loop) {}

    uint64_t mx(const std::string&, std::function<void(rewrite::MxAnswer)> done) override {
        return later([done = std::move(done)] {
            done({rewrite::DnsStatus::no_such_name, 60, {}, 0});
        });
    }

    uint64_t addresses(const std::string&, bool,
                       std::function<void(rewrite::AddressAnswer)> done) override {
        return later([done = std::move(done)] {
            done({rewrite::DnsStatus::no_such_name, 60, {}});
        });
    }

    uint64_t names(const IpAddress&, std::function<void(rewrite::NameAnswer)> done) override {
        return later([done = std::move(done)] {
            done({rewrite::DnsStatus::no_such_name, 60, {}});
        });
    }

    void forget(uint64_t question) override { answers_.erase(question); }

 private:
    uint64_t later(std::function<void()> answer) {
        answers_.emplace(++last_, std::move(answer));
        if (!answer_.is_set()) loop_.timers().set(answer_, loop_.now_us() + kMsUs);
        return last_;
    }

    void on_answer() {
        const uint64_t last = last_;
        while (!answers_.empty() && answers_.begin()->first <= last) {
            const auto node = answers_.extract(answers_.begin());
            node.mapped()();
        }
    }

    Timer answer_;
    Loop& loop_;
    std::map<uint64_t, std::function<void()>> answers_;
    uint64_t last_ = 0;
};

std::unique_ptr<Service> make_smtpd(World& world, std::string& why_not) {
    std::vector<std::string> warnings;
    auto settings = smtpd::SmtpdService::read_settings(world.settings, warnings, why_not);
    if (!settings) return nullptr;
    return std::make_unique<smtpd::SmtpdService>(world, std::move(*settings));
}

std::unique_ptr<Service> make_cleanup(World& world, std::string& why_not) {
    OpenReport report;
    auto policy = cleanup::CleanupPolicy::read(world.settings, {}, report);
    why_not = report.error;
    if (!policy) return nullptr;
    return std::make_unique<cleanup::CleanupService>(
        world, cleanup::CleanupParts{std::move(*policy), {}, [](int64_t) {
                                         return cleanup::LocalTime{0, "UTC"};
                                     }});
}

std::unique_ptr<Service> make_rewrite(World& world, std::string& why_not) {
    OpenReport report;
    rewrite::RewriteParts parts;
    if (!parts.routing.open(world.settings, {}, report)) {
        why_not = report.error;
        return nullptr;
    }
    parts.resolver = std::make_unique<NoResolver>(world.loop);
    return std::make_unique<rewrite::RewriteService>(world, std::move(parts));
}

std::unique_ptr<Service> make_store(World& world, SimDisk& disk,
                                    std::function<uint64_t()> free_bytes,
                                    std::function<void()> on_failed, std::string& why_not) {
    store::QueueStoreOptions options;
    options.file_system = disk.file_system();
    options.memtable_bytes = 4 << 20;
    auto queue = store::QueueStore::open("/db", options, world.log);
    if (!queue) {
        why_not = queue.error().text();
        return nullptr;
    }
    store::StoreService::Parts parts;
    parts.store = std::move(*queue);
    parts.free_bytes = [free_bytes = std::move(free_bytes)] {
        return std::optional<uint64_t>(free_bytes());
    };
    parts.on_failed = std::move(on_failed);
    return std::make_unique<store::StoreService>(world, std::move(parts));
}

}  // namespace

std::unique_ptr<Service> make_service(Role role, World& world, SimDisk& disk,
                                      std::function<uint64_t()> free_bytes,
                                      std::function<void()> on_failed, std::string& why_not) {
    switch (role) {
        case Role::smtpd:
            return make_smtpd(world, why_not);
        case Role::cleanup:
            return make_cleanup(world, why_not);
        case Role::rewrite:
            return make_rewrite(world, why_not);
        case Role::store:
            return make_store(world, disk, std::move(free_bytes), std::move(on_failed), why_not);
        case Role::qmgr:
            return std::make_unique<QmgrService>(world);
        case Role::smtp:
            return std::make_unique<smtp::SmtpService>(world);
        default:
            break;
    }
    ASSERT(!"a role of the process table that the simulation does not know");
    return nullptr;
}

store::QueueStore& queue_of(Service& store_service) {
    return const_cast<store::QueueStore&>(static_cast<store::StoreService&>(store_service).queue());
}

}  // namespace posthaste::simulation
