// scheduler/lane_hosts.h: the order in which one connection tries a destination's hosts: by rank, and
// equals in a random order of its own (RFC 5321 5.1). One order for all connections would leave all
// but one of several equal servers without mail.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "mail/wire/host.h"

namespace posthaste {

// `hosts` by rank. random(): 64 bits.
template <class Random>
void mix_equals(std::vector<wire::Host>& hosts, Random&& random) {
    for (size_t first = 0; first < hosts.size();) {
        const auto last =
            std::find_if(hosts.begin() + static_cast<ptrdiff_t>(first), hosts.end(),
                         [&](const wire::Host& host) { return host.rank != hosts[first].rank; });
        const auto count = static_cast<size_t>(last - hosts.begin()) - first;
        for (size_t i = count; i > 1; --i)
            std::swap(hosts[first + i - 1], hosts[first + random() % i]);
        first += count;
    }
}

}  // namespace posthaste
