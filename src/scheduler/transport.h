// scheduler/transport.h: what main.cf says about a transport, and where its mail goes. Transports
// are named by master.cf; those without a delivery agent are answered inside qmgr.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "runtime/role.h"
#include "runtime/timer_wheel.h"

#include "scheduler/feedback.h"
#include "scheduler/gcra.h"

namespace posthaste {

enum class Handler : uint8_t {
    agent,    // a delivery agent of TransportConfig::role
    error,    // every recipient is refused; the next hop is the text
    retry,    // every recipient waits; the next hop is the text
    discard,  // every recipient is taken and thrown away
};

struct TransportConfig {
    Handler handler = Handler::agent;
    Role role = Role::smtp;
    bool has_service = true;  // in master.cf; else its mail waits
    FeedbackLimits feedback;
    uint32_t recipient_limit = 50;        // of one job; never 0
    int64_t destination_interval_us = 0;  // between two jobs for one destination; 0: no rate
    int64_t transport_interval_us = 0;    // between two jobs of the transport
    bool waits_for_flush = false;         // defer_transports
};

// By name alone. A name of the administrator's own is a clone of smtp, if master.cf has it.
Handler handler_of_transport(std::string_view name) noexcept;
Role role_of_transport(std::string_view name) noexcept;

struct Transport {
    Transport(std::string_view its_name, const TransportConfig& its_config, uint32_t number)
        : name(its_name), config(its_config), self(number), timer(&Transport::on_timer, this) {}

    std::string name;
    TransportConfig config;
    uint32_t self;
    Gcra rate;
    Timer timer;                   // until the rate allows the next job
    std::deque<uint32_t> waiting;  // destinations that wait for it; in turn
    RateListener* rate_listener = nullptr;

 private:
    static void on_timer(void* self_pointer) {
        auto& it = *static_cast<Transport*>(self_pointer);
        it.rate_listener->on_transport_rate(it.self);
    }
};

// Few and for ever: a transport that mail was ever resolved to stays. Bounded: what rewrite names
// beyond kTransportsMax shares the last one.
class TransportTable {
 public:
    static constexpr size_t kTransportsMax = 256;

    template <class ConfigOf>
    uint32_t find_or_add(std::string_view name, ConfigOf&& config_of) {
        for (uint32_t i = 0; i < transports_.size(); ++i) {
            if (transports_[i].name == name) return i;
        }
        if (transports_.size() == kTransportsMax) return kTransportsMax - 1;
        const uint32_t index = size();
        transports_.emplace_back(name, config_of(name), index);
        return index;
    }

    Transport& operator[](uint32_t index) noexcept { return transports_[index]; }

    const Transport& operator[](uint32_t index) const noexcept { return transports_[index]; }

    uint32_t size() const noexcept { return static_cast<uint32_t>(transports_.size()); }

 private:
    std::deque<Transport> transports_;
};

}  // namespace posthaste
