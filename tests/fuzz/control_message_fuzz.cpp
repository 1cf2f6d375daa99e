// What a child, master or a peer in the handshake may send over a control socket: the choice (how
// many descriptors ride along), then one datagram as it is. Framing is checked once and
// descriptors never leak; each kind of message keeps its bounds.
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/control.h"
#include "runtime/introduction.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/record.h"

using namespace posthaste;

namespace {

constexpr size_t kFrameBytes = 4;

void send_raw(int socket, std::string_view bytes, size_t descriptors) {
    iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char space[CMSG_SPACE(8 * sizeof(int))] = {};
    if (descriptors != 0) {
        message.msg_control = space;
        message.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
        cmsghdr* part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(descriptors * sizeof(int));
        for (size_t i = 0; i < descriptors; ++i)
            std::memcpy(CMSG_DATA(part) + i * sizeof(int), &socket, sizeof(int));
    }
    ASSERT(::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size()));
}

void check_body(uint16_t type, std::string_view body) {
    switch (type) {
        case control::Start::kType:
            return fuzz::check_record<control::Start>(body);
        case control::Introduce::kType:
            return fuzz::check_record<control::Introduce>(body);
        case control::Reload::kType:
            return fuzz::check_record<control::Reload>(body);
        case control::Drain::kType:
            return fuzz::check_record<control::Drain>(body);
        case control::Wakeup::kType:
            return fuzz::check_record<control::Wakeup>(body);
        case control::Forget::kType:
            return fuzz::check_record<control::Forget>(body);
        case control::Ready::kType:
            return fuzz::check_record<control::Ready>(body);
        case control::Failed::kType:
            return fuzz::check_record<control::Failed>(body);
        case control::PeerMisbehaved::kType:
            return fuzz::check_record<control::PeerMisbehaved>(body);
        case control::Drained::kType:
            return fuzz::check_record<control::Drained>(body);
        case handshake::Hello::kType:
            return fuzz::check_record<handshake::Hello>(body);
        case handshake::Forgotten::kType:
            return fuzz::check_record<handshake::Forgotten>(body);
        default:
            return;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const SocketPair kPair = *make_control_pair();
    // The number that is free now must be free afterwards.
    const auto next_descriptor = [] {
        const int probe = ::dup(0);
        ::close(probe);
        return probe;
    };
    const int next = next_descriptor();

    std::string_view bytes = fuzz::text_of(data, size);
    const size_t descriptors = fuzz::take_choice(bytes) % 8;
    if (bytes.size() > 2 * kControlBytesMax) return 0;
    send_raw(kPair.first.get(), bytes, descriptors);
    {
        ControlMessage message;
        const auto received = receive_control(kPair.second.get(), message);
        ASSERT(message.fds.size() == descriptors);
        if (received) {
            ASSERT(*received && bytes.size() >= kFrameBytes);
            ASSERT(message.body == bytes.substr(kFrameBytes));
            check_body(message.type, message.body);
        } else if (bytes.size() > kControlBytesMax + kFrameBytes) {
            ASSERT(received.error().code == Errc::too_large);
        } else {
            ASSERT(received.error().code == (bytes.empty() ? Errc::closed : Errc::malformed));
        }
        ControlMessage none;
        const auto more = receive_control(kPair.second.get(), none);
        ASSERT(more && !*more);
    }
    ASSERT(next_descriptor() == next);
    return 0;
}
