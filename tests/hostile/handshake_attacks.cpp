// Lies before the first record: memory that its reader could be hurt with, and being somebody else.
#include <array>
#include <cstring>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/channel_layout.h"

#include "hostile/attacks.h"

namespace posthaste::hostile {
namespace {

constexpr int kAllSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

// As a segment should be, but for what the arguments say.
Fd make_memory(uint64_t size_bytes, uint32_t ring_bytes_told, int seals,
               uint64_t magic = kSegmentMagic) {
    Fd memory(::memfd_create("posthaste-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    (void)!::ftruncate(memory.get(), static_cast<off_t>(size_bytes));

    struct {
        uint64_t magic;
        uint32_t layout_version;
        uint32_t ring_bytes;
    } head{magic, kSegmentLayoutVersion, ring_bytes_told};

    if (size_bytes != 0) (void)!::pwrite(memory.get(), &head, sizeof(head), 0);
    ::fcntl(memory.get(), F_ADD_SEALS, seals);
    return memory;
}

Fd make_file() {
    Fd out(::open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    (void)!::ftruncate(out.get(), 16 << 20);
    return out;
}

using Change = void (*)(Puppet& puppet, Link& link, Greeting& greeting);

// Greets with what `change` makes of a proper greeting. What follows shows what came of it.
std::string greet_with(Puppet& puppet, Role role, Change change) {
    Link* const link = puppet.fresh_link(role);
    if (link == nullptr) return "no link";
    Greeting greeting = proper_greeting(puppet, *link);
    change(puppet, *link, greeting);
    (void)send_control(link->socket.get(), greeting.hello,
                       std::span<const int>(greeting.descriptors));
    return link->is_closed(kAnswerMs) ? "closed" : "open";
}

void give(Link& link, Greeting& greeting, Fd memory) {
    link.own_memory = std::move(memory);
    greeting.descriptors[0] = link.own_memory.get();
}

uint64_t right_size(const Link& link) { return kSlotsOffset + link.own_bytes(); }

template <int kMissing>
void lacks_seal(Puppet&, Link& link, Greeting& greeting) {
    give(link, greeting, make_memory(right_size(link), link.own_bytes(), kAllSeals & ~kMissing));
}

void ring_doorbell_is(Link& link, Greeting& greeting, Fd doorbell) {
    link.own_doorbell = std::move(doorbell);
    greeting.descriptors[1] = link.own_doorbell.get();
}

constexpr Named<Change> kChanges[] = {
    {"unsealed", lacks_seal<kAllSeals>},
    {"may_shrink", lacks_seal<F_SEAL_SHRINK>},
    {"may_grow", lacks_seal<F_SEAL_GROW>},
    {"may_be_written", lacks_seal<F_SEAL_FUTURE_WRITE>},
    {"seals_may_change", lacks_seal<F_SEAL_SEAL>},
    {"too_large",
     [](Puppet&, Link& link, Greeting& greeting) {
         give(link, greeting, make_memory(right_size(link) * 2, link.own_bytes(), kAllSeals));
     }},
    {"too_small",
     [](Puppet&, Link& link, Greeting& greeting) {
         give(link, greeting, make_memory(4096, link.own_bytes(), kAllSeals));
     }},
    {"empty",
     [](Puppet&, Link& link, Greeting& greeting) {
         give(link, greeting, make_memory(0, link.own_bytes(), kAllSeals));
     }},
    {"no_magic",
     [](Puppet&, Link& link, Greeting& greeting) {
         give(link, greeting, make_memory(right_size(link), link.own_bytes(), kAllSeals, 7));
     }},
    {"head_tells_other_size",
     [](Puppet&, Link& link, Greeting& greeting) {
         give(link, greeting, make_memory(right_size(link), 1U << 31, kAllSeals));
     }},
    {"file", [](Puppet&, Link& link, Greeting& greeting) { give(link, greeting, make_file()); }},
    {"doorbell_is_a_file",
     [](Puppet&, Link& link, Greeting& greeting) {
         ring_doorbell_is(link, greeting, make_file());
     }},
    {"doorbell_is_a_pipe",
     [](Puppet&, Link& link, Greeting& greeting) {
         std::array<int, 2> ends;
         if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) ::_exit(1);
         ::close(ends[0]);
         ring_doorbell_is(link, greeting, Fd(ends[1]));
     }},
    {"doorbell_blocks",
     [](Puppet&, Link& link, Greeting& greeting) {
         ring_doorbell_is(link, greeting, Fd(::eventfd(0, EFD_CLOEXEC)));
     }},
    {"no_descriptors", [](Puppet&, Link&, Greeting& greeting) { greeting.descriptors.clear(); }},
    {"one_descriptor", [](Puppet&, Link&, Greeting& greeting) { greeting.descriptors.resize(1); }},
    {"many_descriptors",
     [](Puppet&, Link&, Greeting& greeting) {
         greeting.descriptors.resize(100, greeting.descriptors[0]);
     }},
    {"other_role", [](Puppet&, Link&, Greeting& greeting) { greeting.hello.role = Role::anvil; }},
    {"no_role",
     [](Puppet&, Link&, Greeting& greeting) { greeting.hello.role = static_cast<Role>(200); }},
    {"other_incarnation", [](Puppet&, Link&, Greeting& greeting) { ++greeting.hello.incarnation; }},
    {"other_version", [](Puppet&, Link&, Greeting& greeting) { ++greeting.hello.layout_version; }},
    {"other_ring_size", [](Puppet&, Link&, Greeting& greeting) { greeting.hello.ring_bytes *= 2; }},
    {"hello_without_magic", [](Puppet&, Link&, Greeting& greeting) { greeting.hello.magic = 0; }},
};

// The last descriptor of a greeting is the arena.
constexpr Named<Change> kArenaChanges[] = {
    {"arena_unsealed",
     [](Puppet&, Link& link, Greeting& greeting) {
         link.own_memory = make_memory(64 * kBlockBytes, 0, 0);
         greeting.descriptors.back() = link.own_memory.get();
     }},
    {"arena_empty",
     [](Puppet&, Link& link, Greeting& greeting) {
         link.own_memory = make_memory(0, 0, kAllSeals);
         greeting.descriptors.back() = link.own_memory.get();
     }},
    {"arena_is_a_file",
     [](Puppet&, Link& link, Greeting& greeting) {
         link.own_memory = make_file();
         greeting.descriptors.back() = link.own_memory.get();
     }},
    {"arena_missing", [](Puppet&, Link&, Greeting& greeting) { greeting.descriptors.pop_back(); }},
};

std::string send_garbage(Puppet& puppet, Role role, size_t size_bytes) {
    Link* const link = puppet.fresh_link(role);
    if (link == nullptr) return "no link";
    link->own_memory.reset(::dup(2));
    const std::string garbage(size_bytes, '\xa5');
    (void)!::send(link->socket.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    return link->is_closed(kAnswerMs) ? "closed" : "open";
}

// Twice the same greeting, then words that only a reader of our arena may say to us.
std::string greet_twice(Puppet& puppet, Role role) {
    Link* const link = puppet.established_link(role);
    if (link == nullptr) return "no link";
    Greeting greeting;
    greeting.hello.role = puppet.role();
    greeting.hello.incarnation = puppet.incarnation();
    (void)send_control(link->socket.get(), greeting.hello);
    return link->is_closed(kAnswerMs) ? "closed" : "open";
}

std::string forget_what_was_never_lent(Puppet& puppet, Role role) {
    Link* const link = puppet.established_link(role);
    if (link == nullptr) return "no link";
    for (uint32_t incarnation = 0; incarnation < 100; ++incarnation)
        (void)send_control(link->socket.get(), handshake::Forgotten{incarnation});
    return link->is_closed(kAnswerMs) ? "closed" : "open";
}

}  // namespace

std::optional<std::string> handshake_attack(Puppet& puppet, Role role, std::string_view name) {
    if (const Change* const change = find_named<Change>(kChanges, name))
        return greet_with(puppet, role, *change);
    if (const Change* const change = find_named<Change>(kArenaChanges, name))
        return greet_with(puppet, role, *change);
    if (name == "garbage") return send_garbage(puppet, role, 1000);
    if (name == "one_byte") return send_garbage(puppet, role, 1);
    if (name == "too_long") return send_garbage(puppet, role, 60'000);
    if (name == "twice") return greet_twice(puppet, role);
    if (name == "forgotten") return forget_what_was_never_lent(puppet, role);
    return std::nullopt;
}

std::string handshake_attacks_on(Role own, Role role) {
    std::string out;
    const auto add = [&](std::string_view name) { out.append("handshake/").append(name) += ' '; };
    if (has_rings(own, role)) {
        for (const auto& each : kChanges) add(each.name);
        for (const char* const name : {"twice", "forgotten"}) add(name);
    }
    if (role == Role::cleanup || (role == Role::store && own != Role::smtp)) {
        for (const auto& each : kArenaChanges) add(each.name);
    }
    for (const char* const name : {"garbage", "one_byte", "too_long"}) add(name);
    return out;
}

}  // namespace posthaste::hostile
