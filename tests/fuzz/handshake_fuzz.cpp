// A peer that master has introduced and that shakes hands as it likes: the choice (what master has
// promised: rings, arenas), then steps {what, number}. It sends the right hello or any other, with
// descriptors that are none of what they should be, and fills what was mapped. We are told of a
// peer once and of its end once, never of one that does not keep to master's word, and afterwards
// no descriptor is left.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/channel_layout.h"
#include "runtime/introduction.h"
#include "runtime/testing_loop.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

constexpr uint32_t kRingBytes = 4096;
constexpr uint32_t kOurs = 1;
constexpr uint32_t kTheirs = 2;

// Our process, as far as links are concerned.
struct Process : PeerListener, Introductions::Listener {
    explicit Process(Arena* arena)
        : introductions(loop, peers, {Role::smtpd, kOurs, arena}, *this) {}

    ~Process() {
        introductions.leave_all();
        for (int i = 0; i < 100 && introductions.has_links(); ++i) run();
        ASSERT(!introductions.has_links() && ups == downs);
    }

    void run() {
        loop.wake();
        loop.poll_once();
        loop.pass_time(2 * TimerWheel::kTickUs);
        loop.turn();
    }

    void on_peer_up(Peer& peer) override {
        ASSERT(peer.role() == Role::cleanup && peer.incarnation() == kTheirs);
        ASSERT(may_come_up && ++ups == 1);
    }

    void on_peer_down(Peer&) override { ASSERT(++downs == 1 && ups == 1); }

    void on_record(Peer&, uint16_t type, std::string_view body) override {
        ASSERT(ups == 1 && downs == 0 && type != kFillerType && body.size() <= kRingBytes / 2);
    }

    void on_forgotten(Peer&, uint32_t) override { ASSERT(ups == 1 && downs == 0 && we_lend); }

    void on_misbehaviour(Role role, uint32_t incarnation, std::string_view what) override {
        ASSERT(role == Role::cleanup && incarnation == kTheirs && !what.empty());
        ASSERT(ups == 1 && downs == 0);
        ++complaints;
    }

    void on_failed_introduction(Role role, uint32_t incarnation, std::string_view what) override {
        ASSERT(role == Role::cleanup && incarnation == kTheirs && !what.empty());
        ASSERT(ups == 0);
        ++complaints;
    }

    TestingLoop loop;
    Peers peers{loop, *this};
    Introductions introductions;
    bool may_come_up = false;
    bool we_lend = false;
    int ups = 0;
    int downs = 0;
    int complaints = 0;
};

