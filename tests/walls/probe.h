// tests/walls/probe.h: a service whose only business is to try what it must not. Started as master starts
// services, it goes the same way (runtime/service_main.h) and stands in the same sandbox; one line
// of standard output for each result, "<act> <outcome>": 0, an errno, or minus the signal it died
// of.
#pragma once

#include <vector>

#include "walls/act.h"

namespace posthaste::walls {

struct ProbeOrders {
    Role role = Role::master;
    bool tries = true;     // false: starts, and that is all
    size_t first_act = 0;  // those before have been tried; all_acts().size(): which operations its
                           // rings list
    Surroundings around;   // descriptors in it are numbers of around.master
};

// In the order of the page.
std::vector<Act> all_acts();

int run_probe(const ProbeOrders& orders);

}  // namespace posthaste::walls
