// tests/hostile/puppet.h: a process that master takes for a service and that keeps none of the rules.
// A test holds its strings: it says over a Unix socket what to do next.
//
// It speaks the real control protocol, handshake, rings and arenas, by hand, so that each step can
// be done wrongly. It stands in no sandbox: what that stops is shown elsewhere (tests/walls).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

#include "runtime/arena.h"
#include "runtime/channel.h"
#include "runtime/control.h"
#include "runtime/introduction.h"
#include "runtime/role.h"

namespace posthaste::hostile {

// What master introduced us to, and how far we are with it.
struct Link {
    control::Introduce terms;
    Fd socket;
    Fd own_memory;  // where ours is not a Segment's
    std::optional<Segment> own;
    std::optional<Segment> peer;
    std::optional<Channel> channel;
    Fd own_doorbell;
    Fd peer_doorbell;
    bool is_ready = false;  // towards qmgr: what is held has been said
    uint64_t sequence = 0;  // of the last report

    bool has_rings() const { return terms.own_ring_bytes != 0 || terms.peer_ring_bytes != 0; }

    uint32_t own_bytes() const {
        return terms.own_ring_bytes == 0 ? kRingBytesMin : terms.own_ring_bytes;
    }

    uint32_t peer_bytes() const {
        return terms.peer_ring_bytes == 0 ? kRingBytesMin : terms.peer_ring_bytes;
    }

    void ring() const;
    void ring_many_times(unsigned times) const;

    // By the rules; false when the ring stays full for a second.
    bool send(uint16_t type, std::string_view body);

    template <class Record>
    bool send(const Record& record) {
        std::string body;
        wire::encode(record, body);
        return send(Record::kType, body);
    }

    // The next record of that type within the patience; others are skipped. Texts are views of body.
    template <class Record>
    bool hear(Record& out, std::string& body) {
        return hear_type(Record::kType, body) && wire::decode(body, out);
    }

    bool hear_type(uint16_t type, std::string& body);
    // The peer has hung up, now or within the patience.
    bool is_closed(int patience_ms);
};

class Puppet {
 public:
    // Takes its place among the services.
    Puppet();

    // Obeys until told to go, or until master says so.
    void run();

    // A link with that role to which nothing was said yet; a new one is waited for. Null: none came.
    Link* fresh_link(Role role);
    // By the rules, to where records may be sent. Null: no link, or the peer did not like it.
    Link* established_link(Role role);

    Arena& arena() { return *arena_; }

    // Of ours, the next in turn, whether or not somebody still reads there.
    uint32_t next_block() { return next_block_++ % arena_->blocks_total(); }

    uint32_t incarnation() const { return start_.incarnation; }

    Role role() const { return start_.role; }

 private:
    std::string obey(std::string_view order);
    void take_control_messages();

    ControlMessage start_message_;
    control::Start start_;
    std::optional<Arena> arena_;
    uint32_t next_block_ = 0;
    Fd strings_;
    std::map<Role, Link> links_;
    bool told_to_go_ = false;
};

// What a well-behaved process sends first; attacks change it.
struct Greeting {
    handshake::Hello hello;
    std::vector<int> descriptors;
};

// Fills in link.own and doorbell.
Greeting proper_greeting(Puppet& puppet, Link& link);

// One by name on links of that role; "closed", "open", or what was found. Nothing: no such attack.
std::optional<std::string> attack(Puppet& puppet, Role role, std::string_view name);
// "handshake/unsealed ring/tail_far …": those that make sense from one role towards the other.
std::string attacks_on(Role own, Role role);

}  // namespace posthaste::hostile
