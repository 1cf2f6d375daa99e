// An intruder does not need liburing's state: it finds the ring by its descriptor, maps the queues
// a second time and fills in the entries by hand.
#include <atomic>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <optional>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

#include "walls/act.h"

namespace posthaste::walls {
namespace {

constexpr int kDescriptorsMax = 256;
constexpr uint8_t kOperationsMax = 255;

// Where a kernel of this version keeps what: learned from a ring made before the walls.
io_uring_params layout{};

int set_up_ring() {
    layout = {};
    layout.flags = IORING_SETUP_CQSIZE;
    layout.cq_entries = 64;
    return static_cast<int>(::syscall(SYS_io_uring_setup, 4, &layout));
}

class Ring {
 public:
    static std::optional<Ring> of(int descriptor) {
        struct stat status {};

        // Anonymous inodes have no type; not every one of them is a ring.
        if (::fstat(descriptor, &status) != 0 || (status.st_mode & S_IFMT) != 0) return {};
        Ring out(descriptor);
        if (!out.map()) return {};
        return out;
    }

    static std::vector<Ring> all() {
        std::vector<Ring> out;
        for (int descriptor = 4; descriptor < kDescriptorsMax; ++descriptor) {
            if (const auto ring = of(descriptor)) out.push_back(*ring);
        }
        return out;
    }

    int descriptor() const { return descriptor_; }

    // The entry's result, or the errno that kept it from being submitted, negative.
    int run(io_uring_sqe entry) {
        std::atomic_ref tail(word(layout.sq_off.tail));
        const uint32_t at = tail.load();
        const uint32_t slot = at & word(layout.sq_off.ring_mask);
        entry.user_data = kOurs;
        entries_[slot] = entry;
        word(array_ + slot * static_cast<uint32_t>(sizeof(uint32_t))) = slot;
        tail.store(at + 1);
        if (::syscall(SYS_io_uring_enter, descriptor_, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) <
            0)
            return -errno;
        return take_completion();
    }

 private:
    static constexpr uint64_t kOurs = 0x6f757273;

    explicit Ring(int descriptor) : descriptor_(descriptor) {}

    bool map() {
        const size_t page = 4096;
        char* const head = map_at(IORING_OFF_SQ_RING, page);
        if (head == nullptr) return false;
        queues_ = head;
        const size_t completions = word(layout.cq_off.ring_entries) * sizeof(io_uring_cqe);
        const size_t submissions = word(layout.sq_off.ring_entries);
        array_ = static_cast<uint32_t>(layout.cq_off.cqes + completions);
        ::munmap(head, page);
        queues_ = map_at(IORING_OFF_SQ_RING, array_ + submissions * sizeof(uint32_t));
        entries_ = reinterpret_cast<io_uring_sqe*>(
            map_at(IORING_OFF_SQES, submissions * sizeof(io_uring_sqe)));
        return queues_ != nullptr && entries_ != nullptr;
    }

    char* map_at(uint64_t offset, size_t length) const {
        void* const memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED,
                                    descriptor_, static_cast<off_t>(offset));
        return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
    }

    uint32_t& word(uint32_t offset) const { return *reinterpret_cast<uint32_t*>(queues_ + offset); }

    int take_completion() {
        std::atomic_ref head(word(layout.cq_off.head));
        const uint32_t mask = word(layout.cq_off.ring_mask);
        const auto* const completions =
            reinterpret_cast<const io_uring_cqe*>(queues_ + layout.cq_off.cqes);
        while (head.load() != std::atomic_ref(word(layout.cq_off.tail)).load()) {
            const io_uring_cqe done = completions[head.load() & mask];
            head.store(head.load() + 1);
            if (done.user_data == kOurs) return done.res;
        }
        return -ETIME;
    }

