// trivial-rewrite: knows where mail goes. Reads its tables, /etc/hosts and /etc/resolv.conf before
// the file system is gone; afterwards it speaks with name servers and with those who ask.
#include <memory>
#include <string>
#include <utility>
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
    UnboundResolver::Options resolver_options;
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
        resolver_options.forwarders = *servers;
        if (servers->empty()) {
            // Without one libunbound asks the root servers by itself.
            const auto text = read_text_file("/etc/resolv.conf", kMiB);
            if (text) resolver_options.forwarders = read_resolv_conf(*text);
        }
        read_anchors(settings.text("dns_trust_anchor_file"));
        return "";
    }

    void read_anchors(const std::string& path) {
        if (path.empty()) return;
        const auto text = read_text_file(path, kMiB);
        if (text) resolver_options.trust_anchors = read_trust_anchors(*text);
        if (!resolver_options.trust_anchors.empty()) return;
        report.warnings.push_back(
            "dns_trust_anchor_file: " + path + ": " +
            (text ? "no record in it" : text.error().text()) +
            ": DNSSEC is not validated; install dns-root-data, or set it empty");
    }

    std::unique_ptr<Service> make(World& world, std::string& why_not) {
        auto resolver = UnboundResolver::start(world.loop, resolver_options);
        if (!resolver) {
            why_not = "resolver: " + resolver.error().text();
            return nullptr;
        }
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
    stages.prepare = [&](const control::Start&, const Settings& settings,
                         std::vector<std::string>& warnings) {
        std::string why_not = prepared.prepare(settings);
        warnings = std::move(prepared.report.warnings);
        return why_not;
    };
    stages.make = [&](World& world, std::string& why_not) { return prepared.make(world, why_not); };
    return run_service(Role::rewrite, stages);
}
