#include "runtime/channel.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <sys/mman.h>
#include <utility>

#include "base/assert.h"

#include "runtime/channel_layout.h"
#include "runtime/sealed_memory.h"

namespace posthaste {
namespace {

Segment::Header* new_header(void* base, uint32_t ring_bytes) noexcept {
    auto* header = new (base) Segment::Header{};
    header->ring_bytes = ring_bytes;
    header->layout_version = kSegmentLayoutVersion;
    header->magic = kSegmentMagic;
    return header;
}

// One load, which the compiler can not repeat: a peer may change the bytes between two looks.
RecordHeader load_record_header(const char* slot) noexcept {
    auto* word = reinterpret_cast<uint64_t*>(const_cast<char*>(slot));
    return std::bit_cast<RecordHeader>(
        std::atomic_ref<uint64_t>(*word).load(std::memory_order_relaxed));
}

void store_record_header(char* slot, const RecordHeader& header) noexcept {
    auto* word = reinterpret_cast<uint64_t*>(slot);
    std::atomic_ref<uint64_t>(*word).store(std::bit_cast<uint64_t>(header),
                                           std::memory_order_relaxed);
}

}  // namespace

bool is_ring_size(uint32_t ring_bytes) noexcept {
    return std::has_single_bit(ring_bytes) && ring_bytes >= kRingBytesMin &&
           ring_bytes <= kRingBytesMax;
}

Result<Segment> Segment::create(uint32_t ring_bytes) {
    ASSERT(is_ring_size(ring_bytes));
    Segment out;
    out.mapped_bytes_ = kSlotsOffset + ring_bytes;
    ASSIGN_OR_RETURN(SealedMemory memory,
                     create_sealed_memory("posthaste-ring", out.mapped_bytes_));
    out.owned_ = true;
    out.ring_bytes_ = ring_bytes;
    out.memfd_ = std::move(memory.memfd);
    out.header_ = new_header(memory.base, ring_bytes);
    return out;
}

Result<Segment> Segment::map_foreign(int memfd, uint32_t ring_bytes) {
    if (!is_ring_size(ring_bytes)) return Error{Errc::malformed, 0, "ring size"};
    Segment out;
    out.mapped_bytes_ = kSlotsOffset + ring_bytes;
    ASSIGN_OR_RETURN(const uint64_t size_bytes, verify_sealed_memory(memfd));
    if (size_bytes != out.mapped_bytes_)
        return Error{Errc::misbehaved, 0, "foreign segment: wrong size"};
    ASSIGN_OR_RETURN(const char* base, map_sealed_memory(memfd, size_bytes));
    out.owned_ = true;
    out.ring_bytes_ = ring_bytes;
    out.header_ = reinterpret_cast<Header*>(const_cast<char*>(base));
    if (out.header_->magic != kSegmentMagic ||
        out.header_->layout_version != kSegmentLayoutVersion ||
        out.header_->ring_bytes != ring_bytes) {
        return Error{Errc::misbehaved, 0, "foreign segment: wrong header"};
    }
    return out;
}

Segment Segment::create_private(uint32_t ring_bytes) {
    ASSERT(is_ring_size(ring_bytes));
    Segment out;
    out.mapped_bytes_ = kSlotsOffset + ring_bytes;
    void* base = ::mmap(nullptr, out.mapped_bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT(base != MAP_FAILED);
    out.owned_ = true;
    out.ring_bytes_ = ring_bytes;
    out.header_ = new_header(base, ring_bytes);
    return out;
}

Segment Segment::alias(const Segment& other) {
    Segment out;
    out.header_ = other.header_;
    out.ring_bytes_ = other.ring_bytes_;
    out.mapped_bytes_ = other.mapped_bytes_;
    return out;
}

Segment::Segment(Segment&& other) noexcept
    : header_(std::exchange(other.header_, nullptr)),
      ring_bytes_(other.ring_bytes_),
      mapped_bytes_(other.mapped_bytes_),
      owned_(std::exchange(other.owned_, false)),
      memfd_(std::move(other.memfd_)) {}

Segment& Segment::operator=(Segment&& other) noexcept {
    std::swap(header_, other.header_);
    std::swap(ring_bytes_, other.ring_bytes_);
    std::swap(mapped_bytes_, other.mapped_bytes_);
    std::swap(owned_, other.owned_);
    std::swap(memfd_, other.memfd_);
    return *this;
}

Segment::~Segment() {
    if (owned_ && header_ != nullptr) ::munmap(header_, mapped_bytes_);
}

char* Segment::slots() const noexcept { return reinterpret_cast<char*>(header_) + kSlotsOffset; }

Channel::Channel(Segment own, Segment peer) : own_(std::move(own)), peer_(std::move(peer)) {
    ASSERT(own_.header() != nullptr);
    ASSERT(peer_.header() != nullptr);
}

uint32_t Channel::record_bytes_max() const noexcept {
    return own_.ring_bytes() / 2 - static_cast<uint32_t>(sizeof(RecordHeader));
}

// What a record takes now: itself, and the rest of the ring when it does not fit in there.
uint64_t Channel::span_at_tail(size_t body_bytes) const noexcept {
    const uint64_t span = record_span(body_bytes);
    const uint64_t rest = own_.ring_bytes() - (tail_ & (own_.ring_bytes() - 1));
    return span <= rest ? span : rest + span;
}

bool Channel::fits(uint64_t span) const noexcept {
    return tail_ + span - peer_head_seen_ <= own_.ring_bytes();
}

void Channel::look_at_peer_head() noexcept {
    const uint64_t head = peer_.header()->head.load(std::memory_order_seq_cst);
    // It can not have consumed less than before, or what was never published.
    if (head - peer_head_seen_ > published_tail_ - peer_head_seen_) {
        broken_ = "its head lies outside our ring";
        return;
    }
    peer_head_seen_ = head;
}

bool Channel::send(uint16_t type, std::string_view body) noexcept {
    ASSERT(type != kFillerType);
    ASSERT(body.size() <= record_bytes_max());
    if (broken()) return false;
    const uint64_t span = span_at_tail(body.size());
    if (!fits(span)) look_at_peer_head();
    if (!fits(span) && !ask_for_room(span)) return false;
    if (broken()) return false;

    const uint32_t ring_bytes = own_.ring_bytes();
    uint64_t offset = tail_ & (ring_bytes - 1);
    if (const uint64_t record_bytes = record_span(body.size()); span > record_bytes) {
        const auto filler = static_cast<uint32_t>(ring_bytes - offset - sizeof(RecordHeader));
        store_record_header(own_.slots() + offset, {filler, kFillerType, 0});
        offset = 0;
    }
    char* slot = own_.slots() + offset;
    store_record_header(slot, {static_cast<uint32_t>(body.size()), type, 0});
    if (!body.empty()) std::memcpy(slot + sizeof(RecordHeader), body.data(), body.size());
    tail_ += span;
    return true;
}

// Raises wants_room, then looks at the head once more: the consumer stores its head before it looks
// at wants_room (release()), so one of the two sees the other. True: room came meanwhile.
bool Channel::ask_for_room(uint64_t span) noexcept {
    if (refused_) {
        // Another record waits already: its wish stands, whether this one fits now or not.
        look_at_peer_head();
        return !broken() && fits(span);
    }
    // A quarter of the ring at least, or a full ring would trade one doorbell for each record.
    // Always reachable: it lies before our tail.
    const uint64_t wanted_bytes = std::max<uint64_t>(span, own_.ring_bytes() / 4);
    wanted_head_ = tail_ + wanted_bytes - own_.ring_bytes();
    own_.header()->wants_room.store(wanted_head_, std::memory_order_seq_cst);
    refused_ = true;
    look_at_peer_head();
    if (broken() || !fits(span)) return false;
    withdraw_wish();
    return true;
}

void Channel::withdraw_wish() noexcept {
    refused_ = false;
    own_.header()->wants_room.store(0, std::memory_order_relaxed);
}

bool Channel::room_came() noexcept {
    if (!refused_ || broken()) return false;
    look_at_peer_head();
    if (broken() || peer_head_seen_ < wanted_head_) return false;
    withdraw_wish();
    return true;
}

bool Channel::has_room(size_t body_bytes) noexcept {
    if (body_bytes > record_bytes_max()) return false;
    const uint64_t span = span_at_tail(body_bytes);
    if (!broken() && !fits(span)) look_at_peer_head();
    return !broken() && fits(span);
}

bool Channel::publish() noexcept {
    if (!has_unpublished()) return false;
    published_tail_ = tail_;
    own_.header()->tail.store(tail_, std::memory_order_seq_cst);
    const uint64_t count = peer_.header()->sleep_count.load(std::memory_order_seq_cst);
    if (count % 2 == 0 || count == rung_for_sleep_) return false;
    rung_for_sleep_ = count;
    return true;
}

bool Channel::all_consumed() noexcept {
    if (!broken()) look_at_peer_head();
    return broken() || peer_head_seen_ == tail_;
}

bool Channel::look_at_peer_tail() noexcept {
    const uint64_t tail = peer_.header()->tail.load(std::memory_order_seq_cst);
    const uint64_t unread = tail - head_;
    // It may write only where it was told that there is room: so without release() one ring is all
    // that it can say.
    if (unread > peer_.ring_bytes() || tail - released_head_ > peer_.ring_bytes() ||
        unread < peer_tail_seen_ - head_ || tail % kRecordAlignment != 0) {
        broken_ = "its tail lies outside its ring";
        return false;
    }
    peer_tail_seen_ = tail;
    return unread != 0;
}

bool Channel::receive(Record& out) noexcept {
    for (;;) {
        if (broken() || (head_ == peer_tail_seen_ && !look_at_peer_tail())) return false;
        const uint32_t ring_bytes = peer_.ring_bytes();
        const uint64_t offset = head_ & (ring_bytes - 1);
        const uint64_t rest = std::min<uint64_t>(ring_bytes - offset, peer_tail_seen_ - head_);
        const char* slot = peer_.slots() + offset;
        const RecordHeader header = load_record_header(slot);
        const uint64_t span = record_span(header.size);
        if (header.flags != 0 || span > ring_bytes / 2 || span > rest) {
            broken_ = "a record lies outside its ring";
            return false;
        }
        if (header.type == kFillerType) {
            // Never at the ring's beginning (too long there), so two can not follow each other and
            // this loop ends.
            if (span != ring_bytes - offset) {
                broken_ = "a filler does not end with the ring";
                return false;
            }
            head_ += span;
            continue;
        }
        if (copy_.size() < header.size) copy_.resize(header.size);
        if (header.size != 0) std::memcpy(copy_.data(), slot + sizeof(RecordHeader), header.size);
        head_ += span;
        out = {header.type, std::string_view(copy_).substr(0, header.size)};
        return true;
    }
}

bool Channel::release() noexcept {
    if (released_head_ == head_) return false;
    released_head_ = head_;
    own_.header()->head.store(head_, std::memory_order_seq_cst);
    const uint64_t wanted_head = peer_.header()->wants_room.load(std::memory_order_seq_cst);
    if (wanted_head == 0 || wanted_head == rung_for_room_ || wanted_head > head_) return false;
    rung_for_room_ = wanted_head;
    return true;
}

bool Channel::has_input() noexcept {
    return !broken() && (head_ != peer_tail_seen_ || look_at_peer_tail());
}

bool Channel::prepare_sleep() noexcept {
    if (sleep_count_ % 2 == 0)
        own_.header()->sleep_count.store(++sleep_count_, std::memory_order_seq_cst);
    return !has_input() && !broken();
}

void Channel::wake() noexcept {
    if (sleep_count_ % 2 != 0)
        own_.header()->sleep_count.store(++sleep_count_, std::memory_order_release);
}

}  // namespace posthaste
