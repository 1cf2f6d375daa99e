// Each act is tried in a child of its own, which ends in it or exits with what came of it.
#include "runtime/sandbox.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <net/if.h>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "runtime/channel.h"
#include "runtime/uring_loop.h"

namespace posthaste {
namespace {

constexpr uid_t kNobody = 65534;

struct Outcome {
    int exit_status = -1;
    int signal = 0;
};

Outcome in_child(const std::function<int()>& act) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::_exit(act());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            WIFSIGNALED(status) ? WTERMSIG(status) : 0};
}

struct SandboxTest : testing::Test {
    void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        GTEST_SKIP() << "a sanitizer needs what the sandbox takes away";
#endif
        if (::geteuid() != 0) GTEST_SKIP() << "needs root";
        char name[] = "/tmp/posthaste-sandbox-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory = name;
    }

    void TearDown() override {
        ::unlink((directory + "/file").c_str());
        ::rmdir(directory.c_str());
    }

    // errno of a call that failed, 0 for one that worked; 200: the sandbox itself failed.
    Outcome confined(Role role, const std::function<bool()>& act) {
        const uid_t owner = sandbox_profile(role).files ? kNobody : 0;
        if (::chown(directory.c_str(), owner, owner) != 0) return {};
        return in_child([&] {
            Sandbox sandbox({sandbox_profile(role), kNobody, kNobody, directory,
                             sandbox_profile(role).network});
            if (!sandbox.enter()) return 200;
            sandbox.close();
            if (!sandbox.missing().empty()) {
                ::dprintf(2, "missing: %s\n", sandbox.missing_text().c_str());
                return 201;
            }
            errno = 0;
            return act() ? 0 : errno;
        });
    }

    std::string directory;
};

bool opens(const char* path, int flags) { return ::open(path, flags | O_CLOEXEC, 0600) >= 0; }

TEST_F(SandboxTest, AServiceWithoutFilesOpensNone) {
    EXPECT_EQ(confined(Role::cleanup, [] { return opens("/etc/passwd", O_RDONLY); }).exit_status,
              EPERM);
    EXPECT_EQ(confined(Role::smtpd, [] { return opens("/file", O_RDWR | O_CREAT); }).exit_status,
              EPERM);
}

TEST_F(SandboxTest, TheStoreSeesItsDirectoryAlone) {
    EXPECT_EQ(confined(Role::store, [] { return opens("/file", O_RDWR | O_CREAT); }).exit_status,
              0);
    EXPECT_EQ(confined(Role::store, [] { return opens("/etc/passwd", O_RDONLY); }).exit_status,
              ENOENT);
    EXPECT_EQ(
        confined(Role::store, [] { return opens("/../../etc/passwd", O_RDONLY); }).exit_status,
        ENOENT);
    EXPECT_EQ(confined(Role::store, [] { return ::mknod("/file", S_IFCHR | 0600, 0x101) == 0; })
                  .exit_status,
              EPERM);
}

TEST_F(SandboxTest, OnlyWhoConnectsMakesSockets) {
    const auto makes_socket = [] { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0; };
    EXPECT_EQ(confined(Role::smtpd, makes_socket).exit_status, EPERM);
    EXPECT_EQ(confined(Role::store, makes_socket).exit_status, EPERM);
    EXPECT_EQ(confined(Role::smtp, makes_socket).exit_status, 0);
    EXPECT_EQ(confined(Role::rewrite, makes_socket).exit_status, 0);
}

TEST_F(SandboxTest, SocketsAreOfTheInternetAndServeNobody) {
    const auto makes = [&](Role role, int family, int type) {
        return confined(role, [&] { return ::socket(family, type, 0) >= 0; }).exit_status;
    };
    EXPECT_EQ(makes(Role::smtp, AF_INET6, SOCK_STREAM | SOCK_CLOEXEC), 0);
    EXPECT_EQ(makes(Role::smtp, AF_INET, SOCK_DGRAM), EPERM);
    EXPECT_EQ(makes(Role::rewrite, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK), 0);
    for (const Role role : {Role::smtp, Role::rewrite}) {
        EXPECT_EQ(makes(role, AF_UNIX, SOCK_STREAM), EPERM);
        EXPECT_EQ(makes(role, AF_NETLINK, SOCK_DGRAM), EPERM);
        EXPECT_EQ(confined(role,
                           [] {
                               const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
                               return ::listen(socket, 1) == 0;
                           })
                      .exit_status,
                  EPERM);
    }
}

