// The SMTP server. Files that settings name (relay_domains = /path …) are opened before the walls
// go up.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/service_main.h"

#include "ingress/smtpd/smtpd_service.h"

int main() {
    using posthaste::smtpd::SmtpdService;
    std::optional<posthaste::smtpd::SmtpdSettings> prepared;
    posthaste::ServiceStages stages;
    stages.prepare = [&](const posthaste::control::Start&, const posthaste::Settings& settings,
                         std::vector<std::string>& warnings) {
        std::string why_not;
        prepared = SmtpdService::read_settings(settings, warnings, why_not);
        return why_not;
    };
    stages.make = [&](posthaste::World& world,
                      std::string&) -> std::unique_ptr<posthaste::Service> {
        return std::make_unique<SmtpdService>(world, std::move(*prepared));
    };
    return posthaste::run_service(posthaste::Role::smtpd, stages);
}
