#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "walls/act.h"

namespace posthaste::walls {
namespace {

constexpr size_t kPageBytes = 4096;

bool threads(const SandboxProfile& profile) { return profile.threads; }

void* nothing(void*) { return nullptr; }

int starts_thread() {
    pthread_t thread{};
    if (const int failed = ::pthread_create(&thread, nullptr, nothing, nullptr); failed != 0)
        return failed;
    return ::pthread_join(thread, nullptr);
}

// A child, if there is one, ends at once.
int forks(long child) {
    if (child == 0) ::_exit(0);
    if (child < 0) return errno;
    ::waitpid(static_cast<pid_t>(child), nullptr, __WALL);
    return 0;
}

int maps_code(int protection) {
    void* const memory =
        ::mmap(nullptr, kPageBytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : 0;
}

int makes_code_of_data() {
    void* const memory =
        ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno
                                : outcome(::mprotect(memory, kPageBytes, PROT_READ | PROT_EXEC));
}

int runs(const char* path) {
    std::array<char, 8> name = {"true"};
    std::array<char*, 2> arguments = {name.data(), nullptr};
    return outcome(::execve(path, arguments.data(), arguments.data() + 1));
}

int runs_memory() {
    constexpr char kScript[] = "#!/bin/true\n";
    const int memory = ::memfd_create("program", 0);
    if (memory < 0 || ::write(memory, kScript, sizeof(kScript) - 1) < 0) return errno;
    std::array<char, 8> name = {"true"};
    std::array<char*, 2> arguments = {name.data(), nullptr};
    return outcome(
        ::syscall(SYS_execveat, memory, "", arguments.data(), arguments.data() + 1, AT_EMPTY_PATH));
}

int copies(long number, const Surroundings& around) {
    uint64_t mine = 0;
    const iovec here{&mine, sizeof(mine)};
    const iovec there{reinterpret_cast<void*>(around.twin_address), sizeof(mine)};
    return outcome(::syscall(number, around.twin, &here, 1, &there, 1, 0));
}

int attaches(pid_t victim) {
    if (::ptrace(PTRACE_ATTACH, victim, nullptr, nullptr) < 0) return errno;
    ::waitpid(victim, nullptr, __WALL);
    return outcome(::ptrace(PTRACE_DETACH, victim, nullptr, nullptr));
}

int opens_memory_of(pid_t victim) {
    const std::string path = "/proc/" + std::to_string(victim) + "/mem";
    return outcome(::open(path.c_str(), O_RDWR | O_CLOEXEC));
}

int has_kernel_signal(pid_t victim) {
    const int any = ::memfd_create("any", MFD_CLOEXEC);
    return any < 0 ? errno : outcome(::fcntl(any, F_SETOWN, victim));
}

int takes_descriptor_of(pid_t victim) {
    const auto handle = static_cast<int>(::syscall(SYS_pidfd_open, victim, 0));
    // Refused to name it, it still tries the number it would have had.
    const long taken = ::syscall(SYS_pidfd_getfd, handle < 0 ? 0 : handle, 0, 0);
    return outcome(taken);
}

int signals_by_handle(pid_t victim) {
    const auto handle = static_cast<int>(::syscall(SYS_pidfd_open, victim, 0));
    if (handle < 0) return errno;
    return outcome(::syscall(SYS_pidfd_send_signal, handle, 0, nullptr, 0));
}

int moves_to_one_processor(pid_t victim) {
    const unsigned long first = 1;
    return outcome(::syscall(SYS_sched_setaffinity, victim, sizeof(first), &first));
}

int limits(pid_t victim) {
    const rlimit none{0, 0};
    return outcome(::syscall(SYS_prlimit64, victim, RLIMIT_CORE, &none, nullptr));
}

enum class EarlyThread : int { none, waits, told, has_tried };
std::atomic<EarlyThread> early_thread{EarlyThread::none};
std::atomic<int> early_outcome{0};

void* tries_when_told(void*) {
    const timespec a_moment{0, 1'000'000};
    while (early_thread.load() != EarlyThread::told) ::nanosleep(&a_moment, nullptr);
    early_outcome = outcome(::syscall(SYS_unshare, CLONE_FILES));
    early_thread = EarlyThread::has_tried;
    return nullptr;
}

int lets_early_thread_try() {
    if (early_thread.load() != EarlyThread::waits) return kNothingToTry;
    early_thread = EarlyThread::told;
    const timespec a_moment{0, 1'000'000};
    while (early_thread.load() != EarlyThread::has_tried) ::nanosleep(&a_moment, nullptr);
    return early_outcome;
}

constexpr Act kActs[] = {
    {"Programs and code", "runs a program", [](const Surroundings&) { return runs("/bin/true"); }},
    {nullptr, "runs a program that it has in memory",
     [](const Surroundings&) { return runs_memory(); }},
    {nullptr, "starts a process (fork)",
     [](const Surroundings&) { return forks(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }},
    {nullptr, "starts a process (clone3)",
     [](const Surroundings&) {
         clone_args arguments{};
         arguments.exit_signal = SIGCHLD;
         return forks(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
     }},
    {nullptr, "starts a thread", [](const Surroundings&) { return starts_thread(); }, threads},
    {nullptr, "leaves, by a thread from before the filter, what its threads share",
     [](const Surroundings&) { return lets_early_thread_try(); }, nullptr, kNothingToTry},
    {nullptr, "maps memory that it can write and run",
     [](const Surroundings&) { return maps_code(PROT_READ | PROT_WRITE | PROT_EXEC); }},
    {nullptr, "makes written memory run", [](const Surroundings&) { return makes_code_of_data(); }},
    {nullptr, "lets all it reads run (personality)",
     [](const Surroundings&) { return outcome(::personality(READ_IMPLIES_EXEC)); }},

    {"Other processes", "traces another of its own user",
     [](const Surroundings& around) { return attaches(around.twin); }},
    {nullptr, "reads that one's memory",
     [](const Surroundings& around) { return copies(SYS_process_vm_readv, around); }},
    {nullptr, "writes that one's memory",
     [](const Surroundings& around) { return copies(SYS_process_vm_writev, around); }},
    {nullptr, "opens that one's memory in /proc",
     [](const Surroundings& around) { return opens_memory_of(around.twin); }},
    {nullptr, "takes a descriptor from it",
     [](const Surroundings& around) { return takes_descriptor_of(around.twin); }},
    {nullptr, "compares its kernel objects with it (kcmp)",
     [](const Surroundings& around) {
         return outcome(::syscall(SYS_kcmp, ::getpid(), around.twin, 1, 0, 0));
     }},
    {nullptr, "signals another of its own user",
     [](const Surroundings& around) { return outcome(::kill(around.twin, 0)); }},
    {nullptr, "signals one of its threads (tgkill)",
     [](const Surroundings& around) {
         return outcome(::syscall(SYS_tgkill, around.twin, around.twin, 0));
     }},
    {nullptr, "signals it by its handle (pidfd)",
     [](const Surroundings& around) { return signals_by_handle(around.twin); }},
    {nullptr, "has the kernel signal it (F_SETOWN)",
     [](const Surroundings& around) { return has_kernel_signal(around.twin); }},
    {nullptr, "signals another role",
     [](const Surroundings& around) { return outcome(::kill(around.stranger, 0)); }},
    {nullptr, "signals master",
     [](const Surroundings& around) { return outcome(::kill(around.master, 0)); }},
    {nullptr, "makes another of its own user slow (setpriority)",
     [](const Surroundings& around) {
         return outcome(::setpriority(PRIO_PROCESS, static_cast<id_t>(around.twin), 5));
     }},
    {nullptr, "… its disk accesses slow (ioprio_set)",
     [](const Surroundings& around) {
         return outcome(::syscall(SYS_ioprio_set, 1, around.twin, 3 << 13));
     }},
    {nullptr, "… binds it to one processor",
     [](const Surroundings& around) { return moves_to_one_processor(around.twin); }},
    {nullptr, "… changes its limits",
     [](const Surroundings& around) { return limits(around.twin); }},
};

}  // namespace

void start_early_thread() {
    pthread_t thread{};
    if (::pthread_create(&thread, nullptr, tries_when_told, nullptr) == 0)
        early_thread = EarlyThread::waits;
}

std::span<const Act> process_acts() { return kActs; }

}  // namespace posthaste::walls
