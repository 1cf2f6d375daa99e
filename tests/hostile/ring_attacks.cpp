// Lies in shared memory: indices and records that no Channel would write.
#include <cstring>
#include <random>

#include "runtime/channel_layout.h"

#include "hostile/attacks.h"

namespace posthaste::hostile {
namespace {

constexpr uint16_t kAnyType = 3;

Segment::Header& head_of(Link& link) { return *link.own->header(); }

void put_record(Link& link, uint64_t offset, RecordHeader header) {
    std::memcpy(link.own->slots() + offset, &header, sizeof(header));
}

void publish(Link& link, uint64_t tail) {
    head_of(link).tail.store(tail);
    link.ring();
}

// One record at the ring's beginning, and how much of the ring is told to be full.
void publish_record(Link& link, RecordHeader header, uint64_t tail) {
    put_record(link, 0, header);
    publish(link, tail);
}

// Reads what the peer says for a while, so that its own ring is not why it stops.
void look_at_its_ring(Link& link) { (void)link.peer->header()->tail.load(); }

using Attack = void (*)(Link& link);

constexpr Named<Attack> kAttacks[] = {
    {"tail_beyond", [](Link& link) { publish(link, link.own_bytes() + 8ULL); }},
    {"tail_far_beyond", [](Link& link) { publish(link, 1ULL << 63); }},
    {"tail_before_all", [](Link& link) { publish(link, ~0ULL - 7); }},
    {"tail_not_aligned",
     [](Link& link) {
         publish_record(link, {0, kAnyType, 0}, 13);
     }},
    {"record_longer_than_told",
     [](Link& link) {
         publish_record(link, {4096, kAnyType, 0}, 16);
     }},
    {"record_longer_than_half",
     [](Link& link) {
         publish_record(link, {link.own_bytes() / 2 + 8, kAnyType, 0}, link.own_bytes());
     }},
    {"record_of_4_gigabytes",
     [](Link& link) {
         publish_record(link, {0xffff'ffff, kAnyType, 0}, link.own_bytes());
     }},
    {"record_with_flags",
     [](Link& link) {
         publish_record(link, {8, kAnyType, 1}, 16);
     }},
    {"filler_in_the_middle",
     [](Link& link) {
         publish_record(link, {8, kFillerType, 0}, 64);
     }},
    {"filler_of_all",
     [](Link& link) {
         publish_record(link, {link.own_bytes() - 8, kFillerType, 0}, link.own_bytes());
     }},
    {"nothing_but_zeros", [](Link& link) { publish(link, link.own_bytes()); }},
    {"unknown_types",
     [](Link& link) {
         for (uint64_t offset = 0; offset < 4096; offset += 8)
             put_record(link, offset, {0, static_cast<uint16_t>(1000 + offset), 0});
         publish(link, 4096);
     }},
};

// What it reads of ours: how far we are with its ring, that we sleep, that we want room. Each
// honest answer of the peer's is a chance to be misled.
void lie_about_reading(Link& link) {
    std::minstd_rand random(1);
    for (unsigned i = 0; i < 20'000; ++i) {
        head_of(link).sleep_count.store(random() | 1);
        head_of(link).wants_room.store(random());
        if (i % 16 == 0) link.ring();
    }
    look_at_its_ring(link);
}

// Everything at once, in an order nobody knows.
void storm(Link& link) {
    std::minstd_rand random(7);
    auto* const words = reinterpret_cast<uint64_t*>(link.own->slots());
    const uint64_t count = link.own_bytes() / sizeof(uint64_t);
    for (unsigned i = 0; i < 200'000; ++i) {
        words[random() % count] = random() % 3 == 0 ? random() % 256 : uint64_t{random()} << 32;
        if (i % 64 == 0) publish(link, random() % (2 * link.own_bytes()) / 8 * 8);
        if (i % 97 == 0) head_of(link).head.store(random());
    }
}

}  // namespace

std::optional<std::string> ring_attack(Puppet& puppet, Role role, std::string_view name) {
    const auto do_it = [&](void (*act)(Link&), bool closes) -> std::string {
        Link* const link = puppet.established_link(role);
        if (link == nullptr) return "no link";
        act(*link);
        return link->is_closed(closes ? kAnswerMs : kCalmMs) ? "closed" : "open";
    };
    if (const Attack* const act = find_named<Attack>(kAttacks, name)) return do_it(*act, true);
    if (name == "storm") return do_it(storm, true);
    if (name == "lies_about_reading") return do_it(lie_about_reading, false);
    if (name == "head_beyond") {
        return do_it(
            [](Link& link) {
                head_of(link).head.store(1ULL << 40);
                // It looks when it wants to know; asking for something makes it want to.
                publish(link, 0);
            },
            false);
    }
    return std::nullopt;
}

std::string ring_attacks() {
    std::string out;
    for (const auto& each : kAttacks) out.append("ring/").append(each.name) += ' ';
    return out + "ring/storm ring/lies_about_reading ring/head_beyond ";
}

}  // namespace posthaste::hostile
