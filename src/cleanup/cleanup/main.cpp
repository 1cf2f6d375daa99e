// cleanup: completes what clients left out and hands messages to the store. No network, no files
// once it runs.
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/service_main.h"

#include "lookup/own_addresses.h"

#include "cleanup/cleanup/cleanup_service.h"

namespace posthaste::cleanup {
namespace {

LocalTime local_time_at(int64_t unix_s) {
    const auto when = static_cast<time_t>(unix_s);
    tm broken{};
    if (::localtime_r(&when, &broken) == nullptr) return {};
    return {static_cast<int32_t>(broken.tm_gmtoff), broken.tm_zone};
}

// What needs the file system or the host's network, before both are gone.
struct Prepared {
    std::vector<IpAddress> own_addresses;
    std::optional<CleanupPolicy> policy;

    std::string prepare(const Settings& settings, std::vector<std::string>& warnings) {
        OpenReport report;
        ::tzset();  // reads the time zone's rules, which stay in memory
        own_addresses = posthaste::own_addresses(settings.text("inet_interfaces"),
                                                 settings.text("proxy_interfaces"), report);
        policy = CleanupPolicy::read(settings, own_addresses, report);
        warnings = std::move(report.warnings);
        return report.error;
    }
};

}  // namespace
}  // namespace posthaste::cleanup

int main() {
    using namespace posthaste;
    using namespace posthaste::cleanup;
    Prepared prepared;
    ServiceStages stages;
    stages.prepare = [&](const control::Start&, const Settings& settings,
                         std::vector<std::string>& warnings) {
        return prepared.prepare(settings, warnings);
    };
    stages.make = [&](World& world, std::string& why_not) -> std::unique_ptr<Service> {
        if (world.arena == nullptr) {
            why_not = "cleanup needs an arena";
            return nullptr;
        }
        return std::make_unique<CleanupService>(
            world, CleanupParts{std::move(*prepared.policy), std::move(prepared.own_addresses),
                                local_time_at});
    };
    return run_service(Role::cleanup, stages);
}
