// master/listeners.h: the sockets master holds for its services, open as long as master runs: a
// service may die and come back without a client's connection attempt being refused.
//
// inet: one socket a process, all bound to the same address (SO_REUSEPORT), so that the kernel
// spreads the connections: evenly by their addresses, or, once workers were taken away, at random
// among those that stay. unix: one socket, handed to every process of the service; below
// queue_directory/public or private.
//
// Before the first socket of an address is opened it is bound once without SO_REUSEPORT: otherwise
// a second instance would silently share the port with a first one. At the start one that is in use
// is waited for, up to two seconds.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/ip_address.h"
#include "base/result.h"

#include "master/plan.h"

namespace posthaste {

struct Listener {
    std::string name;  // as the service is told: "2525", "public/showq"
    int descriptor;
};

class Listeners {
 public:
    // Opens what the plan needs and does not have yet. On a fault nothing new stays open, what was
    // open stays, and `fault` says which address, where it was written and what to do.
    bool open(const Plan& plan, std::string& fault);
    // Closes what the plan does not name (after open(), on reload). Sockets of workers that are
    // taken away stay open and are given no new clients, so that those they have been given already
    // can be accepted; a later plan may use them again.
    void close_unneeded(const Plan& plan);
    // Closes those of workers that the plan does not have: these go now.
    void close_surplus(const Plan& plan);

    // Those of one process; they stay ours.
    std::vector<Listener> of(const PlannedService& service, unsigned worker) const;

 private:
    struct Open {
        std::string name;
        uint16_t port = 0;            // inet
        std::vector<Fd> descriptors;  // one a process, or one for all; behind them the surplus
        bool is_steered = false;      // new clients are given out by a program of ours
    };
    struct Wanted;
    static std::map<std::string, size_t> counts_of(const Plan& plan);
    static std::vector<Wanted> wanted_by(const Plan& plan, Diagnostics& diagnostics);
    bool open_one(const Wanted& wanted, Open& out, size_t already, std::string& fault) const;
    bool have_port(uint16_t port) const noexcept;

    std::map<std::string, Open> open_;  // by service key and address
};

// What an inet service's name means: "2525", "smtp", "127.0.0.1:2525", "[::1]:smtp",
// "localhost:25". Nothing and a fault when it means nothing.
std::vector<Endpoint> listen_endpoints(std::string_view name, const Settings& settings,
                                       std::string& fault);

}  // namespace posthaste
