#include "master/child.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/heartbeat.h"
#include "runtime/sandbox_profile.h"

extern char** environ;

namespace posthaste {

namespace {

constexpr size_t kErrorTextMax = 16 * 1024;

// What a service may see of master's environment.
bool is_passed_on(std::string_view variable) {
    for (const std::string_view prefix :
         {"PATH=", "TZ=", "LANG=", "MIMALLOC_",
          "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=", "TSAN_OPTIONS=", "POSTHASTE_"})
        if (variable.starts_with(prefix)) return true;
    return false;
}

std::vector<char*> passed_environment() {
    std::vector<char*> out;
    for (char** each = environ; *each != nullptr; ++each)
        if (is_passed_on(*each)) out.push_back(*each);
    out.push_back(nullptr);
    return out;
}

// Between fork and exec: system calls only. Descriptors are 0, 1: nothing; 2: the pipe to master;
// 3: the control socket.
[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment,
                         int control, int error_output, int nothing) {
    // Out of the way first: the pair may itself be numbered 0 to 3.
    const int control_high = ::fcntl(control, F_DUPFD, 16);
    const int error_high = ::fcntl(error_output, F_DUPFD, 16);
    const int nothing_high = ::fcntl(nothing, F_DUPFD, 16);
    if (control_high < 0 || error_high < 0 || nothing_high < 0 || ::dup2(nothing_high, 0) < 0 ||
        ::dup2(nothing_high, 1) < 0 || ::dup2(error_high, 2) < 0 ||
        ::dup2(control_high, kControlDescriptor) < 0)
        ::_exit(126);
    ::syscall(SYS_close_range, kControlDescriptor + 1, ~0U, 0U);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGCHLD})
        ::signal(number, SIG_DFL);
    // A terminal's ^C is for master alone: it stops its children in order.
    ::setsid();
    ::execve(program, arguments, environment);
    constexpr std::string_view kMessage = "cannot run the program\n";
    (void)!::write(2, kMessage.data(), kMessage.size());
    ::_exit(127);
}

struct Pipe {
    Fd read_end;
    Fd write_end;
};

Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return os_error("pipe");
    Pipe out{Fd(ends[0]), Fd(ends[1])};
    if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return os_error("pipe");
    return out;
}

std::string root_directory(const PlannedService& service) {
    const std::string& queue = service.settings.text("queue_directory");
    return queue + "/" + std::string(service.row->root_directory);
}

Result<void> send_start(int control, const PlannedService& service, const Child::Identity& identity,
                        int counter_page, const std::vector<Listener>& listeners,
                        Child::Purpose purpose) {
    auto snapshot = make_snapshot(service.settings.snapshot());
    if (!snapshot) return snapshot.error();
    control::Start start;
    start.role = identity.row->role;
    start.service_name = service.entry.name;
    start.instance = identity.instance;
    start.incarnation = identity.incarnation;
    start.user_id = service.user_id;
    start.group_id = service.group_id;
    const std::string root = root_directory(service);
    start.chroot_dir = root;
    start.network = sandbox_profile(identity.row->role).network;
    start.sandbox =
        service.settings.text("sandbox") == "strict" ? SandboxMode::strict : SandboxMode::best;
    if (!identity.row->arena_parameter.empty())
        start.arena_bytes =
            static_cast<uint64_t>(service.settings.integer(identity.row->arena_parameter));
    start.stop_after = roles_that_stop_before(*identity.row);
    start.judge_only = purpose == Child::Purpose::judge;
    std::vector<int> descriptors = {snapshot->get(), counter_page};
    for (const Listener& listener : listeners) {
        if (start.listeners.size() == kListenersMax)
            return Error{Errc::too_large, 0, "listening sockets of a service"};
        start.listeners.push_back({listener.name});
        descriptors.push_back(listener.descriptor);
    }
    return send_control(control, start, std::span<const int>(descriptors));
}

}  // namespace

