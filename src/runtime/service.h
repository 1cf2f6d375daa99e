// runtime/service.h: a service and the world it lives in. A service takes its world as constructor
// arguments and knows nothing of processes: run_service() (service_main.h) gives it the real one,
// the simulation another.
#pragma once

#include <cstdint>
#include <string_view>

#include "runtime/arena.h"
#include "runtime/counters.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/peers.h"
#include "runtime/settings/settings.h"

namespace posthaste {

struct World {
    Loop& loop;
    Log& log;
    CounterPage& counter_page;
    const Settings&
        settings;  // always the present ones: a reload changes them in place, before on_settings()
    Arena* arena;  // ours to write, null when the process table gives this role none
    uint16_t instance;  // 0, 1, … among the processes of one master.cf line
    uint32_t incarnation;
    std::string_view service_name;  // master.cf's first column: "smtp", "submission", "relay" …
};

class Service : public PeerListener {
 public:
    virtual ~Service() = default;
    // Before any other call; the service keeps the pointer.
    virtual void attach(Peers& peers) = 0;

    // A listening socket inherited from master, the service's from here on; `name` as in master.cf
    // ("2525", "public/showq").
    virtual void on_listener(std::string_view name, Socket listener) {
        (void)name;
        (void)listener;
    }

    // `posthaste reload`: the new values, in the object that World names; texts taken from it
    // before are gone.
    virtual void on_settings(const Settings& settings) { (void)settings; }

    // master.cf's wakeup column, or `posthaste flush`.
    virtual void on_wakeup() {}

    // Stop taking new work, finish what is held. is_idle() is asked once a turn; the process ends
    // when it is true.
    virtual void on_drain() = 0;

    // The same when a successor is at work (`posthaste reload`): take nothing new, but let those
    // who are connected finish in their own time. on_drain() may follow.
    virtual void on_retire() { on_drain(); }

    virtual bool is_idle() const = 0;

    // A line of this process's own log. Only postlogd takes them; true = taken, false = goes to
    // postlogd.
    virtual bool on_own_line(const wire::LogLine& line) {
        (void)line;
        return false;
    }
};

}  // namespace posthaste
