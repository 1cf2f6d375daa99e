// cleanup/rewrite/hosts_file.h: /etc/hosts, read once in the prepare stage. Lines it can not make
// sense of are skipped, as everybody else does.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ip_address.h"

namespace posthaste::rewrite {

class HostsFile {
 public:
    HostsFile() = default;
    static HostsFile parse(std::string_view text);
    // Empty when there is none to read.
    static HostsFile read(const std::string& path);

    // Of that family; empty when the name does not stand there.
    std::vector<IpAddress> addresses_of(std::string_view name, bool v6) const;
    bool knows(std::string_view name) const;
    // The first name on the address's first line; empty when there is none.
    std::string name_of(const IpAddress& address) const;

 private:
    std::unordered_map<std::string, std::vector<IpAddress>> by_name_;
    std::unordered_map<std::string, std::string> by_address_;
};

}  // namespace posthaste::rewrite
