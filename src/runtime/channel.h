// runtime/channel.h: records between two processes over shared memory: two one-way rings, no locks,
// no fences.
//
// Each side owns one segment, maps it read-write and seals it; the peer can map it read-only and
// nothing else:
//
//   A's:  [header: magic, version, size] [tail A→B] [head B→A] [sleep count] [wants room] [A→B …]
//   B's:  the mirror image
//
// Every index on its own 128 bytes. Indices are free-running byte counts.
//
// Record: {u32 size, u16 type, u16 flags = 0} + size bytes, padded to 8. A record never wraps: a
// filler record (type 0) takes the rest of the ring instead; so the largest record is half the
// ring.
//
// Producing: the record is written, then the tail is release-stored, once a turn (publish()). A
// producer that dies leaves nothing half visible. Consuming: the peer's tail is loaded once and
// bounded; each record is copied to private memory, checked, and only the copy is used. A wrong
// index or record makes the channel broken() for good: the owner logs it and closes; never an
// assert.
//
// Waking: the consumer raises its sleep count to odd, looks at the ring once more, and sleeps; the
// producer rings the doorbell (eventfd) if it sees an odd count it has not rung for. Tail and count
// are seq_cst. The same doorbell tells a producer that waits for room (wants_room) that its peer
// has consumed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace posthaste {

inline constexpr size_t kCacheLine = 64;
inline constexpr uint32_t kRingBytesMin = 256;
inline constexpr uint32_t kRingBytesMax = 64 * 1024 * 1024;
// A power of two between these.
bool is_ring_size(uint32_t ring_bytes) noexcept;

// Memory of one side. Created by its owner; the peer's is mapped from a foreign memfd.
class Segment {
 public:
    static Result<Segment> create(uint32_t ring_bytes);  // memfd, sealed after mapping
    // Read-only; seals, size and header are verified.
    static Result<Segment> map_foreign(int memfd, uint32_t ring_bytes);
    static Segment create_private(uint32_t ring_bytes);  // simulation, tests, tsan
    static Segment alias(const Segment& other);          // the other side of create_private
    Segment(Segment&&) noexcept;
    Segment& operator=(Segment&&) noexcept;
    ~Segment();

    struct Header;

    Header* header() const noexcept { return header_; }

    char* slots() const noexcept;

    uint32_t ring_bytes() const noexcept { return ring_bytes_; }

    int memfd() const noexcept { return memfd_.get(); }

 private:
    Segment() = default;
    Header* header_ = nullptr;
    uint32_t ring_bytes_ = 0;
    uint64_t mapped_bytes_ = 0;
    bool owned_ = false;
    Fd memfd_;
};

class Channel {
 public:
    // ring_bytes are powers of two; a side that only listens still owns a small segment for its
    // indices.
    Channel(Segment own, Segment peer);

    // False when the ring has no room: the record was not taken; wants_room is raised, and room()
    // will be asked for by a doorbell. A record larger than record_bytes_max() is our own bug.
    bool send(uint16_t type, std::string_view body) noexcept;
    uint32_t record_bytes_max() const noexcept;

    bool was_refused() const noexcept { return refused_; }  // send() failed and no room came since

    bool has_room(size_t body_bytes) noexcept;
    // True once after a refusal, when the refused record would fit (or a quarter of the ring is
    // free, if that is more).
    bool room_came() noexcept;
    // Makes everything sent visible. True: the peer sleeps and its doorbell must be rung.
    bool publish() noexcept;

    bool has_unpublished() const noexcept { return tail_ != published_tail_; }

    // The peer has taken everything (or is broken and never will).
    bool all_consumed() noexcept;

    // One record, copied into private memory valid until the next receive(). False: none, or
    // broken.
    struct Record {
        uint16_t type = 0;
        std::string_view body;
    };

    bool receive(Record& out) noexcept;
    // After a batch of receive(): lets the producer have the room. True: it waits for room; ring
    // its doorbell.
    bool release() noexcept;
    bool has_input() noexcept;

    bool broken() const noexcept { return broken_ != nullptr; }

    const char* why_broken() const noexcept { return broken_; }

    // Announces sleep; true when the ring is empty and it is safe to sleep. wake() ends it.
    bool prepare_sleep() noexcept;
    void wake() noexcept;

 private:
    uint64_t span_at_tail(size_t body_bytes) const noexcept;
    bool fits(uint64_t span) const noexcept;
    bool ask_for_room(uint64_t span) noexcept;
    void withdraw_wish() noexcept;
    void look_at_peer_head() noexcept;
    bool look_at_peer_tail() noexcept;

    Segment own_;
    Segment peer_;
    uint64_t tail_ = 0;  // ours, private truth; the shared copy is only told
    uint64_t published_tail_ = 0;
    uint64_t head_ = 0;  // ours, of the ring we consume
    uint64_t released_head_ = 0;
    uint64_t peer_head_seen_ = 0;
    uint64_t peer_tail_seen_ = 0;
    uint64_t rung_for_sleep_ = 0;  // the peer's sleep count we last rang for
    uint64_t sleep_count_ = 0;
    uint64_t wanted_head_ = 0;    // the wish we told, while refused_
    uint64_t rung_for_room_ = 0;  // the peer's wish we last rang for
    bool refused_ = false;
    const char* broken_ = nullptr;
    std::string copy_;
};

}  // namespace posthaste
