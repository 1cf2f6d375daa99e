#include "runtime/control.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace posthaste {
namespace {

struct Control : testing::Test {
    Control() {
        auto pair = make_control_pair();
        EXPECT_TRUE(pair);
        near = std::move(pair->first);
        far = std::move(pair->second);
    }

    Fd near;
    Fd far;
    ControlMessage message;
};

TEST_F(Control, CarriesARecordAndItsDescriptors) {
    auto snapshot = make_snapshot("myhostname = mail.example\n");
    ASSERT_TRUE(snapshot);
    control::Start start;
    start.role = Role::cleanup;
    start.service_name = "cleanup";
    start.incarnation = 12;
    start.chroot_dir = "/var/empty";
    start.listeners = {{"public/cleanup"}, {"2525"}};
    ASSERT_TRUE(send_control(near.get(), start, {snapshot->get(), STDERR_FILENO}));
    const auto received = receive_control(far.get(), message);
    ASSERT_TRUE(received && *received);
    EXPECT_EQ(message.type, control::Start::kType);
    control::Start decoded;
    ASSERT_TRUE(wire::decode(message.body, decoded));
    EXPECT_EQ(decoded.role, Role::cleanup);
    EXPECT_EQ(decoded.chroot_dir, "/var/empty");
    ASSERT_EQ(decoded.listeners.size(), 2U);
    EXPECT_EQ(decoded.listeners[1].name, "2525");
    ASSERT_EQ(message.fds.size(), 2U);
    EXPECT_EQ(*read_snapshot(message.fds[0].get()), "myhostname = mail.example\n");
    EXPECT_NE(::fcntl(message.fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(Control, AnEmptyRecordIsAMessageToo) {
    ASSERT_TRUE(send_control(near.get(), control::Drain{}));
    ASSERT_TRUE(*receive_control(far.get(), message));
    EXPECT_EQ(message.type, control::Drain::kType);
    EXPECT_FALSE(*receive_control(far.get(), message));
}

TEST_F(Control, EndOfFileIsNoMessage) {
    near.reset();
    EXPECT_EQ(receive_control(far.get(), message).error().code, Errc::closed);
    EXPECT_EQ(send_control(far.get(), control::Drain{}).error().code, Errc::closed);
}

TEST_F(Control, ASocketThatNobodyReadsRefusesInsteadOfBlocking) {
    for (int i = 0; i < 100'000; ++i) {
        const auto sent = send_control(near.get(), control::Wakeup{});
        if (sent) continue;
        EXPECT_EQ(sent.error().code, Errc::no_space);
        return;
    }
    FAIL() << "a socket without bound";
}

TEST_F(Control, BrokenFramingIsAnErrorAndKeepsNoDescriptor) {
    ASSERT_EQ(::send(near.get(), "x", 1, 0), 1);
    EXPECT_EQ(receive_control(far.get(), message).error().code, Errc::malformed);
    ASSERT_EQ(::send(near.get(), "\1\0\2\0", 4, 0), 4);
    EXPECT_EQ(receive_control(far.get(), message).error().code, Errc::malformed)
        << "another version";
    const std::string large(kControlBytesMax + 5, 'x');
    ASSERT_EQ(::send(near.get(), large.data(), large.size(), 0),
              static_cast<ssize_t>(large.size()));
    EXPECT_EQ(receive_control(far.get(), message).error().code, Errc::too_large);

    ASSERT_TRUE(send_control(near.get(), control::Drain{}, {STDERR_FILENO, STDERR_FILENO}));
    ASSERT_TRUE(*receive_control(far.get(), message));
    const int descriptor = message.fds[0].get();
    ASSERT_EQ(::send(near.get(), "x", 1, 0), 1);
    EXPECT_FALSE(receive_control(far.get(), message));
    EXPECT_EQ(::fcntl(descriptor, F_GETFD), -1) << "what a message brought goes with the next";
}

TEST(Snapshot, ThatCouldStillChangeIsRefused) {
    Fd unsealed(::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_FALSE(read_snapshot(unsealed.get()));
    EXPECT_FALSE(make_snapshot(std::string((1 << 20) + 1, 'x')));
}

}  // namespace
}  // namespace posthaste
