// trivial-rewrite: knows where mail goes. Reads its tables, /etc/hosts and /etc/resolv.conf before
// the file system is gone; afterwards it speaks with name servers and with those who ask.
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"

#include "runtime/service_main.h"

#include "lookup/logical_lines.h"
#include "lookup/own_addresses.h"

#include "cleanup/rewrite/dns_data.h"
#include "cleanup/rewrite/rewrite_service.h"
#include "cleanup/rewrite/unbound_resolver.h"

namespace posthaste::rewrite {
namespace {

struct Prepared {
    Routing routing;
    HostsFile hosts_file;
    std::vector<IpAddress> own_addresses;
    std::vector<Endpoint> name_servers;
    OpenReport report;

    // Empty, or why not.
    std::string prepare(const Settings& settings) {
        own_addresses = posthaste::own_addresses(settings.text("inet_interfaces"),
                                                 settings.text("proxy_interfaces"), report);
        if (!routing.open(settings, own_addresses, report)) return report.error;
        hosts_file = HostsFile::read("/etc/hosts");
        const auto servers = read_dns_servers(settings.text("dns_servers"));
        if (!servers)
            return "dns_servers: expected address or address@port: " + settings.text("dns_servers");
        name_servers = *servers;
        if (name_servers.empty()) {
            // Without one libunbound asks the root servers by itself.
            const auto text = read_text_file("/etc/resolv.conf", kMiB);
            if (text) name_servers = read_resolv_conf(*text);
        }
        return "";
    }

    std::unique_ptr<Service> make(World& world, std::string& why_not) {
        auto resolver = UnboundResolver::start(world.loop, name_servers);
        if (!resolver) {
            why_not = "resolver: " + resolver.error().text();
            return nullptr;
        }
        for (const std::string& warning : report.warnings) world.log.warning(warning);
        return std::make_unique<RewriteService>(
            world, RewriteParts{std::move(routing), std::move(hosts_file), std::move(own_addresses),
                                std::move(*resolver)});
    }
};

}  // namespace
}  // namespace posthaste::rewrite

int main() {
    using namespace posthaste;
    rewrite::Prepared prepared;
    ServiceStages stages;
    stages.prepare = [&](const control::Start&, const Settings& settings) {
        return prepared.prepare(settings);
    };
    stages.make = [&](World& world, std::string& why_not) { return prepared.make(world, why_not); };
    return run_service(Role::rewrite, stages);
}
