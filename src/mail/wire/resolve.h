// mail/wire/resolve.h: qmgr, smtpd ◄──► rewrite.
//
// ResolveRequest asks for the whole way of one recipient: transport, next hop, hosts. The answer is
// good for every recipient of the same domain when `per_domain` is set (no table entry for the full
// address), for `ttl_s` seconds. ClientNameRequest is smtpd's reverse look-up for logs, Received:
// and restrictions (PTR confirmed by A/AAAA).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mail/wire/host.h"

namespace posthaste::wire {

enum class ResolveOutcome : uint8_t {
    ok = 0,
    deferred = 1,  // DNS or a table failed for now: dsn and text say why
    bounced = 2,   // no such domain, null MX, loops back to us, unknown local user …
};

enum class AddressClass : uint8_t { local = 0, relay = 1, other = 2 };  // ADDRESS_CLASS_README

struct ResolveRequest {
    static constexpr uint16_t kType = 1;
    uint64_t cookie = 0;
    bool with_hosts = true;  // false: class, transport and next hop only (smtpd)
    std::string_view recipient;

    template <class Codec>
    void visit(Codec& codec) {
        codec(cookie);
        codec(with_hosts);
        codec.text(recipient, 512);
    }
};

struct ResolveReply {
    static constexpr uint16_t kType = 2;
    uint64_t cookie = 0;
    ResolveOutcome outcome = ResolveOutcome::deferred;
    AddressClass address_class = AddressClass::other;
    bool per_domain = true;
    uint32_t ttl_s = 0;
    std::string_view dsn;
    std::string_view text;
    std::string_view transport;  // "smtp", "relay", "local", "error", "discard" …
    std::string_view nexthop;    // "example.com", "[10.0.0.1]:2525"; for error: the text
    std::string_view site;  // what mail is grouped by: next hop, or with destination_rollup = mx a
                            // name made of the ordered MX set
    std::vector<Host> hosts;

    template <class Codec>
    void visit(Codec& codec) {
        codec(cookie);
        codec(outcome);
        codec(address_class);
        codec(per_domain);
        codec(ttl_s);
        codec.text(dsn, 16);
        codec.text(text, 1024);
        codec.text(transport, 64);
        codec.text(nexthop, 300);
        codec.text(site, 1024);
        codec.list(hosts, kHostsMax);
    }
};

struct ClientNameRequest {
    static constexpr uint16_t kType = 3;
    uint64_t cookie = 0;
    bool v6 = false;
    std::array<uint8_t, 16> address{};

    template <class Codec>
    void visit(Codec& codec) {
        codec(cookie);
        codec(v6);
        for (uint8_t& byte : address) codec(byte);
    }
};

struct ClientNameReply {
    static constexpr uint16_t kType = 4;
    uint64_t cookie = 0;
    uint32_t ttl_s = 0;
    std::string_view name;  // "unknown" when there is none or it does not lead back

    template <class Codec>
    void visit(Codec& codec) {
        codec(cookie);
        codec(ttl_s);
        codec.text(name, 256);
    }
};

}  // namespace posthaste::wire
