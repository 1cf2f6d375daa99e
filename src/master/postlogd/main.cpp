// postlogd: writes everybody's log.
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include "runtime/service_main.h"

#include "master/postlogd/postlogd.h"

int main() {
    using namespace posthaste;
    std::optional<LogTarget> target;
    std::optional<LogText> text;
    ServiceStages stages;
    stages.prepare = [&](const control::Start& start, const Settings& settings,
                         std::vector<std::string>&) -> std::string {
        if (start.judge_only) return fault_in_log_target(settings);
        auto opened = open_log_target(settings);
        if (!opened)
            return "maillog_file: " + settings.text("maillog_file") + ": " + opened.error().text();
        target = std::move(*opened);
        char host[256] = {};
        ::gethostname(host, sizeof host - 1);
        text.emplace(host);
        return {};
    };
    stages.make = [&](World& world, std::string&) -> std::unique_ptr<Service> {
        return std::make_unique<Postlogd>(world, std::move(*target), std::move(*text));
    };
    return run_service(Role::postlogd, stages);
}