    int descriptor_;
    char* queues_ = nullptr;
    io_uring_sqe* entries_ = nullptr;
    uint32_t array_ = 0;
};

io_uring_sqe entry_of(uint8_t operation, int descriptor = -1) {
    io_uring_sqe out{};
    out.opcode = operation;
    out.fd = descriptor;
    return out;
}

// Worked on some ring of this process; else the errno.
int tries(const Surroundings& around, const io_uring_sqe& entry) {
    // The rings are not made yet, or their pages not shared with the child that tries.
    if (around.moment == Moment::entered) return kNothingToTry;
    if (around.moment == Moment::outside) set_up_ring();
    int result = -ENOENT;
    for (Ring& ring : Ring::all()) {
        result = ring.run(entry);
        if (result >= 0) return 0;
    }
    return -result;
}

int registers(const Surroundings& around, unsigned what, void* arguments) {
    if (around.moment == Moment::entered) return kNothingToTry;
    if (around.moment == Moment::outside) set_up_ring();
    int result = ENOENT;
    for (const Ring& ring : Ring::all()) {
        result = outcome(::syscall(SYS_io_uring_register, ring.descriptor(), what, arguments, 1));
        if (result == 0) return 0;
    }
    return result;
}

int opens_file(const Surroundings& around) {
    io_uring_sqe entry = entry_of(IORING_OP_OPENAT, AT_FDCWD);
    entry.addr = reinterpret_cast<uintptr_t>("/etc/passwd");
    return tries(around, entry);
}

int makes_socket(const Surroundings& around) {
    io_uring_sqe entry = entry_of(IORING_OP_SOCKET, AF_UNIX);
    entry.off = SOCK_STREAM;
    return tries(around, entry);
}

int writes_to_peer(const Surroundings& around) {
    io_uring_sqe entry = entry_of(IORING_OP_WRITE, around.peer_memory);
    entry.addr = reinterpret_cast<uintptr_t>("x");
    entry.len = 1;
    return tries(around, entry);
}

// A cancellation finds nothing, but it was let in.
int asks_for_kernel_thread(const Surroundings& around) {
    io_uring_sqe entry = entry_of(IORING_OP_WRITE, 2);
    entry.addr = reinterpret_cast<uintptr_t>("");
    entry.flags = IOSQE_ASYNC;
    return tries(around, entry);
}

int registers_file(const Surroundings& around) {
    int file = 2;
    return registers(around, IORING_REGISTER_FILES, &file);
}

int registers_buffer(const Surroundings& around) {
    static char bytes[4096];
    iovec buffer{bytes, sizeof(bytes)};
    return registers(around, IORING_REGISTER_BUFFERS, &buffer);
}

constexpr Act kActs[] = {
    {"Rings", "makes another ring",
     [](const Surroundings&) {
         io_uring_params wanted{};
         return outcome(::syscall(SYS_io_uring_setup, 4, &wanted));
     }},
    {nullptr, "lets its ring open a file (an operation not listed)", opens_file},
    {nullptr, "lets it make a socket (an operation not listed)", makes_socket},
    {nullptr, "lets it run a listed operation in a kernel thread (a flag not listed)",
     asks_for_kernel_thread},
    {nullptr, "registers files with it", registers_file},
    {nullptr, "registers buffers with it", registers_buffer},
    {nullptr, "lets it write to a peer's segment", writes_to_peer},
};

}  // namespace

std::span<const Act> ring_acts() { return kActs; }

void learn_ring_layout() { ::close(set_up_ring()); }

std::string listed_operations() {
    std::string out;
    for (Ring& ring : Ring::all()) {
        if (!out.empty()) out += "; ";
        std::string list;
        for (uint8_t operation = 0; operation < kOperationsMax; ++operation) {
            const int result = ring.run(entry_of(operation));
            // Refused, or none that this kernel knows.
            if (result == -EACCES || result == -EINVAL) continue;
            if (!list.empty()) list += ' ';
            list += std::to_string(operation);
        }
        out += list;
    }
    return out;
}

}  // namespace posthaste::walls
