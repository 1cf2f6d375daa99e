// cleanup/rewrite/resolver.h: questions to the DNS, answered later. UnboundResolver asks the world,
// tests and the simulation answer by themselves.
//
// Promises   each question is answered once, from the loop and never from inside the call, unless the Resolver goes first.
//            Answers are bounded (kRecordsMax); names in them are letters, digits, '-', '_' and dots, never an address.
// Does not   wait for ever with a question that cannot be asked yet: "failed" is its answer then.
//            Nor is any answer late for ever: who asks sets a timer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"

namespace posthaste::rewrite {

inline constexpr size_t kRecordsMax = 64;

enum class DnsStatus : uint8_t {
    ok = 0,
    no_such_name = 1,  // NXDOMAIN
    no_data = 2,       // the name exists, but has no such record
    failed = 3,        // SERVFAIL, time-out, bogus: ask again later
};

struct MxRecord {
    uint16_t preference = 0;
    std::string host;  // lowered, no final dot; empty: "." (RFC 7505)
};

struct MxAnswer {
    DnsStatus status = DnsStatus::failed;
    uint32_t ttl_s = 0;
    std::vector<MxRecord> records;
    size_t unusable = 0;  // records whose host is no host name (an address, say)
};

struct AddressAnswer {
    DnsStatus status = DnsStatus::failed;
    uint32_t ttl_s = 0;
    std::vector<IpAddress> addresses;
};

struct NameAnswer {
    DnsStatus status = DnsStatus::failed;
    uint32_t ttl_s = 0;
    std::vector<std::string> names;
};

class Resolver {
 public:
    virtual ~Resolver() = default;

    virtual void mx(const std::string& domain, std::function<void(MxAnswer)> done) = 0;
    // A or AAAA.
    virtual void addresses(const std::string& host, bool v6,
                           std::function<void(AddressAnswer)> done) = 0;
    // PTR.
    virtual void names(const IpAddress& address, std::function<void(NameAnswer)> done) = 0;
};

}  // namespace posthaste::rewrite
