// cleanup/cleanup/submitter.h: one process that hands messages in (smtpd, pickup, bounce, local), and the answers that found
// no room in its ring. While some wait, nothing more is taken from it: so they are no more than it had in flight.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "runtime/peers.h"

namespace posthaste::cleanup {

class Submitter {
 public:
    explicit Submitter(Peer& peer) noexcept : peer_(peer) {}

    Peer& peer() const noexcept { return peer_; }

    template <class Record>
    void answer(const Record& record) {
        if (waiting_.empty() && peer_.send(record)) return;
        Waiting& waiting = waiting_.emplace_back();
        waiting.type = Record::kType;
        wire::encode(record, waiting.body);
    }
    void on_room() {
        while (!waiting_.empty() && peer_.send_bytes(waiting_.front().type, waiting_.front().body)) {
            waiting_.pop_front();
        }
    }
    bool has_waiting() const noexcept { return !waiting_.empty(); }

 private:
    struct Waiting {
        uint16_t type = 0;
        std::string body;
    };
    Peer& peer_;
    std::deque<Waiting> waiting_;
};

}  // namespace posthaste::cleanup
