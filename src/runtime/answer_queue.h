// runtime/answer_queue.h: answers to one peer, in order; those that found no room in its ring wait
// here for on_room(). The peer is paused then, and the service does not resume it while some wait:
// so they are no more than its last records asked for. None is lost, none overtaken.
//
// Owned by the service, made in on_peer_up(), gone in on_peer_down().
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "runtime/peers.h"

namespace posthaste {

class AnswerQueue {
 public:
    explicit AnswerQueue(Peer& peer) noexcept : peer_(peer) {}

    Peer& peer() const noexcept { return peer_; }

    template <class Record>
    void answer(const Record& record) {
        if (waiting_.empty() && peer_.send(record)) return;
        Waiting& waiting = waiting_.emplace_back();
        waiting.type = Record::kType;
        wire::encode(record, waiting.body);
        peer_.pause();
    }

    void on_room() {
        while (!waiting_.empty() &&
               peer_.send_bytes(waiting_.front().type, waiting_.front().body)) {
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

}  // namespace posthaste
