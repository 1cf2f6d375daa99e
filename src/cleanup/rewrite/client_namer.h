// cleanup/rewrite/client_namer.h: the name of an address: PTR, believed only when the name leads
// back to the address. Names from the hosts file need no proof.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "runtime/loop.h"

#include "cleanup/rewrite/hosts_file.h"
#include "cleanup/rewrite/resolver.h"

namespace posthaste::rewrite {

struct ClientName {
    std::string name = "unknown";
    uint32_t ttl_s = 0;
};

class ClientNamer {
 public:
    // A client waits with its banner for this.
    static constexpr int64_t kSearchTimeoutUs = 8 * kSecondUs;
    using Done = std::function<void(ClientName)>;

    ClientNamer(Loop& loop, Resolver& resolver, const HostsFile& hosts_file);
    ~ClientNamer();

    // `done` is called once; at once, from inside, when nothing need be asked.
    void find(const IpAddress& address, Done done);

    size_t searches() const noexcept { return searches_.size(); }

 private:
    struct Search {
        Search(ClientNamer& owner, uint64_t search_number);
        ClientNamer& namer;
        uint64_t number;
        IpAddress address;
        uint64_t question = 0;
        Done done;
        Timer timer;
        void on_timeout();
    };

    void on_names(uint64_t number, NameAnswer answer);
    void on_addresses(uint64_t number, const std::string& name, uint32_t ttl_s,
                      const AddressAnswer& answer);
    void finish(uint64_t number, ClientName name);

    Loop& loop_;
    Resolver& resolver_;
    const HostsFile& hosts_file_;
    std::unordered_map<uint64_t, std::unique_ptr<Search>> searches_;
    uint64_t next_number_ = 1;
};

}  // namespace posthaste::rewrite
