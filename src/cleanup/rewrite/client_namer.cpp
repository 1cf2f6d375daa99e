#include "cleanup/rewrite/client_namer.h"

#include <algorithm>
#include <utility>

namespace posthaste::rewrite {
namespace {

constexpr uint32_t kTtlMinSeconds = 60;
constexpr uint32_t kTtlMaxSeconds = 3600;
constexpr uint32_t kFailureTtlSeconds = 30;

uint32_t bounded(uint32_t ttl_s) noexcept {
    return std::clamp(ttl_s, kTtlMinSeconds, kTtlMaxSeconds);
}

}  // namespace

ClientNamer::Search::Search(ClientNamer& owner, uint64_t search_number)
    : namer(owner),
      number(search_number),
      timer(timer_calls<&Search::on_timeout, Search>(), this) {}

void ClientNamer::Search::on_timeout() { namer.finish(number, {"unknown", kFailureTtlSeconds}); }

ClientNamer::ClientNamer(Loop& loop, Resolver& resolver, const HostsFile& hosts_file)
    : loop_(loop), resolver_(resolver), hosts_file_(hosts_file) {}

ClientNamer::~ClientNamer() = default;

void ClientNamer::find(const IpAddress& address, Done done) {
    if (std::string name = hosts_file_.name_of(address); !name.empty())
        return done({std::move(name), kTtlMaxSeconds});
    const uint64_t number = next_number_++;
    Search& search =
        *searches_.emplace(number, std::make_unique<Search>(*this, number)).first->second;
    search.address = address;
    search.done = std::move(done);
    loop_.timers().set(search.timer, loop_.now_us() + kSearchTimeoutUs);
    search.question = resolver_.names(
        address, [this, number](NameAnswer answer) { on_names(number, std::move(answer)); });
}

void ClientNamer::on_names(uint64_t number, NameAnswer answer) {
    const auto found = searches_.find(number);
    if (found == searches_.end()) return;
    if (answer.status != DnsStatus::ok || answer.names.empty()) {
        return finish(number,
                      {"unknown", answer.status == DnsStatus::failed ? kFailureTtlSeconds
                                                                     : bounded(answer.ttl_s)});
    }
    const std::string& name = answer.names.front();
    const uint32_t ttl_s = answer.ttl_s;
    found->second->question =
        resolver_.addresses(name, found->second->address.v6,
                            [this, number, name, ttl_s](const AddressAnswer& addresses) {
                                on_addresses(number, name, ttl_s, addresses);
                            });
}

void ClientNamer::on_addresses(uint64_t number, const std::string& name, uint32_t ttl_s,
                               const AddressAnswer& answer) {
    const auto found = searches_.find(number);
    if (found == searches_.end()) return;
    if (answer.status == DnsStatus::failed) return finish(number, {"unknown", kFailureTtlSeconds});
    const auto& addresses = answer.addresses;
    const bool confirmed =
        std::find(addresses.begin(), addresses.end(), found->second->address) != addresses.end();
    finish(number, {confirmed ? name : "unknown", bounded(std::min(ttl_s, answer.ttl_s))});
}

void ClientNamer::finish(uint64_t number, ClientName name) {
    const auto found = searches_.find(number);
    const Done done = std::move(found->second->done);
    resolver_.forget(found->second->question);
    searches_.erase(found);
    done(std::move(name));
}

}  // namespace posthaste::rewrite
