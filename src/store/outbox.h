// store/outbox.h: answers that one peer's ring had no room for. An answer must not be lost, and
// must not be overtaken; while one waits, the peer is not read, so no more come than its last
// records caused.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "base/codec.h"

#include "runtime/peers.h"

namespace posthaste::store {

class Outbox {
 public:
    explicit Outbox(Peer& peer) noexcept : peer_(peer) {}

    Peer& peer() const noexcept { return peer_; }

    bool empty() const noexcept { return waiting_.empty(); }

    template <class Record>
    void send(const Record& record) {
        if (waiting_.empty() && peer_.send(record)) return;
        std::string bytes;
        wire::encode(record, bytes);
        waiting_.emplace_back(Record::kType, std::move(bytes));
        peer_.pause();
    }

    // On room. True: nothing waits any more.
    bool flush() {
        while (!waiting_.empty()) {
            if (!peer_.send_bytes(waiting_.front().first, waiting_.front().second)) return false;
            waiting_.pop_front();
        }
        return true;
    }

 private:
    Peer& peer_;
    std::deque<std::pair<uint16_t, std::string>> waiting_;
};

}  // namespace posthaste::store