// Shut for reading it serves nobody and is an idle socket of the host's network; fast open would
// connect it without a connect().
TEST_F(SandboxTest, AnInheritedListenerRemainsOne) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::listen(listener, 1), 0);
    for (const int how : {SHUT_RD, SHUT_RDWR}) {
        EXPECT_EQ(confined(Role::smtpd, [=] { return ::shutdown(listener, how) == 0; }).exit_status,
                  EPERM);
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    EXPECT_EQ(confined(Role::smtpd,
                       [=] {
                           return ::sendto(listener, "x", 1, MSG_FASTOPEN,
                                           reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 1;
                       })
                  .exit_status,
              EPERM);
    ::close(listener);
}

TEST_F(SandboxTest, NoProgramIsAttachedToASocket) {
    sock_filter pass{BPF_RET | BPF_K, 0, 0, 0xffff'ffff};
    const sock_fprog program{1, &pass};
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    for (const Role role : {Role::smtpd, Role::smtp, Role::rewrite}) {
        EXPECT_EQ(confined(role,
                           [&] {
                               return ::setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &program,
                                                   sizeof(program)) == 0;
                           })
                      .exit_status,
                  EPERM);
    }
    ::close(pair[0]);
    ::close(pair[1]);
}

TEST_F(SandboxTest, AServiceWithoutNetworkStandsInAnEmptyOne) {
    const auto outcome = in_child([&] {
        Sandbox sandbox({sandbox_profile(Role::cleanup), kNobody, kNobody, directory, false});
        if (!sandbox.enter()) return 200;
        // Before close(), which refuses the question itself. A new namespace has a loopback that is
        // down.
        const int probe = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const struct if_nameindex* interfaces = ::if_nameindex();
        if (probe < 0 || interfaces == nullptr) return 202;
        int count = 0;
        while (interfaces[count].if_name != nullptr) ++count;
        sockaddr_in loopback{};
        loopback.sin_family = AF_INET;
        loopback.sin_port = htons(9);
        loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(probe, reinterpret_cast<sockaddr*>(&loopback), sizeof(loopback)) == 0)
            return 203;
        return count;
    });
    EXPECT_EQ(outcome.exit_status, 1);
}

TEST_F(SandboxTest, WhatOnlyAnIntruderTriesKills) {
    const auto dies = [&](const char* what, const std::function<bool()>& act) {
        EXPECT_EQ(confined(Role::smtpd, act).signal, SIGSYS) << what;
        EXPECT_EQ(confined(Role::store, act).signal, SIGSYS) << what;
    };
    dies("execve", [] {
        char* const none[] = {nullptr};
        return ::execve("/bin/sh", none, none) == 0;
    });
    dies("ptrace", [] { return ::ptrace(PTRACE_ATTACH, 1, nullptr, nullptr) == 0; });
    dies("io_uring_setup", [] { return ::syscall(SYS_io_uring_setup, 8, nullptr) >= 0; });
    dies("mount", [] { return ::syscall(SYS_mount, "x", "/", "proc", 0, nullptr) == 0; });
    dies("unshare", [] { return ::syscall(SYS_unshare, 0x10000000) == 0; });
    dies("setuid", [] { return ::setuid(0) == 0; });
    dies("process_vm_readv",
         [] { return ::syscall(SYS_process_vm_readv, 1, nullptr, 0, nullptr, 0, 0) >= 0; });
}

TEST_F(SandboxTest, NoMemoryBecomesCode) {
    const auto outcome = confined(Role::smtpd, [] {
        return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
    });
    EXPECT_EQ(outcome.exit_status, EPERM);
}

TEST_F(SandboxTest, ItEndsItselfAndSignalsNobody) {
    const pid_t parent = ::getpid();
    const auto signals_parent = [parent] { return ::tgkill(parent, parent, 0) == 0; };
    EXPECT_EQ(confined(Role::smtpd, signals_parent).exit_status, EPERM);
    EXPECT_EQ(confined(Role::smtpd,
                       [] {
                           std::abort();
                           return true;
                       })
                  .signal,
              SIGABRT);
}