Fd memfd(uint64_t size, int seals) {
    Fd out(::memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT(out && ::ftruncate(out.get(), static_cast<off_t>(size)) == 0);
    if (seals != 0) ASSERT(::fcntl(out.get(), F_ADD_SEALS, seals) == 0);
    return out;
}

Fd odd_descriptor(uint32_t kind) {
    switch (kind % 8) {
        case 0:
            return Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        case 1:
            return Fd(::eventfd(0, EFD_CLOEXEC));
        case 2:
            return memfd(kSlotsOffset + kRingBytes, 0);
        case 3:
            return memfd(kSlotsOffset + kRingBytes, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        case 4:
            return memfd(100, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
        case 5:
            return memfd(kSlotsOffset + kRingBytes,
                         F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
        case 6:
            return memfd(0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
        default:
            return Fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
    }
}

void run_scene(std::string_view input) {
    const uint8_t promise = fuzz::take_choice(input);
    control::Introduce terms;
    terms.peer_role = Role::cleanup;
    terms.peer_incarnation = kTheirs;
    terms.own_ring_bytes = (promise & 1) != 0 ? kRingBytes : 0;
    terms.peer_ring_bytes = (promise & 2) != 0 ? kRingBytes : 0;
    terms.we_lend_arena = (promise & 4) != 0;
    terms.we_read_arena = (promise & 8) != 0;
    const bool has_rings = (promise & 3) != 0;
    const uint32_t their_bytes = terms.peer_ring_bytes != 0 ? kRingBytes : kRingBytesMin;

    auto arena = Arena::create(kOurs, kBlockBytes);
    auto their_arena = Arena::create(kTheirs, kBlockBytes);
    auto their_segment = Segment::create(their_bytes);
    auto pair = make_control_pair();
    ASSERT(arena && their_arena && their_segment && pair);
    const Fd their_doorbell(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    Process process(&*arena);
    process.we_lend = terms.we_lend_arena;
    process.introductions.introduce(terms, std::move(pair->first));
    Fd their_end = std::move(pair->second);

    handshake::Hello hello;
    hello.role = Role::cleanup;
    hello.incarnation = kTheirs;
    hello.ring_bytes = has_rings ? their_bytes : 0;
    for (int steps = 0; steps < 40 && !input.empty(); ++steps) {
        const uint8_t what = fuzz::take_choice(input);
        uint32_t number = 0;
        for (int i = 0; i < 4; ++i) number = number << 8 | fuzz::take_choice(input);
        std::vector<int> fds;
        if (has_rings) fds = {their_segment->memfd(), their_doorbell.get()};
        if (terms.we_read_arena) fds.push_back(their_arena->memfd());
        switch (what % 10) {
            case 0:
                process.may_come_up = true;
                (void)send_control(their_end.get(), hello, std::span<const int>(fds));
                break;
            case 1: {  // right but for one number
                handshake::Hello wrong = hello;
                uint32_t* const fields[] = {&wrong.magic, &wrong.layout_version, &wrong.incarnation,
                                            &wrong.ring_bytes};
                *fields[number % 4] ^= number | 1;
                (void)send_control(their_end.get(), wrong, std::span<const int>(fds));
                break;
            }
            case 2: {  // right but for one descriptor
                const Fd odd = odd_descriptor(number >> 8);
                if (!fds.empty() && number % 4 != 3) {
                    // A doorbell or segment of theirs that is sound in the wrong place is not.
                    const bool is_doorbell = has_rings && number % fds.size() == 1;
                    if (is_doorbell && (number >> 8) % 8 == 0) process.may_come_up = true;
                    fds[number % fds.size()] = odd.get();
                } else {
                    fds.push_back(odd.get());
                }
                // Memory that is sealed as it must be is an arena, whatever it holds.
                const bool is_arena = terms.we_read_arena && fds.back() == odd.get();
                if (is_arena) process.may_come_up = true;
                (void)send_control(their_end.get(), hello, std::span<const int>(fds));
                break;
            }
            case 3:
                (void)send_control(their_end.get(), handshake::Forgotten{number});
                break;
            case 4:
                (void)send_control_bytes(their_end.get(), static_cast<uint16_t>(number),
                                         input.substr(0, number >> 24), {});
                break;
            case 5:
                their_segment->header()->tail.store(number % (2 * their_bytes));
                break;
            case 6:
                std::memcpy(their_segment->slots() + number % (their_bytes - 8) / 8 * 8,
                            input.data(), std::min<size_t>(8, input.size()));
                break;
            case 7:
                their_segment->header()->head.store(number % (2 * kRingBytes));
                break;
            case 8:
                if (Peer* const peer = process.peers.find(kTheirs); peer && peer->has_channel())
                    (void)peer->send_bytes(5, std::string_view("a record of ours"));
                process.run();
                break;
            default:
                if (number % 8 == 0) their_end.reset();
                if (number % 8 == 1) process.introductions.forget({kTheirs, true});
                if (number % 8 == 2) process.loop.pass_time(Introductions::kPatienceUs);
                process.run();
                break;
        }
    }
    process.run();
}

int next_descriptor() {
    const int probe = ::dup(0);
    ::close(probe);
    return probe;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const int next = next_descriptor();
    run_scene(fuzz::text_of(data, size));
    ASSERT(next_descriptor() == next);
    return 0;
}
