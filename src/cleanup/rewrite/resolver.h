// cleanup/rewrite/resolver.h: questions to the DNS, answered later. UnboundResolver asks the world,
// tests and the simulation answer by themselves.
//
// Promises   each question is answered once, from the loop and never from inside the call, unless it is forgotten or the
//            Resolver goes first.
//            Answers are bounded (kRecordsMax); names in them are letters, digits, '-', '_' and dots, never an address.
// Does not   see to it that an answer comes in time: who asks sets a timer, and forgets the question.
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

    // Each returns the question's number, never 0.
    virtual uint64_t mx(const std::string& domain, std::function<void(MxAnswer)> done) = 0;
    // A or AAAA.
    virtual uint64_t addresses(const std::string& host, bool v6,
                               std::function<void(AddressAnswer)> done) = 0;
    // PTR.
    virtual uint64_t names(const IpAddress& address, std::function<void(NameAnswer)> done) = 0;
    // Nobody waits for the answer any more; it does not come, and what it takes is free. One that
    // was answered may be named too.
    virtual void forget(uint64_t question) = 0;
};

}  // namespace posthaste::rewrite