TEST_F(SandboxTest, NobodyTouchesOthersOfItsUser) {
    const pid_t other = ::fork();
    if (other == 0) {
        if (::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(1);
        while (true) ::pause();
    }
    const int any = ::memfd_create("any", MFD_CLOEXEC);
    for (const Role role : {Role::smtpd, Role::rewrite, Role::store}) {
        EXPECT_EQ(confined(role, [=] { return ::fcntl(any, F_SETOWN, other) == 0; }).exit_status,
                  EPERM);
        EXPECT_EQ(
            confined(role,
                     [=] { return ::setpriority(PRIO_PROCESS, static_cast<id_t>(other), 19) == 0; })
                .exit_status,
            EPERM);
    }
    ::close(any);
    ::kill(other, SIGKILL);
    ::waitpid(other, nullptr, 0);
}

TEST_F(SandboxTest, NobodyForksAndOnlySomeStartThreads) {
    const auto forks = [] { return ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0; };
    EXPECT_EQ(confined(Role::smtpd, forks).exit_status, EPERM);
    EXPECT_EQ(confined(Role::store, forks).exit_status, EPERM);
    EXPECT_EQ(confined(Role::store,
                       [] {
                           bool ran = false;
                           std::thread([&] { ran = true; }).join();
                           return ran;
                       })
                  .exit_status,
              0);
}

TEST_F(SandboxTest, HasNoCapabilityLeftAndCanNotBeDumped) {
    const auto outcome = in_child([&] {
        Sandbox sandbox({sandbox_profile(Role::smtp), kNobody, kNobody, directory, true});
        const int status_file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
        if (!sandbox.enter()) return 200;
        if (::prctl(PR_GET_DUMPABLE) != 0) return 202;
        if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return 203;
        char text[8192] = {};
        if (::read(status_file, text, sizeof(text) - 1) <= 0) return 204;
        const std::string status(text);
        for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
            if (status.find(std::string(set) + ":\t0000000000000000") == std::string::npos)
                return 205;
        }
        return status.find("\nGroups:\t \n") == std::string::npos ? 206 : 0;
    });
    EXPECT_EQ(outcome.exit_status, 0);
}

TEST_F(SandboxTest, WhatAServiceLivesOnStillWorks) {
    const auto outcome = in_child([&] {
        Sandbox sandbox({sandbox_profile(Role::smtpd), kNobody, kNobody, directory, false});
        if (!sandbox.enter()) return 200;
        auto loop = UringLoop::create({.accept = true, .receive = true, .send = true});
        if (!loop) return 202;
        sandbox.close();
        auto own = Segment::create(4096);
        if (!own) return 203;
        if (!Segment::map_foreign(own->memfd(), 4096)) return 204;
        std::string heap(1 << 20, 'x');
        heap.resize(1 << 24);
        for (int i = 0; i < 3; ++i) (*loop)->turn(1000);
        return (*loop)->wall_us() > 0 ? 0 : 205;
    });
    EXPECT_EQ(outcome.exit_status, 0) << outcome.signal;
}

TEST_F(SandboxTest, RefusesToRemainRoot) {
    const auto outcome = in_child([&] {
        Sandbox sandbox({sandbox_profile(Role::smtpd), 0, 0, directory, false});
        return sandbox.enter() ? 0 : 7;
    });
    EXPECT_EQ(outcome.exit_status, 7);
}

TEST_F(SandboxTest, ALayerThatFailsIsNamedAndTheOthersHold) {
    ASSERT_EQ(::chown(directory.c_str(), kNobody, kNobody),
              0);  // an empty room its service could fill
    const auto outcome = in_child([&] {
        Sandbox sandbox({sandbox_profile(Role::smtpd), kNobody, kNobody, directory, false});
        if (!sandbox.enter()) return 200;
        sandbox.close();
        if (sandbox.missing_text() != "chroot: Operation not permitted") return 202;
        errno = 0;
        return opens("/etc/passwd", O_RDONLY) ? 0 : errno;
    });
    EXPECT_EQ(outcome.exit_status, EPERM);
}

}  // namespace
}  // namespace posthaste