Result<std::unique_ptr<Child>> Child::spawn(const PlannedService& service, Identity identity,
                                            const std::vector<Listener>& listeners,
                                            Purpose purpose) {
    std::unique_ptr<Child> child(new Child);
    ASSIGN_OR_RETURN(const Fd counter_page, create_counter_page());
    ASSIGN_OR_RETURN(auto counters,
                     CounterMapping::map(counter_page.get(), CounterMapping::Access::read));
    child->counters_.emplace(std::move(counters));
    ASSIGN_OR_RETURN(auto pair, make_control_pair());
    ASSIGN_OR_RETURN(auto errors, make_pipe());
    const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!nothing) return os_error("open /dev/null");

    std::string program_name(name_of(identity.row->role));
    const std::array<char*, 2> arguments = {program_name.data(), nullptr};
    const auto environment = passed_environment();
    const pid_t pid = ::fork();
    if (pid < 0) return os_error("fork");
    if (pid == 0)
        become(service.program_path.c_str(), arguments.data(), environment.data(),
               pair.second.get(), errors.write_end.get(), nothing.get());
    child->pid_ = pid;
    child->pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    child->control_ = std::move(pair.first);
    child->error_output_ = std::move(errors.read_end);
    child->identity_ = std::move(identity);
    child->set_log_tag(service.settings);
    if (!child->pidfd_) {
        const Error error = os_error("pidfd_open");
        child->kill(SIGKILL);
        return error;
    }
    const auto started = send_start(child->control(), service, child->identity_, counter_page.get(),
                                    listeners, purpose);
    if (!started) {
        child->kill(SIGKILL);
        child->failure = started.error().text();
    }
    return child;
}

std::string Child::name() const {
    return std::string(name_of(role())) + "/" + std::to_string(identity_.instance);
}

// The postlogd that a reload starts hears the new one.
void Child::set_log_tag(const Settings& settings) {
    log_tag_ = settings.text("syslog_name") + "/" + std::string(name_of(role()));
}

bool Child::reload(const Settings& settings) {
    set_log_tag(settings);
    const auto snapshot = make_snapshot(settings.snapshot());
    return snapshot && send(control::Reload{}, {snapshot->get()});
}

void Child::drain() {
    state = State::draining;
    send(control::Drain{});
}

void Child::retire() {
    state = State::retiring;
    send(control::Drain{.gently = true});
}

void Child::dismiss() {
    if (state == State::starting) {
        state = State::draining;
        kill(SIGKILL);
    } else {
        drain();
    }
}

void Child::kill(int signal) noexcept { ::kill(pid_, signal); }

bool Child::has_ended() const noexcept {
    pollfd ended{pidfd_.get(), POLLIN, 0};
    return ::poll(&ended, 1, 0) == 1;
}

bool Child::is_hung(int64_t now_us, int64_t limit_us) noexcept {
    const uint64_t beat = counters_->page().beat.load(std::memory_order_relaxed);
    const bool moves = beat != std::exchange(last_beat_, beat);
    if (well_at_us_ == 0 || moves || (Heartbeat::is_asleep(beat) && !is_stopped()))
        well_at_us_ = now_us;
    return now_us - well_at_us_ >= limit_us;
}

// WNOWAIT: the answer is what it is now, however often it is asked.
bool Child::is_stopped() const noexcept {
    siginfo_t info{};
    return ::waitid(P_PIDFD, static_cast<id_t>(pidfd()), &info, WSTOPPED | WNOHANG | WNOWAIT) ==
               0 &&
           info.si_pid != 0;
}

std::vector<std::string> Child::take_error_lines() {
    char piece[4096];
    for (size_t round = 0; round < 4 && error_output_; ++round) {
        const ssize_t got = ::read(error_output_.get(), piece, sizeof piece);
        if (got == 0) error_output_.reset();
        if (got <= 0) break;
        error_text_.append(piece, static_cast<size_t>(got));
    }
    std::vector<std::string> lines;
    for (size_t end; (end = error_text_.find('\n')) != std::string::npos;) {
        lines.push_back(error_text_.substr(0, end));
        error_text_.erase(0, end + 1);
    }
    if (!error_output_ || error_text_.size() > kErrorTextMax) {
        if (!error_text_.empty()) lines.push_back(std::move(error_text_));
        error_text_.clear();
    }
    return lines;
}

}  // namespace posthaste
