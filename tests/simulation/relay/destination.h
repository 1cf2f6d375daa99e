// tests/simulation/relay/destination.h: a mail server somewhere in the simulated world, with the
// manners that its scenario gives it: slow, greylisting, limiting, refusing, tarpitting, lying,
// late or silent. Deliberately not built from the relay's own server, so that a fault there is not
// repeated here.
//
// Manners may change at any time and hold for what is said from then on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/connection.h"

#include "simulation/relay/ledger.h"
#include "simulation/sim_loop.h"

namespace posthaste::simulation {

// Per mille of the events they name, of words said or of messages; 0: never.
struct Manners {
    bool pipelining = true;
    bool knows_ehlo = true;
    unsigned slow_permille = 0;  // of replies: late by up to slow_us_max
    int64_t slow_us_max = 0;
    int64_t greylist_us = 0;  // a recipient is first taken so long after it was first named
    unsigned session_messages_max = 0;  // then 421
    unsigned sessions_max = 0;          // more at once are greeted with 421
    unsigned recipients_max = 0;        // of a message; more: 452
    unsigned unknown_permille = 0;      // of addresses: 550, always the same ones
    unsigned unwanted_permille = 0;  // of messages: 554 after the final dot, always the same ones
    unsigned defer_permille = 0;     // of RCPT: 450
    unsigned defer_final_permille = 0;  // of messages: 451 after the final dot
    unsigned vanish_permille = 0;       // of messages: connection closed instead of an answer, and
                                        // it was taken, or not
    unsigned late_permille = 0;         // of messages: taken, and answered up to 20 minutes later
    unsigned silent_permille = 0;       // of messages: taken, and never answered
    unsigned gibberish_permille = 0;    // of replies: not one
    unsigned hurried_permille = 0;      // of messages: 250 before it has come
    unsigned twice_permille = 0;        // of replies: said twice
    int64_t echo_us = 0;                // … the second time so late, if it is a yes
    unsigned unsaid_permille = 0;       // of replies: not said
    unsigned proxy_permille = 0;        // of refused messages: a yes ahead of the refusal
};

class Destination {
 public:
    // Told after each message that was taken, and after each word that puts one off.
    class Watcher {
     public:
        virtual void on_taken() = 0;
        virtual void on_deferred() = 0;

     protected:
        ~Watcher() = default;
    };

    Destination(SimWorld& world, IpAddress address, Ledger& ledger, Watcher& watcher);
    ~Destination();

    SimLoop& loop() noexcept { return loop_; }

    const IpAddress& address() const noexcept { return address_; }

    Manners manners;

 private:
    class Session;
    void on_accept(const Event& event);
    size_t sessions_open() const;

    SimWorld& world_;
    IpAddress address_;
    Ledger& ledger_;
    Watcher& watcher_;
    SimLoop& loop_;
    Completion accepted_;
    Socket listener_;
    std::map<std::string, int64_t, std::less<>> first_named_us_;
    std::vector<std::unique_ptr<Session>> sessions_;  // to the end of the run: it is short
};

}  // namespace posthaste::simulation
